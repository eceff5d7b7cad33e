"""What must be so whatever packets say: nothing was run, no other file was touched, and what is shown is text."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.support.shadow import host_digest

CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that no text for people has; line breaks and tabs may be."""
_OURS_ON_A_TERMINAL = re.compile(r"\x1b\[(2K|1A|\?25[lh])|\r")
"""What the progress line is drawn and taken away with."""
_COMMANDS = (
    "touch", "tee", "cp", "dd", "ln", "mkdir", "xargs", "nohup", "id", "curl", "wget", "nc", "sh", "bash", "python3",
    "perl", "psql", "ldapmodify", "mail", "sendmail",
)  # fmt: skip
"""What the attacks would run, and amierules itself does not."""


@dataclass(frozen=True)
class Canaries:
    """Programs that note that they were run, an empty working folder, and files that are nobody's business."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, spared: Iterable[str] = ()) -> "Canaries":
        """Makes them; programs that are `spared` are needed."""
        made = cls(folder)
        for name in ("programs", "here", "foreign/deep"):
            (folder / name).mkdir(parents=True)
        for name in {*_COMMANDS} - {*spared}:
            program = folder / "programs" / name
            program.write_text(f'#!/bin/sh\necho "$0 $*" >>{folder}/run\n', encoding="utf-8")
            program.chmod(0o755)
        for name in ("here/empty", "foreign/a", "foreign/deep/b"):
            (folder / name).write_text("canary\n", encoding="utf-8")
        made.seen.write_text(made._digest(), encoding="ascii")
        return made

    @property
    def here(self) -> Path:
        """The working folder."""
        return self.folder / "here"

    @property
    def seen(self) -> Path:
        """The file that says what was there at first."""
        return self.folder / "seen"

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """From now on this process and its children work there, and find these programs before all others."""
        patch.chdir(self.here)
        patch.setenv("PATH", f"{self.folder / 'programs'}:{os.environ['PATH']}")

    def check(self) -> None:
        """Fails where one of them was touched, or the host's own files."""
        ran = self.folder / "run"
        assert not ran.exists(), ran.read_text(encoding="utf-8")
        assert self._digest() == self.seen.read_text(encoding="ascii")

    def _digest(self) -> str:
        digest = hashlib.sha256(host_digest().encode())
        for path in sorted(self.folder.rglob("*")):
            if path not in (self.seen, self.folder / "run"):
                digest.update(f"{path} {path.stat().st_mode}".encode())
                digest.update(path.read_bytes() if path.is_file() else b"")
        return digest.hexdigest()


def assert_text(shown: str) -> None:
    """Fails where what is shown has control characters, or characters that turn its direction."""
    found = CONTROLS.search(shown)
    assert found is None, ascii(shown[max(0, found.start() - 200) : found.end() + 50])


def assert_text_on_terminal(written: str) -> None:
    """Fails where a terminal without colours got an escape sequence other than those of the progress line."""
    assert_text(_OURS_ON_A_TERMINAL.sub("", written))


_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^\s"=]+)( |$)')


def read_record(line: str) -> dict[str, str]:
    """The fields of a line of a log, each name once. Fails where it is anything else."""
    assert_text(line)
    fields: dict[str, str] = {}
    at = 0
    while at < len(line):
        found = _FIELD.match(line, at)
        assert found is not None, line[at:]
        assert found[1] not in fields, line
        fields[found[1]] = found[2]
        at = found.end()
    return fields


def assert_plain_in_slack(payload: Mapping[str, Any]) -> str:
    """Fails where Slack would take anything for mark-up that calls or links; returns what people read."""
    assert payload.keys() == {"text"}
    text = str(payload["text"])
    assert_text(text)
    assert not set(text) & set("<>")
    assert not re.search(r"&(?!amp;|lt;|gt;)", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


_HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding",
}  # fmt: skip


def assert_one_mail(content: bytes, to: str) -> EmailMessage:
    """Fails where a mail has other headers or recipients than it should, or control characters; returns it, read."""
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", content)
    head = re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0].decode("ascii")
    lines = [line for line in head.splitlines() if not line.startswith((" ", "\t"))]
    # The server that takes mails in the tests adds two of its own.
    names = {line.partition(":")[0] for line in lines} - {"X-Peer", "X-MailFrom", "X-RcptTo"}
    assert names == _HEADERS
    assert len({line.partition(":")[0] for line in lines}) == len(lines)
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert mail["To"] == to
    assert_text(mail["Subject"])
    assert_text(mail.get_content().replace("\r\n", "\n"))
    return mail
