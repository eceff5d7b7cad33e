"""The whole rule language as a list of features, told by the schemas and by the engine's own tables."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from amierules.actions.schemas import kind_schemas
from amierules.database.connection import Database
from amierules.database.registry import RegistryView
from amierules.database.rows import Account, Allocation, Person, Project, RegistryRow
from amierules.engine.row_views import Registry, RowView
from amierules.rulebook.checks.packet_types import known_names
from amierules.rulebook.naming import BUILT_IN
from amierules.rulebook.notices import NOTICE_NAMES
from amierules.shipped import read_schema
from amierules.templating.static import Static

Schema = Mapping[str, Any]

FORMS: Mapping[type, str] = {str: "text", list: "list", dict: "mapping", bool: "true or false"}
_FORM_OF_TYPE = {"string": "text", "array": "list", "object": "mapping", "boolean": "true or false"}
FINDERS = ("person_id", "global_id", "email", "login")
"""The parameters of `find_person`, in their order."""

NAMES_AND_ATTRIBUTES: Mapping[str, str] = {
    "packet": "",
    "header": "packet_rec_id remote_packet_rec_id trans_rec_id transaction_id packet_id type originating_site_name "
    "local_site_name remote_site_name timestamp",
    "site": "",
    "secret": "",
    "resource": "name",
    "transaction": "first",
    "record": "packet reply",
    "approval": "by reason",
    "now": "",
    "today": "",
    "find_person": "person_id global_id email login",
    "subject": "FirstName PersonID GlobalID DnList RequestedLoginList SitePersonId",
    "person": "person_id ids global_id login logins uid dns state accounts FirstName created",
    "project": "project_id grant_number group gid title pi data active resources accounts allocations created",
    "allocation": "start end units created",
    "account": "login active person project resource others created",
    "item": "",
}
"""The names that the documentation of the language promises to every rule, and what they have."""


def features() -> set[str]:
    """Every key, parameter, form and value of the schemas, every name, every attribute, and every result."""
    return {*_of_schemas(), *_of_names(), *_promised(), *_of_results()}


def for_people(feature: str) -> bool:
    """Whether a feature is a text that only people read: nothing is executed."""
    return feature.endswith(": description")


def _of_schemas() -> Iterator[str]:
    seen: set[str] = set()
    for name in ("rule-file", "block"):
        yield from _keys(_title(read_schema(f"{name}.schema"), name), read_schema(f"{name}.schema"), name, seen)


def _keys(title: str, schema: Schema, file: str, seen: set[str]) -> Iterator[str]:
    """The keys of a mapping, and those of the mappings below it, each title once."""
    if title in seen:
        return
    seen.add(title)
    for key, given in schema.get("properties", {}).items():
        value, home = _resolved(given, file)
        yield f"{title}: {key}"
        yield from _shapes(f"{title}: {key}", value)
        for inner, place in _below(value, home):
            if "properties" in inner:
                yield from _keys(_title(inner, f"{title}.{key}"), inner, place, seen)


def _below(value: Schema, home: str) -> Iterator[tuple[Schema, str]]:
    yield value, home
    for inner in (value.get("items"), value.get("additionalProperties")):
        if isinstance(inner, Mapping):
            yield _resolved(inner, home)


def _shapes(feature: str, value: Schema) -> Iterator[str]:
    """The values that are enumerated, and the forms where one means something else than another."""
    if value.get("title") != "packet type":
        yield from (f"{feature}={one}" for one in value.get("enum", value.get("x-values", ())) if isinstance(one, str))
    types = [one for one in _FORM_OF_TYPE if one in value.get("type", ()) and isinstance(value["type"], list)]
    if len(types) > 1 and ("x-type" not in value or value.get("x-compile") in ("words", "expression")):
        yield from (f"{feature} ({_FORM_OF_TYPE[one]})" for one in types)


def _resolved(schema: Schema, file: str) -> tuple[Schema, str]:
    """A schema without its reference, and the file that it stands in."""
    reference = schema.get("$ref")
    if reference is None:
        return schema, file
    name, _, path = reference.partition("#")
    home = name.removesuffix(".schema.json") or file
    found: Any = read_schema(f"{home}.schema")
    for step in path.split("/")[1:]:
        found = found[step]
    return _resolved(found, home)


def _title(schema: Schema, otherwise: str) -> str:
    return str(schema.get("title", otherwise))


def _of_names() -> Iterator[str]:
    for name, known in known_names(None, None, ()).items():
        if name in BUILT_IN:
            yield f"name: {name}"
            # Packets and tags are the protocol's, not the language's.
            yield from (f"{name}.{attribute}" for attribute in _attributes(name, known))
    yield from (f"find_person({name})" for name in FINDERS)
    with Database.open("sqlite://", create=True) as database:
        registry = Registry(RegistryView(database.read), None)
    rows: tuple[RegistryRow, ...] = (
        Person(""),
        Project(""),
        Allocation("", "", date.min),
        Account("", "", "", ""),
    )
    for row in rows:
        yield from (f"{type(row).__name__.lower()}.{attribute}" for attribute in RowView(row, registry))
    yield from ("name: item", "name: a variable", "name: a parameter", "name: a result")
    yield from (f"name: {name}" for name in NOTICE_NAMES)
    # What stands for names that the packet or the rule gives.
    yield from ("transaction.TYPE", "approval.NAME")


def _attributes(name: str, known: Static) -> list[str]:
    if name in ("packet", "transaction"):
        return []
    return list(known.attributes or ())


def _promised() -> Iterator[str]:
    for name, attributes in NAMES_AND_ATTRIBUTES.items():
        yield f"name: {name}"
        form = "{}({})" if name == "find_person" else "{}.{}"
        yield from (form.format(name, attribute) for attribute in attributes.split())


def _of_results() -> Iterator[str]:
    for kind, schema in kind_schemas().items():
        yield from (f"result of {kind}: {key}" for key in schema.get("x-result", {}))
    yield from ("result: failed", "result: error")
    yield from ("result of a skipped action: none", "result of for_each: list", "result of use: mapping")
