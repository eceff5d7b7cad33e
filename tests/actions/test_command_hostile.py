"""Whatever a packet sends, a command gets it as data: through its words, its input, its environment, and a script."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support.hostile import HOSTILE
from tests.support.sites import load, make_site, reason_of, rum, run, status_of

# Scripts, names in which some shells look for code, and what ends a quote or a line; each would make the file `pwned`.
_CODE = "touch pwned"
ATTACKS: tuple[str, ...] = tuple(
    template.format(code)
    for code in (_CODE, ">pwned", "touch${IFS}pwned", "/bin/touch pwned", "eval touch pwned", "sh -c 'touch pwned'")
    for template in (
        *(
            "$({})",
            "`{}`",
            ";{};",
            "; {} #",
            "| {}",
            "|| {}",
            "&& {}",
            "& {} &",
            "\n{}\n",
            "\r\n{}\r\n",
            "x\n{}",
            "({})",
        ),
        *(
            "'; {}; '",
            '"; {}; "',
            "';{} #",
            '";{} #',
            "$'\\n{}'",
            "\\'; {}; \\'",
            "'\"'\"; {}; '",
            "}}; {}; {{",
            ") ; {} ; (",
        ),
        *(
            "a[$({})]",
            "x=$({})",
            "${{x:-$({})}}",
            "$(({}))",
            "<({})",
            "<<E\n$({})\nE",
            "E\n{}\n",
            "{}",
            "${{AMIE_1}}; {}",
        ),
        *("{{{{ '{}' }}}}", "!{}", "#\n{}", "\\\n{}", "--x=$({})"),
    )
)
VALUES = tuple(dict.fromkeys((*HOSTILE, *ATTACKS)))

NOTE = f"""#!{sys.executable}
import json, os, sys
given = sys.stdin.buffer.read().decode("utf-8") if len(sys.argv) > 1 and sys.argv[1] == "stdin" else ""
line = [sys.argv[1:], given, os.environ.get("VALUE"), sorted(os.listdir("."))]
with open({{log!r}}, "a", encoding="utf-8") as log:
    log.write(json.dumps(line) + "\\n")
"""

WAYS: Mapping[str, str] = {
    "words": 'run: ["{note}", word, "x{{{{ packet.Title }}}}", "{{{{ packet.Title | option }}}}"]',
    "text": 'run: "{note} text x{{{{ packet.Title }}}} -- {{{{ packet.Title }}}}"',
    "stdin": 'run: ["{note}", stdin], stdin: "{{{{ packet.Title }}}}"',
    "environment": 'run: ["{note}", env], env: {{VALUE: "{{{{ packet.Title }}}}"}}',
    "shell": """run: "{note} 'it''s' x{{{{ packet.Title }}}} -- {{{{ packet.Title }}}} # \\" '", shell: true""",
    "pipe": "run: 'X={{{{ packet.Title }}}}; printf %s {{{{ packet.Title | option }}}} | {note} stdin \"$X\"', shell: true",
    "redirect": "run: '{note} stdin < {folder}/empty y{{{{ packet.Title }}}}', shell: true",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for the commands to run in."""
    made = tmp_path / "cwd"
    made.mkdir()
    return made


def _site(database: Database, tmp_path: Path, folder: Path, way: str) -> Site:
    note = tmp_path / "note"
    note.write_text(NOTE.format(log=str(tmp_path / "log")))
    note.chmod(0o755)
    (tmp_path / "empty").touch()
    command = WAYS[way].format(note=note, folder=tmp_path)
    rule = "packet: request_user_modify\nrules:\n  - name: it\n    actions:\n"
    rule += f"      - name: note\n        command: {{{command}, cwd: {folder}, unless: {{run: 'false'}}}}\n    reply: {{}}\n"
    return make_site(database, tmp_path, {"a.yaml": rule})


def _sendable(value: str) -> bool:
    """Whether a packet can hold the value at all, as it is."""
    return bool(value.strip()) and "\0" not in value and "\ud800" not in value


def _looks(tmp_path: Path) -> list[Any]:
    log = tmp_path / "log"
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


@pytest.mark.parametrize("way", WAYS)
def test_a_value_reaches_the_program_as_it_is(tmp_path: Path, folder: Path, way: str) -> None:
    values = [value for value in VALUES if _sendable(value)]
    assert len(values) >= 200
    with Database.open("sqlite://", create=True) as database:
        site = _site(database, tmp_path, folder, way)
        given = load(site, *(rum({"PersonID": str(n), "Title": value}) for n, value in enumerate(values)))
        assert len(given) == len(values)
        run(site)
        done = [value for packet, value in zip(given, values, strict=True) if status_of(site, packet) == "done"]
        refused = {
            packet: value for packet, value in zip(given, values, strict=True) if status_of(site, packet) != "done"
        }
        reasons = {value: reason_of(site, packet) for packet, value in refused.items()}
    assert reasons == {}
    assert [line[:3] for line in _looks(tmp_path)] == [_expected(way, value) for value in done]
    assert all(line[3] == [] for line in _looks(tmp_path))
    assert os.listdir(folder) == []
    assert not (tmp_path / "pwned").exists()


def _expected(way: str, value: str) -> list[Any]:
    """The program's arguments, its input, and the variable VALUE."""
    return {
        "words": [["word", "x" + value, value], "", None],
        "text": [["text", "x" + value, "--", value], "", None],
        "stdin": [["stdin"], value, None],
        "environment": [["env"], "", value],
        "shell": [["its", "x" + value, "--", value], "", None],
        "pipe": [["stdin", value], value, None],
        "redirect": [["stdin", "y" + value], "", None],
    }[way]


@pytest.mark.parametrize("shell", ["", ", shell: true"])
def test_a_value_that_would_be_an_option_is_refused(tmp_path: Path, folder: Path, shell: str) -> None:
    options = [value for value in VALUES if value.startswith("-") and _sendable(value)]
    rule = "packet: request_user_modify\nrules:\n  - name: it\n    actions:\n"
    rule += f"      - {{name: x, command: {{run: 'touch {{{{ packet.Title }}}}', cwd: {folder}{shell}}}}}\n    reply: {{}}\n"
    with Database.open("sqlite://", create=True) as database:
        site = make_site(database, tmp_path, {"a.yaml": rule})
        given = load(site, *(rum({"PersonID": str(n), "Title": value}) for n, value in enumerate(options)))
        run(site)
        for packet in given:
            assert (status_of(site, packet), "would be an option" in reason_of(site, packet)) == ("parked", True)
    assert os.listdir(folder) == []
    assert len(options) > 20
