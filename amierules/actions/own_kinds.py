"""Kinds of action that installed packages bring, through entry points; none of their modules is imported here."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from amierules.actions.own_offers import Offer, offers
from amierules.actions.own_schema import read_own_schema
from amierules.diagnostics import Finding, printable
from amierules.shipped import ROOT, read_schema

TAKEN = frozenset({"accounts", "commands", "ldap", "slurm", "ssh"})
"""Back ends of the shipped kinds: `pause` calls a package's kind by its name, and must not mean these."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.json")
_REMEDY = "mend the package, or remove it; until then what uses the kind is broken"


@dataclass(frozen=True)
class OwnKind:
    """A kind that a package brings."""

    name: str
    module: str
    """The module with `target`, `probe`, `plan` and `apply`."""
    package: str
    """The package and its version, for messages."""
    file: Path
    """Its schema's file."""
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class OwnKinds:
    """All that packages bring, and what is wrong with what they bring."""

    kinds: Mapping[str, OwnKind]
    findings: tuple[Finding, ...]


@cache
def own_kinds() -> OwnKinds:
    """The kinds that the installed packages bring. One that is broken, or that several bring, is not among them."""
    kinds: dict[str, OwnKind] = {}
    findings: list[Finding] = []
    offered = _by_name(offers())
    for name, entries in sorted(offered.items()):
        refusal = _refusal(name, entries)
        if refusal is not None:
            findings.append(refusal)
            continue
        kind, found = _read(name, entries[0])
        findings += found
        if kind is not None:
            kinds[name] = kind
    return OwnKinds(kinds, tuple(findings))


@cache
def shipped_names() -> frozenset[str]:
    """The kinds that amierules ships."""
    return frozenset(path.name.partition(".")[0] for path in (ROOT / "schemas" / "kinds").glob("*.schema.json"))


def _by_name(entries: Iterable[Offer]) -> Mapping[str, list[Offer]]:
    offered: defaultdict[str, list[Offer]] = defaultdict(list)
    for entry in entries:
        offered[entry.name].append(entry)
    return offered


def _refusal(name: str, entries: list[Offer]) -> Finding | None:
    """Why no kind may have this name."""
    packages = " and ".join(sorted(printable(entry.package, 80) for entry in entries))
    said = printable(name, 60)
    if not _NAME.fullmatch(name):
        message = f"the package {packages} calls a kind '{said}'"
        return Finding("broken-kind", message, hint="a kind's name has small letters, digits and _, like project_quota")
    if name in shipped_names():
        message = (
            f"the package {packages} brings a kind '{said}', which amierules has itself; the package's is not used"
        )
        return Finding("clashing-kind", message, hint="call it another name")
    if name in read_schema("action.schema")["properties"] or name in TAKEN:
        message = f"the package {packages} brings a kind '{said}', which means something else to amierules"
        return Finding("clashing-kind", message, hint="call it another name")
    if len(entries) > 1:
        message = f"the packages {packages} bring a kind '{said}' each; none of them is used"
        return Finding("clashing-kind", message, hint="remove all but one of them")
    return None


def _read(name: str, entry: Offer) -> tuple[OwnKind | None, list[Finding]]:
    package = printable(entry.package, 80)
    about = f"the kind '{name}' of the package {package}"
    module, _, file = (part.strip() for part in entry.value.partition(":"))
    if not _MODULE.fullmatch(module) or not _FILE.fullmatch(file):
        message = f"{about}: its entry point '{printable(entry.value, 80)}' names no module and schema file"
        return None, [
            Finding("broken-kind", message, hint=f'write it like {name} = "package.{name}:{name}.schema.json"')
        ]
    spec = _spec_of(module)
    folder = None if spec is None else _folder_of(spec)
    if folder is None:
        return None, [Finding("broken-kind", f"{about}: there is no module {module}", hint=_REMEDY)]
    path = folder / file
    if not path.is_file():
        return None, [Finding("broken-kind", f"{about}: there is no {file} in {folder}", hint=_REMEDY)]
    schema, findings = read_own_schema(path, name)
    if schema is None:
        wrong = f"{about} cannot be used: its schema is wrong in {len(findings)} place{'s' * (len(findings) != 1)}"
        return None, [Finding("broken-kind", wrong, hint=_REMEDY), *findings]
    return OwnKind(name, module, package, path, schema), []


def _spec_of(module: str) -> ModuleSpec | None:
    """Where a module is, found without importing it or its packages."""
    first, *rest = module.split(".")
    try:
        spec = find_spec(first)
        for part in rest:
            if spec is None or spec.submodule_search_locations is None:
                return None
            spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    except (ImportError, ValueError):
        return None
    return spec


def _folder_of(spec: ModuleSpec) -> Path | None:
    """The folder of a module's package, where its resources are."""
    for location in spec.submodule_search_locations or ():
        return Path(location)
    return Path(spec.origin).parent if spec.origin else None
