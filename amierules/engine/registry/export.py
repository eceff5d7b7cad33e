"""The registry as YAML that import reads back to the same registry."""

from collections.abc import Iterable, Mapping
from typing import Any

from amierules.database.json_values import as_json
from amierules.database.registry_read import key_of
from amierules.database.rows import Account, Allocation, Person, Project, RegistryRow
from amierules.diagnostics import Finding, Severity
from amierules.engine.registry.fields import MAX_DN, TAGS, FieldType, checked_data, checked_id
from amierules.engine.registry.files import MAX_BYTES
from amierules.engine.registry.report import everybody
from amierules.engine.registry.stock import Stock
from amierules.rulebook.yaml_writing import AsWritten, inline

MODELINE = "# yaml-language-server: $schema=schemas/registry.schema.json\n"


def exported(stock: Stock) -> tuple[str, list[Finding]]:
    """The registry as a YAML text, and a warning for each row that import would not take as it is.

    A row whose person or project has no id that is its alone cannot be named in a file: it is left out.
    """
    sections, findings = exported_rows(stock)
    written = [_section(name, entries) for name, entries in sections.items() if entries]
    text = MODELINE + ("".join(written) or "persons: []\n")
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        message = "the registry is written, but import reads YAML files of at most 50 MB"
        hint = "divide it into several files, which one import takes together"
        findings.append(Finding("too-large", message, hint=hint, severity=Severity.WARNING))
    return text, findings


def exported_rows(stock: Stock) -> tuple[dict[str, list[dict[str, Any]]], list[Finding]]:
    """The rows of each list of a registry file, and a warning for each that import would not take as it is."""
    sections: dict[str, list[dict[str, Any]]] = {"persons": [], "projects": [], "allocations": [], "accounts": []}
    findings: list[Finding] = []
    parts: list[RegistryRow] = [*stock.of(Allocation), *stock.of(Account)]
    rows: list[RegistryRow] = [*everybody(stock), *sorted(parts, key=lambda row: (stock.label(row), key_of(row)))]
    for row in rows:
        try:
            section, entry = _entry(stock, row)
        except ValueError as error:
            message = f"{stock.label(row)} is left out: {error}"
            findings.append(Finding("not-exported", message, severity=Severity.WARNING))
            continue
        sections[section].append(entry)
        findings += _refused_later(stock, row, entry)
    return sections, findings


def _entry(stock: Stock, row: RegistryRow) -> tuple[str, dict[str, Any]]:
    """A row's section and fields. Raises `ValueError` where a file cannot name it."""
    if isinstance(row, Person):
        return "persons", _person(stock, row)
    if isinstance(row, Project):
        return "projects", _project(stock, row)
    where = {"project": _named(stock.project_name(row.project), "its project"), "resource": row.resource}
    if isinstance(row, Allocation):
        end = AsWritten(row.end.isoformat()) if row.end is not None else None
        units = AsWritten(format(row.units, "f"))
        return "allocations", _given({**where, "start": AsWritten(row.start.isoformat()), "end": end, "units": units})
    if isinstance(row, Account):
        person = _named(stock.person_name(row.person), "its person")
        return "accounts", {"person": person, **where, "login": row.login, "active": row.active}
    raise ValueError("it is part of its project")


def _person(stock: Stock, row: Person) -> dict[str, Any]:
    _named(stock.person_name(row.key), "it")
    tags = {name: value for name, value in row.data.items() if _is_tag(name, value)}
    return _given(
        {
            "person_id": row.person_id,
            "ids": list(row.ids) or None,
            "global_id": row.global_id,
            "login": row.login,
            "logins": list(row.logins) if len(row.logins) > 1 else None,
            "uid": row.uid,
            "state": row.state,
            "dns": list(row.dns) or None,
            **{name: tags[name] for name in TAGS if name in tags},
            "data": as_json({name: value for name, value in row.data.items() if name not in tags}) or None,
        }
    )


def _project(stock: Stock, row: Project) -> dict[str, Any]:
    _named(stock.project_name(row.key), "it")
    presences = {presence.resource: presence.active for presence in stock.presences(row.key)}
    differ = len(set(presences.values())) > 1
    return _given(
        {
            "project_id": row.project_id,
            "grant_number": row.grant_number,
            "group": row.group,
            "gid": row.gid,
            "title": row.title,
            "pi": _named(stock.person_name(row.pi), "its PI") if row.pi is not None else None,
            "resources": presences if differ else list(presences),
            "active": next(iter(presences.values())) if presences and not differ else None,
            "data": as_json(row.data) or None,
        }
    )


def _named(name: str | None, what: str) -> str:
    if name is None:
        raise ValueError(f"{what} has no id that is its alone")
    return name


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _is_tag(name: str, value: object) -> bool:
    """Whether a value can stand beside the row's own fields; what is odd goes under `data`."""
    kind = TAGS.get(name)
    if kind is FieldType.TEXT:
        return type(value) is str and value != ""
    if kind is FieldType.OBJECTS:
        return isinstance(value, list) and bool(value) and all(map(_is_object, value))
    if kind is FieldType.LIST:
        return (
            isinstance(value, list)
            and bool(value)
            and len(set(map(str, value))) == len(value)
            and all(map(_is_id, value))
        )
    return False


def _is_object(value: object) -> bool:
    return isinstance(value, dict) and all(type(one) is str for pair in value.items() for one in pair)


def _is_id(value: object) -> bool:
    try:
        return type(value) is str and checked_id(value, MAX_DN) == value
    except ValueError:
        return False


def _refused_later(stock: Stock, row: RegistryRow, entry: Mapping[str, Any]) -> list[Finding]:
    for name, value in entry.items():
        try:
            checked_data(value)
        except ValueError as error:
            message = f"{stock.label(row)}: '{name}' {error}; import will refuse it"
            return [Finding("not-importable", message, severity=Severity.WARNING)]
    return []


def _section(name: str, entries: Iterable[Mapping[str, Any]]) -> str:
    written = []
    for entry in entries:
        lines = [f"{field}: {inline(value)}" for field, value in entry.items()]
        written.append("  - " + "\n    ".join(lines) + "\n")
    return f"\n{name}:\n" + "".join(written)
