"""Reading passwd and group files: the accounts and groups that a running site has."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Place, printable
from amierules.engine.registry.csv import file_text
from amierules.engine.registry.fields import MAX_NUMBER, checked_id, checked_text
from amierules.rulebook.files import shown


@dataclass(frozen=True)
class UnixAccount:
    """An account: a line of passwd, or what a directory says as much."""

    login: str
    uid: int
    gid: int
    name: str
    """The full name; `''` where there is none."""
    place: Place
    values: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the person, where a directory has them: `person_id`, `global_id`, `dns`."""
    tags: Mapping[str, Any] = field(default_factory=dict)
    """Tags of the person (`Email`), which stand before those of the full name."""


@dataclass(frozen=True)
class UnixGroup:
    """A group and the logins that it lists."""

    name: str
    gid: int
    members: tuple[str, ...]
    place: Place
    values: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the project, where a directory has them: `project_id`, `grant_number`, `title`."""


@dataclass
class UnixAccounts:
    """What a site's files, or its directory, say of accounts and groups."""

    accounts: list[UnixAccount] = field(default_factory=list)
    groups: list[UnixGroup] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, others: "UnixAccounts") -> None:
        """Adds what another place says."""
        self.accounts += others.accounts
        self.groups += others.groups
        self.findings += others.findings


def read_unix_accounts(passwd: Path | None, group: Path | None) -> UnixAccounts:
    """What a passwd file and a group file say, and which of their lines say nothing that can be."""
    found = UnixAccounts()
    if passwd is not None:
        _read(passwd, 7, lambda fields, place: found.accounts.append(_account(fields, place)), found.findings)
    if group is not None:
        _read(group, 4, lambda fields, place: found.groups.append(_group(fields, place)), found.findings)
    return found


def _read(path: Path, width: int, take: Callable[[list[str], Place], None], findings: list[Finding]) -> None:
    text, wrong = file_text(path)
    findings += wrong
    for place, fields in _lines(shown(path), text or ""):
        try:
            if len(fields) != width:
                raise ValueError(f"has {len(fields)} fields, not {width}")
            take(fields, place)
        except ValueError as error:
            hint = "correct the line, or import a copy of the file without it"
            findings.append(Finding("account-line", f"the line {printable(error)}", place, hint))


def _lines(file: str, text: str) -> Iterator[tuple[Place, list[str]]]:
    """The fields of each line; comments and what name services put in (`+`, `-`) are passed over."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith(("#", "+", "-")):
            yield Place(file, number), line.rstrip("\r").split(":")


def _account(fields: list[str], place: Place) -> UnixAccount:
    login, _, uid, gid, comment, _, _ = fields
    name = checked_text(comment.partition(",")[0].strip())
    return UnixAccount(checked_id(login), number("uid", uid), number("gid", gid), name, place)


def _group(fields: list[str], place: Place) -> UnixGroup:
    name, _, gid, members = fields
    listed = tuple(dict.fromkeys(checked_id(one.strip()) for one in members.split(",") if one.strip()))
    return UnixGroup(checked_id(name), number("gid", gid), listed, place)


def number(what: str, text: str) -> int:
    """The uid or gid that a text stands for. Raises `ValueError` where it stands for none."""
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) > MAX_NUMBER:
        raise ValueError(f"has the {what} '{printable(text, 30)}', which is no number from 0 to {MAX_NUMBER}")
    return int(text)
