"""The shadow-utils: what may be given to them, running one at a time, and what their exit statuses mean."""

import os
import pwd
import re
from collections.abc import Callable, Sequence
from typing import Any

from amierules.actions.base import (
    ActionError,
    BackendUnavailable,
    Conflict,
    Params,
    Surroundings,
    Transient,
    Word,
    expected,
)
from amierules.actions.serialised import one_at_a_time
from amierules.actions.words import all_known, last_line, shown
from amierules.diagnostics import printable
from amierules.ports import Completed, Host, NotStarted
from amierules.templating import Unknown

LOCKED_SINCE = "1970-01-02"
"""The expiry date of a locked account: the first that the tools do not take for `never`."""

_NAME = re.compile(r"(?!\d+\Z)[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,254}\$?", re.ASCII)
_UNFIT_COMMENT = re.compile(r" *[:\x00-\x1f\x7f-\x9f\u2028\u2029]+ *")
_UNFIT_PATH = re.compile(r"[:\x00-\x1f\x7f-\x9f]")
_HOST_LOCK = "/run/amierules-accounts.lock"
_NO_PERMISSION = "only root may change accounts: run amierules as root, or set `shadow: {sudo: true}`"
_SUDO = ("sudo", "-n", "--")
"""What stands before a tool where we are not root: it never asks for a password."""
_LONGEST_NEW_NAME = 32
"""Longer ones do not fit into utmp; the tools refuse them."""


def is_account_name(text: str) -> bool:
    """Whether an account or group may be called that: letters, digits and `_ . @ + -`, but no number."""
    return _NAME.fullmatch(text) is not None


def check_name(what: str, name: object) -> None:
    """Refuse a name that a tool, a file or a person could take for something else. Raises `ActionError`.

    Names have letters, digits and `_ . @ + -`, begin with a letter, digit or `_`, and are no number: the tools would
    take that for an id.
    """
    value = expected(name)
    if not isinstance(value, Unknown) and not (isinstance(value, str) and is_account_name(value)):
        raise ActionError(f"{what} '{printable(value, 60)}' cannot be the name of a Unix account or group")


def check_new_name(what: str, name: object) -> None:
    """Refuse a name that the tools would not give to a new account or group. Raises `ActionError`."""
    value = expected(name)
    if isinstance(value, str) and len(value) > _LONGEST_NEW_NAME:
        raise ActionError(
            f"{what} '{printable(value, 60)}' is too long for a new one: at most {_LONGEST_NEW_NAME} characters"
        )


def check_path(what: str, path: object) -> None:
    """Refuse a path that is not absolute, climbs, or cannot stand in a line of passwd. Raises `ActionError`."""
    value = expected(path)
    if isinstance(value, Unknown):
        return
    if not value.startswith("/") or _UNFIT_PATH.search(value) or ".." in value.split("/"):
        raise ActionError(f"{what} '{printable(value, 60)}' is not an absolute path that passwd can hold")


def fit_comment(comment: str) -> str:
    """The comment as passwd can hold it: colons and control characters become spaces."""
    return _UNFIT_COMMENT.sub(" ", comment).strip()


def prefix_of(kind: str, params: Params, surroundings: Surroundings) -> str | None:
    """The scratch root to work under, or None for the host itself. Raises `ActionError` for one that is none."""
    prefix: Any = params.get("prefix", surroundings.defaults.get(kind, {}).get("prefix"))
    if prefix is None:
        return None
    path = str(expected(prefix)) if not isinstance(expected(prefix), Unknown) else ""
    if not path.startswith("/") or not path.strip("/") or not os.path.isdir(_etc(path, surroundings)):
        raise ActionError(f"prefix '{printable(path, 100)}' is not an absolute path of a folder that has an etc/")
    return path.rstrip("/")


def _etc(prefix: str | None, surroundings: Surroundings) -> str:
    return surroundings.world.host.path(os.path.join(prefix or "/", "etc"))


def before_tools(kind: str, surroundings: Surroundings) -> tuple[str, ...]:
    """What stands before a tool: nothing for root, and where the configuration does not ask for sudo."""
    return _SUDO if surroundings.defaults.get(kind, {}).get("sudo") and not surroundings.world.host.superuser else ()


def tool_of(completed: Completed) -> str:
    """The name of the tool that was run."""
    return completed.argv[len(_SUDO)] if completed.argv[: len(_SUDO)] == _SUDO else completed.argv[0]


def name_and_prefix(
    tool: str, prefix: str | None, options: Sequence[Word], name: Word, before: tuple[str, ...] = ()
) -> tuple[Word, ...]:
    """The argument list of a tool: its scratch root, its options, and the name where it cannot be an option.

    `before` is what stands before it, as `before_tools` has it.
    """
    # With --prefix, usermod looks for the primary group among the host's; with --root it does not.
    where = "--root" if tool == "usermod" and _given("--gid", options) else "--prefix"
    return (*before, tool, *((where, prefix) if prefix is not None else ()), *options, "--", name)


def _given(option: str, words: Sequence[Word]) -> bool:
    return any(isinstance(word, str) and word == option for word in words)


def run_tool(argv: Sequence[Word] | None, prefix: str | None, surroundings: Surroundings) -> Completed:
    """Run one of the tools, while no other amierules process of this host does. Raises `ActionError`."""
    words = list(argv or ())
    if not all_known(words):
        raise ActionError(f"{shown(words)}: not all of it is known yet")
    # With sudo the lock file cannot be made, but the folder can be read. The tools' own locks make one of twenty fail.
    etc = _etc(prefix, surroundings)
    lock = surroundings.world.host.path(_HOST_LOCK) if prefix is None else os.path.join(etc, ".amierules.lock")
    with one_at_a_time("accounts", lock, etc):
        try:
            return surroundings.world.processes.run(words, timeout=surroundings.timeout)
        except NotStarted as error:
            raise ActionError(f"not started: {error}") from error


def shadow_line(kind: str, surroundings: Surroundings) -> Callable[[str], str | None] | None:
    """What asks for an account's line of /etc/shadow through sudo; None where we may read it, or may not ask.

    It returns None for an account without a line, and raises `ActionError`.
    """
    before = before_tools(kind, surroundings)
    if not before:
        return None

    def ask(name: str) -> str | None:
        try:
            words = (*before, "getent", "shadow", "--", name)
            completed = surroundings.world.processes.run(words, timeout=surroundings.timeout)
        except NotStarted as error:
            raise ActionError(f"not started: {error}") from error
        if completed.rc == 2:
            return None
        if completed.rc != 0:
            raise failure(completed, surroundings.world.host)
        return completed.stdout.partition("\n")[0]

    return ask


def failure(completed: Completed, host: Host) -> ActionError:
    """The error that a tool's exit status stands for, with the last line that it printed."""
    tool, rc = tool_of(completed), completed.rc
    said = last_line(completed.stderr)
    if tool != completed.argv[0] and said.startswith("sudo:"):
        return BackendUnavailable(f"{said} (sudoers must let {_user()} run {tool} with NOPASSWD)")
    message = said if said.startswith(f"{tool}:") else f"{tool}: {said or f'ended with status {rc}'}"
    if completed.timed_out:
        return Transient(f"{tool} took too long and was ended")
    if not host.superuser and (rc in (1, 10) or "ermission denied" in completed.stderr):
        return ActionError(f"{message} ({_NO_PERMISSION})")
    if rc in (4, 9):
        return Conflict(message)
    if rc in (1, 10) or (rc == 8 and tool in ("usermod", "userdel")):
        return Transient(message)
    return ActionError(message)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"
