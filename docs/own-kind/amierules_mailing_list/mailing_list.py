"""The kind `mailing_list`: who is on a mailing list, in the file that the mail server reads."""

import re
from pathlib import Path

from amierules.actions.base import (
    ActionError,
    BackendUnavailable,
    Change,
    InDoubt,
    Params,
    Plan,
    Surroundings,
    Transient,
    expected,
)
from amierules.ports.file_locks import Busy
from amierules.ports.whole_files import read_whole, rewrite

Lines = tuple[str, ...]

# A mail server takes `|program`, `/file` and `:include:` in such a file for more than an address.
_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9][A-Za-z0-9.-]*", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
_LOCK_WAIT = 30.0


def target(params: Params) -> str:
    """What is read and changed: in a dry run, later steps see what earlier ones would make of the same target."""
    return f"mailing list {_path(params)}"


def probe(params: Params, surroundings: Surroundings) -> Lines:
    """The lines of the list as it is; none where there is no such file yet. Changes nothing."""
    return _lines(_path(params))


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """A change for each address that is missing or too many; no change where the list is as wanted."""
    lines = state if isinstance(state, tuple) else ()
    add, remove = _addresses(params, "add"), _addresses(params, "remove")
    if both := set(add) & set(remove):
        raise ActionError(f"{min(both)} is to be added and removed")
    going = [address for address in dict.fromkeys(remove) if address in lines]
    coming = [address for address in dict.fromkeys(add) if address not in lines]
    name = f"mailing list {params['list']}"
    changes = (
        *(Change(f"remove {address} from {name}", "delete", name, before=address) for address in going),
        *(Change(f"add {address} to {name}", "create", name, after=address) for address in coming),
    )
    after = _edited(lines, changes)
    result = {"changed": bool(changes), "members": len(after)}
    return Plan(changes, reason="" if changes else "the list is as wanted", after=after, result=result)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Make exactly the plan's changes, in the file as it is by now, and look again."""
    path = _path(params)
    try:
        rewrite(str(path), lambda content: _written(_edited(_read(content), plan.changes)), wait=_LOCK_WAIT)
    except Busy as error:
        raise Transient(str(error)) from error
    except OSError as error:
        raise _failure(path, error) from error
    lines = _lines(path)
    if _edited(lines, plan.changes) != lines:
        raise InDoubt(f"another program has changed {path} at the same moment")
    return {"changed": True, "members": len(lines)}


def _path(params: Params) -> Path:
    name = str(expected(params["list"]))
    if not _NAME.fullmatch(name):
        raise ActionError(f"{name!r} is no name of a list")
    return Path(str(params.get("folder", "/etc/mail/lists")), name)


def _addresses(params: Params, which: str) -> list[str]:
    """The addresses of a parameter. What comes from a packet is data: anything else than an address is refused."""
    found = [str(expected(address)) for address in params.get(which, ())]
    for address in found:
        if not _ADDRESS.fullmatch(address):
            raise ActionError(f"{which}: {address!r} is no address that a list may hold")
    return found


def _lines(path: Path) -> Lines:
    if not path.parent.is_dir():
        raise BackendUnavailable(f"there is no folder {path.parent}: is it mounted?")
    try:
        return _read(read_whole(str(path)))
    except OSError as error:
        raise _failure(path, error) from error


def _edited(lines: Lines, changes: tuple[Change, ...]) -> Lines:
    gone = {change.before for change in changes if change.op == "delete"}
    come = [str(change.after) for change in changes if change.op == "create" and change.after not in lines]
    return (*(line for line in lines if line not in gone), *come)


def _read(content: bytes) -> Lines:
    """The lines; bytes that are no UTF-8 come through unharmed."""
    return tuple(content.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")) if content else ()


def _written(lines: Lines) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _failure(path: Path, error: OSError) -> ActionError:
    return ActionError(f"{path}: {error.strerror or error}")
