"""The schemas by name, and a site's copies of them, from which editors complete rule files."""

import json
import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from amierules.actions.own_kinds import own_kinds
from amierules.diagnostics import Finding, Invalid, Place, Severity, printable
from amierules.rulebook.configuration import FILE_NAME
from amierules.rulebook.files import BLOCKS, USAGE_FILE, shown
from amierules.shipped import ROOT

SCHEMAS = "schemas"
"""The folder of a site's copies, beside its configuration."""
_ENDING = ".schema.json"
_KINDS = "kinds/"
_ACTION = f"action{_ENDING}"
_LEVELS = 4
"""How far above a rule file its site's folder may be."""


@cache
def schema_files() -> Mapping[str, bytes]:
    """All schemas and what data they describe: their paths below `schemas/`, and their contents.

    Those of the kinds that packages bring are among them, and the schema of an action offers these kinds.
    """
    source = ROOT / "schemas"
    shipped = {path.relative_to(source).as_posix(): path.read_bytes() for path in sorted(source.rglob("*.json"))}
    own = own_kinds().kinds
    if own:
        shipped |= {f"{_KINDS}{name}{_ENDING}": kind.file.read_bytes() for name, kind in own.items()}
        shipped[_ACTION] = _offering(shipped[_ACTION], own)
    return MappingProxyType(shipped)


def _offering(action: bytes, kinds: Iterable[str]) -> bytes:
    """The schema of an action with further kinds."""
    schema = json.loads(action)
    schema["properties"] |= {kind: {"$ref": f"{_KINDS}{kind}{_ENDING}"} for kind in kinds}
    schema["oneOf"] += [{"required": [kind]} for kind in kinds]
    return (json.dumps(schema, indent=2, ensure_ascii=False) + "\n").encode()


def schema_names() -> dict[str, str]:
    """What each schema is called, and its title in a few words: formats first, then kinds, then outputs.

    A kind is called as it is (`user`), an output `output/status`.
    """
    files = [name for name in schema_files() if name.endswith(_ENDING)]
    ordered = sorted(files, key=lambda name: ("/" in name, name))
    return {_called(name): _title(name) for name in ordered}


def schema_named(name: str) -> str | None:
    """The text of a schema; None for a name that no schema has."""
    for file in (f"{name}{_ENDING}", f"{_KINDS}{name}{_ENDING}"):
        if file in schema_files():
            return schema_files()[file].decode()
    return None


def _called(file: str) -> str:
    return file.removeprefix(_KINDS).removesuffix(_ENDING)


def _title(file: str) -> str:
    description: str = json.loads(schema_files()[file])["description"]
    return description.split(". ")[0].rstrip(".")


def schema_for(path: Path) -> Path | None:
    """The copy of the schema that an editor checks this file by: in `schemas/` beside it or above; None without one."""
    folder = path.absolute().parent
    named = {FILE_NAME: "configuration", USAGE_FILE: "usage-rules"}
    kind = "block" if folder.name == BLOCKS else named.get(path.name, "rule-file")
    copies = (above / SCHEMAS / f"{kind}{_ENDING}" for above in (folder, *folder.parents)[:_LEVELS])
    return next((copy for copy in copies if copy.is_file()), None)


def stale_note(folder: Path) -> list[Finding]:
    """The note that a site folder's copies of the schemas are of another version; none where it has no copies."""
    copies = folder / SCHEMAS
    if not (copies / f"rule-file{_ENDING}").is_file() or not (stale := stale_schemas(copies)):
        return []
    message = f"{len(stale)} of these schemas are not those of this amierules, and editors would go by them"
    hint = f"run `amierules schema --write {shlex.quote(shown(copies))}`"
    return [Finding("stale-schemas", message, Place(shown(copies)), hint, Severity.NOTE)]


def stale_schemas(folder: Path) -> list[str]:
    """Which schemas in a folder of copies are not those of this amierules, or are missing there."""
    return [name for name, content in schema_files().items() if not _is(folder / name, content)]


def write_schemas(folder: Path) -> list[str]:
    """Writes all schemas into a folder, over older ones; returns those that were not so already.

    Raises `Invalid` (`cannot-write`).
    """
    changed = stale_schemas(folder)
    path = folder
    try:
        for name in changed:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(schema_files()[name])
    except OSError as error:
        message = f"{printable(error.filename or path)} cannot be written: {error.strerror or error}"
        raise Invalid(Finding("cannot-write", message)) from error
    return changed


def _is(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
