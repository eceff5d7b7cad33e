"""Unix accounts and groups as they are: through the host's name services, or from the files under a scratch root."""

import grp
import os
import pwd
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

from amierules.actions.base import ActionError
from amierules.ports import Host
from amierules.templating import Unknown

_IN_SHADOW = "x"
"""What stands in passwd in place of a password that is in the shadow file."""


@dataclass(frozen=True)
class UserState:
    """A Unix account. In a dry run, what a planned account will get from its tool is `Unknown`."""

    name: str | Unknown
    uid: int | Unknown
    gid: int | Unknown
    group: str | Unknown | None
    """The primary group's name; None where the gid has no group."""
    comment: str | Unknown
    home: str | Unknown
    shell: str | Unknown
    groups: tuple[str | Unknown, ...]
    """The other groups, sorted."""
    locked: bool | None
    """Whether the account has expired; None where we may not read it."""
    password_locked: bool = False
    """There is a password, and it is locked."""
    expires: date | Unknown | None = None
    """The day from which the account has expired; None where it never does, or where `locked` is None."""
    local: bool = True
    """Whether the files of the shadow-utils have it, and not another name service alone."""
    lacks: frozenset[str] = frozenset()
    """What is missing of it in those files where a tool was ended midway: its primary `group`, its `shadow` line."""


@dataclass(frozen=True)
class GroupState:
    """A Unix group."""

    name: str | Unknown
    gid: int | Unknown
    local: bool = True
    """Whether the files of the shadow-utils have it, and not another name service alone."""


class Accounts(Protocol):
    """Where accounts and groups are looked up."""

    def user(self, name: str, now: datetime) -> UserState | None:
        """The account of this login, or None. Raises `ActionError`."""

    def group(self, name: str) -> GroupState | None:
        """The group of this name, or None. Raises `ActionError`."""

    def login_of(self, uid: int) -> str | None:
        """The login that has this uid, or None. Raises `ActionError`."""

    def group_of(self, gid: int) -> str | None:
        """The name of the group that has this gid, or None. Raises `ActionError`."""


ShadowLine = Callable[[str], str | None]
"""Returns the line of a login in the shadow file; None where it has none. Raises `ActionError`."""


def accounts(prefix: str | None, host: Host, shadow_line: ShadowLine | None = None) -> Accounts:
    """The host's accounts, or those under its scratch root `prefix`.

    `shadow_line` is asked for what we may not read ourselves.
    """
    root = host.path(prefix or "")
    return FileAccounts(root) if root else HostAccounts(shadow_line)


class HostAccounts:
    """The accounts that this host's name services know; locks from /etc/shadow."""

    def __init__(self, shadow_line: ShadowLine | None = None, etc: str = "/etc") -> None:
        self._shadow_line = shadow_line
        self._etc = Path(etc)

    def user(self, name: str, now: datetime) -> UserState | None:
        """The account of this login, or None."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        others = (self.group_of(gid) for gid in os.getgrouplist(name, entry.pw_gid) if gid != entry.pw_gid)
        if self._shadow_line is None:
            lock = _lock_state(str(self._etc / "shadow"), name, entry.pw_passwd, now)
        else:
            lock = _lock_of(self._shadow_line(name), entry.pw_passwd, now)
        group, local = self.group_of(entry.pw_gid), self._has("passwd", name)
        return UserState(
            name=entry.pw_name,
            uid=entry.pw_uid,
            gid=entry.pw_gid,
            group=group,
            comment=entry.pw_gecos,
            home=entry.pw_dir,
            shell=entry.pw_shell,
            groups=tuple(sorted({other for other in others if other is not None})),
            locked=lock.locked,
            password_locked=lock.password_locked,
            expires=lock.expires,
            local=local,
            lacks=_lacks(group, lock, self._etc) if local else frozenset(),
        )

    def group(self, name: str) -> GroupState | None:
        """The group of this name, or None."""
        try:
            gid = grp.getgrnam(name).gr_gid
        except KeyError:
            return None
        return GroupState(name, gid, local=self._has("group", name))

    def _has(self, file: str, name: str) -> bool:
        """Whether a file of the shadow-utils has a line of that name."""
        return any(fields[0] == name for fields in _records(self._etc / file, {"passwd": 7, "group": 4}[file]))

    def login_of(self, uid: int) -> str | None:
        """The login that has this uid, or None."""
        try:
            return pwd.getpwuid(uid).pw_name
        except (KeyError, OverflowError):
            return None

    def group_of(self, gid: int) -> str | None:
        """The name of the group that has this gid, or None."""
        try:
            return grp.getgrgid(gid).gr_name
        except (KeyError, OverflowError):
            return None


class FileAccounts:
    """The accounts in `etc/passwd`, `etc/group` and `etc/shadow` under a folder."""

    def __init__(self, prefix: str) -> None:
        self._etc = Path(prefix) / "etc"

    def user(self, name: str, now: datetime) -> UserState | None:
        """The account of this login, or None."""
        entry = next((fields for fields in self._passwd() if fields[0] == name), None)
        if entry is None:
            return None
        _, password, uid, gid, comment, home, shell = entry
        primary = self.group_of(int(gid))
        others = {group for group, _, _, members in self._group() if name in members.split(",")} - {primary}
        lock = _lock_state(str(self._etc / "shadow"), name, password, now)
        return UserState(
            name,
            int(uid),
            int(gid),
            primary,
            comment,
            home,
            shell,
            tuple(sorted(others)),
            lock.locked,
            lock.password_locked,
            expires=lock.expires,
            lacks=_lacks(primary, lock, self._etc),
        )

    def group(self, name: str) -> GroupState | None:
        """The group of this name, or None."""
        return next((GroupState(name, int(gid)) for group, _, gid, _ in self._group() if group == name), None)

    def login_of(self, uid: int) -> str | None:
        """The login that has this uid, or None."""
        return next((fields[0] for fields in self._passwd() if int(fields[2]) == uid), None)

    def group_of(self, gid: int) -> str | None:
        """The name of the group that has this gid, or None."""
        return next((fields[0] for fields in self._group() if int(fields[2]) == gid), None)

    def _passwd(self) -> Iterator[list[str]]:
        return (
            fields for fields in _records(self._etc / "passwd", 7) if fields[2].isdecimal() and fields[3].isdecimal()
        )

    def _group(self) -> Iterator[list[str]]:
        return (fields for fields in _records(self._etc / "group", 4) if fields[2].isdecimal())


def _records(path: Path, width: int) -> list[list[str]]:
    """The lines of a colon-separated file that have `width` fields. Raises `ActionError`."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise ActionError(f"{path}: {error.strerror}") from error
    return [fields for fields in (line.split(":") for line in text.split("\n")) if len(fields) == width]


@dataclass(frozen=True)
class _Lock:
    """Whether an account has expired (None: we may not see it), has a password that is locked, and lacks its line in
    the shadow file."""

    locked: bool | None
    password_locked: bool
    no_line: bool = False
    expires: date | None = None


def _lacks(group: str | None, lock: _Lock, etc: Path) -> frozenset[str]:
    group_missing = group is None and _user_groups(etc)
    return frozenset([*(["group"] if group_missing else []), *(["shadow"] if lock.no_line else [])])


def _user_groups(etc: Path) -> bool:
    """Whether useradd makes a group for each user; where not, it gives all one gid, whether or not that has a group."""
    try:
        text = (etc / "login.defs").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    settings = dict(words[:2] for line in text.splitlines() if len(words := line.split()) >= 2)
    return settings.get("USERGROUPS_ENAB", "").lower() == "yes"


def _lock_state(shadow: str, name: str, password: str, now: datetime) -> _Lock:
    """What the shadow file says of an account.

    One without a line there cannot expire, and has its password in `password`.
    """
    try:
        with open(shadow, encoding="utf-8", errors="surrogateescape") as file:
            line = next((line for line in file if line.partition(":")[0] == name), None)
    except FileNotFoundError:
        return _Lock(False, _is_locked(password))
    except OSError:
        return _Lock(None, False)
    return _lock_of(line, password, now)


def _lock_of(line: str | None, password: str, now: datetime) -> _Lock:
    entry = (line or "").split(":")
    if len(entry) < 8:
        return _Lock(False, _is_locked(password), no_line=line is None and password == _IN_SHADOW)
    expires = _day(entry[7].strip())
    expired = expires is not None and expires <= now.astimezone(UTC).date()
    return _Lock(expired, _is_locked(entry[1]), expires=expires)


def _day(text: str) -> date | None:
    """The day that a field of the shadow file says, in days since 1970; None for none, or one beyond the calendar."""
    try:
        return date(1970, 1, 1) + timedelta(days=int(text)) if text.isdecimal() else None
    except OverflowError:
        return None


def _is_locked(password: str) -> bool:
    """Whether a password field is a hash that a `!` before it makes unusable."""
    return password.startswith("!") and password.lstrip("!") not in ("", "*", "x")
