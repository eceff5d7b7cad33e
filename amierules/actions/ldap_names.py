"""What the kinds of the directory share: where their entries stand, and what the server's troubles mean to a step."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from amierules.actions.base import (
    ActionError,
    BackendUnavailable,
    Params,
    Surroundings,
    Transient,
    expected,
)
from amierules.diagnostics import printable
from amierules.ports import DirectoryError, Trouble

BACK_END = "ldap"
"""What `pause` calls the directory."""
_CLASSES: Mapping[Trouble, type[ActionError]] = {
    **dict.fromkeys((Trouble.BUSY, Trouble.LOST, Trouble.VALUE_EXISTS, Trouble.NO_SUCH_VALUE), Transient),
}


def base_of(kind: str, params: Params, surroundings: Surroundings) -> str:
    """The DN that the parameter `base` names in the configuration. Raises `ActionError`."""
    bases: Mapping[str, str] = surroundings.defaults.get(kind, {}).get("bases", {})
    if not bases:
        raise ActionError("the configuration has no section `ldap`")
    name = expected(params.get("base", ""))
    if name not in bases:
        known = ", ".join(sorted(filter(None, bases))) or "none"
        raise ActionError(f"the configuration's `ldap.bases` name no '{printable(name, 60)}', but: {known}")
    return bases[name]


def shown_rdns(params: Params) -> str:
    """The DN below its base, for people and as a key; values are not escaped."""
    rdns = [[f"{name}={printable(expected(value))}" for name, value in rdn.items()] for rdn in params["dn"]]
    base = params.get("base")
    return ",".join("+".join(rdn) for rdn in rdns) + (f" below {printable(expected(base))}" if base else "")


def dn_of(kind: str, params: Params, surroundings: Surroundings) -> str:
    """The DN of the entry that the parameters mean, its values escaped. Raises `ActionError`."""
    rdns: list[dict[str, Any]] = [{name: expected(value) for name, value in rdn.items()} for rdn in params["dn"]]
    with asking():
        return surroundings.world.directory.dn(rdns, base_of(kind, params, surroundings))


@contextmanager
def asking() -> Iterator[None]:
    """Within it the directory is asked: what goes wrong is raised as `ActionError`, in the class that it means."""
    try:
        yield
    except DirectoryError as error:
        raise failure(error) from error


def failure(error: DirectoryError) -> ActionError:
    """What the directory's trouble means to a step."""
    said = printable(error, 300)
    if error.trouble is Trouble.AWAY:
        return BackendUnavailable(f"the directory cannot be used: {said}", BACK_END)
    return _CLASSES.get(error.trouble, ActionError)(f"the directory says: {said}")
