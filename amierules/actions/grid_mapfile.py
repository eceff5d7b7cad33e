"""The kind `grid_mapfile`: which DNs may use a login, in the file that GSI services read."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amierules.actions.accounts_tools import check_name
from amierules.actions.base import (
    ActionError,
    BackendUnavailable,
    Change,
    Doubt,
    InDoubt,
    Params,
    Plan,
    Surroundings,
    Transient,
    expected,
)
from amierules.actions.mapfile import MapFile, Unfit, dn_bytes, read, written
from amierules.actions.words import shown
from amierules.diagnostics import printable
from amierules.ports.file_locks import Busy
from amierules.ports.whole_files import Restless, read_whole, rewrite
from amierules.templating import Unknown

_LOCK_WAIT = 60.0
_AWAY = frozenset(
    (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN)
)
"""What a file system says that is full, or away for now: nothing was changed, and it may pass."""


@dataclass(frozen=True)
class _Edit:
    """A DN that gets or loses the login. In a dry run it may be unknown."""

    op: str
    """`create` or `delete`."""
    dn: str | Unknown
    """As it stands between the file's quotes."""


def doubt(params: Params) -> Doubt:
    """The file itself tells what was done."""
    return Doubt.PROBE


def target(params: Params) -> str:
    """The file: logins share its lines."""
    return f"grid-mapfile {shown(expected(params['file']))}" if "file" in params else "grid-mapfile"


def probe(params: Params, surroundings: Surroundings) -> MapFile:
    """The file as it is; an empty one where there is none. Raises `ActionError`."""
    _check(params)
    path = _path(params, surroundings)
    try:
        return MapFile.of(read_whole(surroundings.world.host.path(path)))
    except OSError as error:
        raise _failure(error, path) from error


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """A change for each DN that does not stand as wanted; other lines are never touched."""
    assert isinstance(state, MapFile)  # noqa: S101 - it is our own probe's
    _check(params)
    path, login = _path(params, surroundings), params["login"]
    edits = _edits(params, state)
    known = expected(login)
    after = state if isinstance(known, Unknown) else _edited(state, edits, known)
    result = Unknown(surroundings.step) if isinstance(known, Unknown) else _result(after, known, edits)
    if not edits:
        return Plan(reason="the DNs are as wanted", after=after, result=result)
    return Plan(tuple(_change(edit, login, path) for edit in edits), after=after, result=result)


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Make the plan's changes in the file as it is by now, under its lock, and look again."""
    if not plan.changes:
        return plan.result
    path, login = _path(params, surroundings), params["login"]
    edits = [_Edit(change.op, _dn_of(change)) for change in plan.changes]
    try:
        file = surroundings.world.host.path(path)
        rewrite(file, lambda content: _edited(MapFile.of(content), edits, login).content, wait=_LOCK_WAIT)
        state = MapFile.of(read_whole(file))
    except Busy as busy:
        raise BackendUnavailable(f"other processes are changing {printable(path)}: {busy}") from busy
    except Restless as restless:
        raise Transient(str(restless)) from restless
    except OSError as error:
        raise _failure(error, path) from error
    if _edited(state, edits, login) != state:
        raise InDoubt(f"another program has changed {printable(path)} at the same moment: not all DNs are as wanted")
    return _result(state, login, [])


def _edits(params: Params, state: MapFile) -> list[_Edit]:
    """What is not as wanted: first the DNs that go, then those that come."""
    login = expected(params["login"])
    known = None if isinstance(login, Unknown) else login.encode()
    coming, going = _listed(params, "add"), _listed(params, "remove")
    if "exact" in params:
        coming = _listed(params, "exact")
        wanted = _known(coming)
        tellable = known is not None and len(wanted) == len(coming)
        present = [written(dn) for dn in state.dns_of(known)] if known is not None and tellable else []
        going = [dn for dn in present if dn not in wanted]
    if set(_known(coming)) & set(_known(going)):
        raise ActionError("the same DN is to be added and removed")
    gone = [_Edit("delete", dn) for dn in going if _asked(dn, known) or _names(state, dn, known)]
    come = [_Edit("create", dn) for dn in coming if _asked(dn, known) or not _stands(state, dn, known)]
    return [*gone, *come]


def _known(dns: Sequence[str | Unknown]) -> list[str]:
    return [value for dn in dns if isinstance(value := expected(dn), str)]


def _asked(dn: str | Unknown, login: bytes | None) -> bool:
    """Whether only a run can tell how a DN stands."""
    return login is None or isinstance(expected(dn), Unknown)


def _names(state: MapFile, dn: str | Unknown, login: bytes | None) -> bool:
    return state.names(read(expected(dn)), login or b"")


def _stands(state: MapFile, dn: str | Unknown, login: bytes | None) -> bool:
    return state.stands_for(read(expected(dn)), login or b"")


def _edited(state: MapFile, edits: Sequence[_Edit], login: str) -> MapFile:
    for edit in edits:
        dn = expected(edit.dn)
        if isinstance(dn, Unknown):
            continue
        try:
            change = state.without_entry if edit.op == "delete" else state.with_entry
            state = change(read(dn), login.encode())
        except Unfit as unfit:
            raise ActionError(f"the DN '{printable(dn, 60)}' {unfit}") from unfit
    return state


def _listed(params: Params, name: str) -> list[str | Unknown]:
    """The DNs of a parameter, each once, as they stand in the file. Raises `ActionError`."""
    given = params.get(name, [])
    known = expected(given)
    if isinstance(known, Unknown):
        return [known]
    step = given.step if isinstance(given, Unknown) else None
    found: dict[str, str | Unknown] = {}
    nothing_known: list[str | Unknown] = []
    for dn in known:
        value = expected(dn)
        if isinstance(value, Unknown):
            nothing_known.append(value)
            continue
        after = step or (dn.step if isinstance(dn, Unknown) else None)
        found.setdefault(_written(value), Unknown(after, _written(value)) if after else _written(value))
    return [*found.values(), *nothing_known]


def _written(dn: Any) -> str:
    try:
        return written(dn_bytes(dn))
    except Unfit as unfit:
        raise ActionError(f"the DN '{printable(dn, 60)}' {unfit}") from unfit


def _change(edit: _Edit, login: Any, path: str) -> Change:
    entry = {"dn": edit.dn, "login": login}
    adding = edit.op == "create"
    verb = "let" if adding else "no longer let"
    return Change(
        f'{verb} "{shown(edit.dn)}" use {shown(login)} in {printable(path)}',
        edit.op,
        f"grid-mapfile {printable(path)}",
        before=None if adding else entry,
        after=entry if adding else None,
    )


def _dn_of(change: Change) -> str:
    entry: Any = change.after if change.op == "create" else change.before
    return str(entry["dn"])


def _result(state: MapFile, login: str, edits: Sequence[_Edit]) -> dict[str, object]:
    """What `register` gets; a DN of which nothing is known yet stands in its place."""
    dns: list[object] = [dn.decode("utf-8", "replace") for dn in state.dns_of(login.encode())]
    return {"dns": [*dns, *(edit.dn for edit in edits if isinstance(expected(edit.dn), Unknown))]}


def _path(params: Params, surroundings: Surroundings) -> str:
    path: Any = expected(params.get("file", surroundings.defaults.get("grid_mapfile", {}).get("file")))
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path or path.endswith("/"):
        raise ActionError(f"file '{printable(path, 100)}' is not the absolute path of a file")
    return path


def _failure(error: OSError, path: str) -> ActionError:
    message = f"{printable(path)}: {error.strerror or error}"
    if error.errno in _AWAY:
        return BackendUnavailable(message)
    if error.errno in (errno.EACCES, errno.EPERM):
        return ActionError(f"{message} (run amierules as somebody who may replace the file and keep its owner)")
    if error.errno == errno.ENOENT:
        return ActionError(f"{message}: its folder is not there")
    return ActionError(message)


def _check(params: Params) -> None:
    """Refuse what no file can hold, before anything is read. Raises `ActionError`."""
    check_name("login", params["login"])
    if "exact" in params and ("add" in params or "remove" in params):
        raise ActionError("`add` and `remove` change and `exact` replaces: they cannot be given together")
