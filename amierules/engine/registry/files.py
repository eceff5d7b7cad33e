"""Reading registry files: YAML and CSV made into entries, each mistake found at its place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amierules.database.json_values import from_json
from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.engine.registry.csv import read_csv
from amierules.engine.registry.fields import (
    FIELDS,
    KINDS,
    MAX_DN,
    SINGULAR,
    Entry,
    FieldType,
    checked_data,
    checked_id,
    value_of,
)
from amierules.rulebook.files import read_yaml
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode, to_plain
from amierules.rulebook.schema_check import check

SCHEMA = "registry.schema"
MAX_BYTES = 50_000_000
"""How large a registry file may be: a site moves over in one."""


@dataclass
class Contents:
    """What registry files say: the entries of all of them, and what is wrong with the files."""

    entries: list[Entry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    whole: bool = True
    """Whether all rows could be read, so that what is not among them is not in the files."""


def read_files(paths: Sequence[Path], kind: str | None = None) -> Contents:
    """The entries of YAML files and CSV files (`*.csv`), in the order of the files.

    `kind` is what CSV files hold, one of `KINDS`; without it their names or their columns say so.
    """
    contents = Contents()
    for path in paths:
        read = read_csv(path, kind) if path.suffix.lower() == ".csv" else _read_yaml(path)
        contents.entries += read[0]
        contents.findings += read[1]
        contents.whole = contents.whole and not _lost_rows(*read)
    return contents


def _lost_rows(entries: list[Entry], findings: list[Finding]) -> bool:
    codes = {finding.code for finding in findings if finding.severity is Severity.ERROR}
    return bool(codes) and (not entries or not codes.isdisjoint({"csv-row", "csv-syntax"}))


def _read_yaml(path: Path) -> tuple[list[Entry], list[Finding]]:
    root, findings = read_yaml(path, max_bytes=MAX_BYTES)
    if root is None:
        return [], findings
    return entries_of(root, [*findings, *check(root, SCHEMA)])


def entries_of(root: Node, findings: Sequence[Finding] = ()) -> tuple[list[Entry], list[Finding]]:
    """The entries of nodes that have the form of a registry file, and what is wrong, beside what was found already."""
    findings = list(findings)
    # What the schema found wrong is not said twice, and hides nothing else.
    known = {_spot(finding.place) for finding in findings}
    entries: list[Entry] = []
    for kind, node in _listed(root):
        entry, wrong = _entry(kind, node)
        entries += [entry] if entry is not None else []
        findings += [finding for finding in wrong if _spot(finding.place) not in known]
    return entries, findings


def _spot(place: Place | None) -> tuple[int, int] | None:
    return (place.line, place.column) if place is not None else None


def _listed(root: Node) -> Iterator[tuple[str, MappingNode]]:
    for kind in KINDS:
        listed = root.get(kind) if isinstance(root, MappingNode) else None
        for node in listed.items if isinstance(listed, ListNode) else ():
            if isinstance(node, MappingNode):
                yield kind, node


def _entry(kind: str, node: MappingNode) -> tuple[Entry | None, list[Finding]]:
    entry = Entry(kind, node.place)
    findings: list[Finding] = []
    misspelt = False
    for key, value in node.items():
        field_type = FIELDS[kind].get(key.text)
        if field_type is None:
            misspelt = True
            continue
        entry.places[key.text] = value.place
        if isinstance(value, MappingNode):
            entry.places.update({f"{key.text}.{name}": one.place for name, one in value.keys.items()})
        try:
            entry.give(key.text, _value(field_type, value))
        except _Wrong as wrong:
            findings += [Finding("bad-value", f"'{key.text}' {wrong}", wrong.place)] if str(wrong) else []
        except ValueError as error:
            findings.append(Finding("bad-value", f"'{key.text}' {printable(error)}", value.place))
    missing = [] if misspelt else entry.missing()
    findings += [_missing(entry, names) for names in missing if not _was_wrong(names, node)]
    return (entry if not entry.missing() else None), findings


def _missing(entry: Entry, names: str) -> Finding:
    message = f"the {SINGULAR[entry.kind]} lacks the key {names}"
    return Finding("missing-key", message, entry.place, f"add '{names.partition(' or ')[0]}:'")


def _was_wrong(names: str, node: MappingNode) -> bool:
    return any(name in node.values for name in names.split(" or "))


class _Wrong(ValueError):
    """A value that is not what the field takes. Without text where the schema has said so."""

    def __init__(self, text: str, place: Place) -> None:
        super().__init__(text)
        self.place = place


def _value(kind: FieldType, node: Node) -> Any:
    match kind, node:
        case FieldType.LIST, ListNode():
            return tuple(dict.fromkeys(_text(item, MAX_DN) for item in node.items))
        case FieldType.RESOURCES, ListNode():
            return dict.fromkeys((_text(item) for item in node.items), None)
        case FieldType.RESOURCES, MappingNode():
            return {_named(key): _value(FieldType.BOOLEAN, value) for key, value in node.items()}
        case FieldType.MAPPING, MappingNode():
            return _data(node)
        case FieldType.OBJECTS, ListNode():
            plain = to_plain(node)
            checked_data(plain)
            return plain
        case ((FieldType.LIST | FieldType.RESOURCES | FieldType.MAPPING | FieldType.OBJECTS), _):
            raise _Wrong("", node.place)
        case _, ScalarNode() if node.value is not None:
            return value_of(kind, node.text)
        case _:
            raise _Wrong("", node.place)


def _text(node: Node, longest: int | None = None) -> str:
    if not isinstance(node, ScalarNode) or node.value is None:
        raise _Wrong("", node.place)
    try:
        return checked_id(node.text) if longest is None else checked_id(node.text, longest)
    except ValueError as error:
        raise _Wrong(f"holds a value that {printable(error)}", node.place) from error


def _named(key: ScalarNode) -> str:
    try:
        return checked_id(key.text)
    except ValueError as error:
        raise _Wrong(f"holds a name that {printable(error)}", key.place) from error


def _data(node: MappingNode) -> dict[str, Any]:
    """Free keys; dates and the like are marked as the journal marks them: `{$decimal: "1.10"}`."""
    try:
        data = from_json(to_plain(node))
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        raise _Wrong("holds a key with $ that means nothing here", node.place) from error
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        raise _Wrong("holds a key with $ that means nothing here", node.place)
    checked_data(data)
    return data
