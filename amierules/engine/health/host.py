"""This host, as `doctor` sees it: programs, rights, secrets, disk."""

import os
import pwd
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from amierules.diagnostics import printable
from amierules.engine.health.check import Check, error, ok, warning
from amierules.engine.rule_programs import SHADOW_TOOLS, programs_of, wants_accounts, where_accounts_are_made
from amierules.ports import LocalProcesses, NotStarted, find_program
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.files import shown
from amierules.rulebook.model import Rulebook
from amierules.rulebook.settings import strange_value

_SCARCE, _TOO_LITTLE = 500_000_000, 50_000_000
"""Bytes free on a disk that are worth a warning, and that are an error."""


def check_programs(configuration: Configuration, rulebook: Rulebook) -> Iterator[Check]:
    """Whether the programs that the rules start are there."""
    needed = programs_of(rulebook, configuration)
    if wants_accounts(configuration, rulebook):
        needed = {**dict.fromkeys(SHADOW_TOOLS, "the kinds user and group"), **needed}
    missing = {program: place for program, place in needed.items() if find_program(program) is None}
    for program, place in missing.items():
        hint = f"install it, or correct {place}" if program not in SHADOW_TOOLS else "install the package passwd"
        yield error("programs", f"{printable(program)} is missing; {place} needs it", hint)
    if not needed:
        yield ok("programs", "the rules start none")
    elif not missing:
        yield ok("programs", ", ".join(printable(program, 60) for program in needed))


_ACCOUNT_FILES = ("passwd", "group", "shadow")
"""What the tools need under a scratch root: without shadow no account can be locked."""


def check_accounts(configuration: Configuration, rulebook: Rulebook) -> Iterator[Check]:
    """Whether we may change Unix accounts, where the rules ask for it."""
    if (misspelt := _misspelt(configuration, "accounts")) is not None:
        yield misspelt
        return
    if configuration.settings.get("accounts") == "ldap":
        yield ok("accounts", "entries of the directory: no Unix account of this host is touched")
        return
    if configuration.settings.get("accounts") == "command":
        here, away = where_accounts_are_made(configuration, rulebook)
        if here or not away:
            yield _check_own_command(configuration.settings["accounts_command"])
        return
    if not wants_accounts(configuration, rulebook):
        yield ok("accounts", "registry only: no Unix account is touched")
        return
    prefix = configuration.shadow_prefix
    if prefix is None:
        if os.geteuid() == 0:
            yield ok("accounts", "Unix accounts of this host, as root")
        elif configuration.shadow_sudo:
            yield from _check_sudo()
        else:
            hint = "run amierules as root, or set `shadow: {sudo: true}`"
            yield warning("accounts", f"only root may change Unix accounts, and this is {_user()}", hint)
    elif not (prefix / "etc").is_dir():
        yield error("accounts", f"the scratch root {prefix} has no folder etc", "make it, with passwd and group in it")
    elif not os.access(prefix / "etc", os.W_OK):
        yield error("accounts", f"{_user()} may not write to {prefix / 'etc'}")
    elif missing := [name for name in _ACCOUNT_FILES if not (prefix / "etc" / name).is_file()]:
        where, what = printable(prefix / "etc"), "an empty file will do" if len(missing) == 1 else "empty files will do"
        yield error(
            "accounts", f"the scratch root lacks {', '.join(missing)} in {where}", f"make what is missing; {what}"
        )
    else:
        yield ok("accounts", f"Unix accounts under the scratch root {prefix}")


def _check_own_command(given: str | list[str]) -> Check:
    """Whether the site's own command for accounts is there."""
    words = [given] if isinstance(given, str) else given
    missing = [word for word in (words[0], words[-1]) if find_program(word) is None]
    if missing:
        hint = "correct `accounts_command` under `settings`: docs/accounts-command.md"
        return error("accounts", f"{printable(missing[0])} is missing, which makes accounts", hint)
    return ok("accounts", f"by this site's own command, {printable(' '.join(words))}")


def _check_sudo() -> Iterator[Check]:
    """Whether sudo runs the tools without a password."""
    for tool in (*SHADOW_TOOLS, "getent"):
        try:
            completed = LocalProcesses(default_timeout=10).run(["sudo", "-n", "-l", "--", tool])
        except NotStarted as reason:
            yield error("accounts", f"not started: {reason}", "install sudo, or run amierules as root")
            return
        if completed.rc != 0:
            hint = f"add to sudoers: {_user()} ALL=(root) NOPASSWD: {find_program(tool) or tool}"
            yield error("accounts", f"sudo does not let {_user()} run {tool} without a password", hint)
            return
    yield ok("accounts", f"Unix accounts of this host, as {_user()} with sudo")


def check_dns(configuration: Configuration) -> Iterator[Check]:
    """Whether we may replace the grid-mapfile, where the settings ask for it."""
    if (misspelt := _misspelt(configuration, "dns")) is not None:
        yield misspelt
    if configuration.settings.get("dns") != "grid_mapfile":
        return
    file = Path(os.path.realpath(configuration.grid_mapfile))
    if not file.parent.is_dir():
        hint = "make it, or set `grid_mapfile: {file: ...}` to where services look for it"
        yield error("dns", f"there is no folder {shown(file.parent)} for the grid-mapfile", hint)
    elif not os.access(file.parent, os.W_OK | os.X_OK):
        yield error("dns", f"{_user()} may not replace {shown(file)}: its folder cannot be written to")
    elif file.exists() and not file.is_file():
        yield error("dns", f"{shown(file)} is no ordinary file")
    else:
        yield ok("dns", f"in the grid-mapfile {shown(file)}" + ("" if file.exists() else ", which is made when needed"))


def _misspelt(configuration: Configuration, setting: str) -> Check | None:
    """A warning where a setting names a keeper that no rule knows."""
    given = configuration.settings.get(setting)
    hint = strange_value(setting, given, configuration.rules)
    if hint is None:
        return None
    message = f"no rule knows `{setting}: {printable(given, 60)}`: they keep the registry alone then"
    return warning(setting, message, hint)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def check_secrets(configuration: Configuration, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether each secret can be had; none is shown."""
    for name, source in configuration.secrets.items():
        what = f"secret {name}"
        if "env" in source:
            variable = source["env"]
            if environ.get(variable):
                yield ok(what, f"in the environment variable {variable}")
            else:
                hint = "set it where amierules is started (systemd: EnvironmentFile=)"
                yield error(what, f"the environment variable {variable} is not set", hint)
        else:
            yield _secret_file(what, Path(source["file"]))


def _secret_file(what: str, path: Path) -> Check:
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
            mode = os.fstat(file.fileno()).st_mode
    except OSError as reason:
        return error(what, f"the file {shown(path)} cannot be read: {reason.strerror or reason}")
    if empty:
        return error(what, f"the file {shown(path)} is empty")
    if mode & stat.S_IRWXO:
        return warning(what, f"everybody may read the file {shown(path)}", f"chmod o= {shown(path)}")
    return ok(what, f"in the file {shown(path)}")


def check_permissions(configuration: Configuration, rulebook: Rulebook) -> Iterator[Check]:
    """Whether others may write what says which commands are run, or read the packets."""
    folders = [configuration.base, *configuration.rules, *(folder / "blocks" for folder in configuration.rules)]
    guarded = [configuration.path, *folders, *(Path(file) for file in rulebook.files)]
    findings = [*_writable(guarded), *_foreign(guarded)]
    yield from findings
    database = configuration.base / configuration.database.removeprefix("sqlite:///")
    if configuration.database.startswith("sqlite:///") and _mode(database) & stat.S_IROTH and _entered(database.parent):
        yield warning(
            "permissions", f"everybody may read the packets in {shown(database)}", f"chmod o= {shown(database)}"
        )
    elif not findings:
        yield ok("permissions", "nobody else may change the configuration and rules")


def _writable(paths: Iterable[Path]) -> list[Check]:
    found = [path for path in dict.fromkeys(paths) if _mode(path) & stat.S_IWOTH]
    hint = "who can write rules decides which commands are run: chmod o-w"
    return [error("permissions", f"everybody may write {_some(found)}", hint)] if found else []


def _foreign(paths: Iterable[Path]) -> list[Check]:
    found = [path for path in dict.fromkeys(paths) if _owner(path) not in (None, 0, os.geteuid())]
    if not found or os.geteuid() != 0:
        return []
    owner = f"uid {_owner(found[0])}"
    hint = "amierules runs as root here: whoever owns rules decides what root does; chown root"
    return [warning("permissions", f"{_some(found)} belongs to {owner}", hint)]


def _some(paths: list[Path]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return printable(shown(paths[0])) + more


def _mode(path: Path) -> int:
    """The permission bits; 0 where there is no such file."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except OSError:
        return None


def _entered(folder: Path) -> bool:
    """Whether others may enter the folder and all above it."""
    return all(_mode(one) & stat.S_IXOTH for one in (folder, *folder.parents))


def check_disk(configuration: Configuration) -> Iterator[Check]:
    """Whether there is room where the configuration, and an SQLite database, are."""
    folder = configuration.base
    try:
        free = shutil.disk_usage(folder).free
    except OSError as reason:
        yield warning("disk", f"the free space of {folder} cannot be seen: {reason.strerror or reason}")
        return
    detail = f"{free / 1e9:.1f} GB free in {folder}" if free >= 1e9 else f"{free // 1_000_000} MB free in {folder}"
    if free < _TOO_LITTLE:
        yield error("disk", detail, "make room: nothing can be recorded on a full disk")
    elif free < _SCARCE:
        yield warning("disk", detail, "make room soon")
    else:
        yield ok("disk", detail)
