"""Whole registries for tests: made by hypothesis, and compared without regard to our keys."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st

from amierules.database.connection import Database
from amierules.database.json_values import as_json, row_as_json
from amierules.database.registry import RegistryView
from amierules.database.registry_all import read_all
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.diagnostics import Finding, Severity
from amierules.engine.registry.change import import_contents, set_values
from amierules.engine.registry.fields import TAGS, FieldType
from amierules.engine.registry.files import read_files
from amierules.engine.registry.importing import Planned, plan_import
from amierules.engine.registry.stock import Stock
from amierules.protocol.values import TagDate, TagDecimal
from amierules.rulebook.configuration import Configuration
from tests.support.amie_rows import NOW

RESOURCES = ("alpha", "beta.site.example", "no", "1")


def configuration(*resources: str) -> Configuration:
    """A configuration that matters in its resources alone."""
    here = Path("/nowhere")
    return Configuration(
        path=here / "amierules.yaml",
        base=here,
        site_name="TestSite",
        remote_site_names=("TGCDB",),
        database="sqlite:///amie.db",
        rules=(here,),
        templates=here,
        resources={name: {} for name in resources},
    )


def canonical(stock: Stock) -> dict[str, Any]:
    """The registry with people's names in the place of keys: equal for registries that say the same."""
    return {stock.label(row): _named(stock, row) for row in stock.rows.values()}


def _named(stock: Stock, row: RegistryRow) -> dict[str, Any]:
    plain = row_as_json(row)
    plain.pop("key", None)
    for name in ("pi", "person"):
        if isinstance(plain.get(name), str):
            plain[name] = stock.person_name(plain[name])
    if "project" in plain:
        plain["project"] = stock.project_name(plain["project"])
    if "data" in plain:
        # Each value by itself: the order of the keys says nothing.
        plain["data"] = {name: as_json(value) for name, value in vars(row)["data"].items()}
    if "ids" in plain:
        plain["ids"] = sorted(plain["ids"])
    if isinstance(row, Allocation):
        plain["units"] = str(row.units)
    return plain


line = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
_ODD = ["yes", "null", "~", "1e5", "0012", "2025-10-01", "{{ x }}", "- a", "a: b", "#", "\U0001d538"]
names = st.one_of(line, st.sampled_from(_ODD))
_logins = st.one_of(
    st.from_regex(re.compile(r"[A-Za-z_][A-Za-z0-9_.@+-]{0,8}", re.ASCII), fullmatch=True),
    st.sampled_from(["yes", "null", "1e5", "2025-10-01", "off", "No"]),
)
"""Names that a Unix account may have: others are refused by an import."""
texts = st.text(st.characters(exclude_categories=("Cc", "Cs"), include_characters="\n\t\r"), max_size=20)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False),
    texts,
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
    st.decimals(allow_nan=False, allow_infinity=False, places=3),
    st.sampled_from([TagDecimal.parse("1.50"), TagDate.parse("2025-10-01"), datetime(2025, 1, 1, tzinfo=UTC)]),
)
_keys = st.one_of(line, st.sampled_from(["$decimal", "$x", "FirstName", "AcademicDegree", "RoleList", "null", "y"]))
data = st.dictionaries(
    _keys,
    st.recursive(
        _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3), max_leaves=5
    ),
    max_size=4,
)
_tag_values = {
    FieldType.TEXT: texts,
    FieldType.LIST: st.lists(line, max_size=3),
    FieldType.OBJECTS: st.lists(st.dictionaries(line, texts, max_size=2), max_size=2),
}
_tags = st.lists(st.sampled_from(sorted(TAGS)), max_size=4, unique=True).flatmap(
    lambda chosen: st.fixed_dictionaries({name: _tag_values[TAGS[name]] for name in chosen})
)
_units = st.decimals(min_value=0, max_value=10**9, places=2)


@st.composite
def registries(draw: st.DrawFn) -> list[RegistryRow]:
    """The rows of a registry that could be: no id belongs to two rows, and every row can be named."""
    numbers = count(20001)
    taken = draw(st.lists(names, min_size=21, max_size=21, unique=True))
    free = _logins.filter(lambda login: login not in taken)
    logins = iter(draw(st.lists(free, min_size=6, max_size=6, unique=True)))
    ids = iter(taken)
    persons = [_person(draw, f"person{i}", ids, logins, next(numbers)) for i in range(draw(st.integers(0, 3)))]
    rows: list[RegistryRow] = [*persons]
    for i in range(draw(st.integers(0, 3))):
        project = _project(draw, f"project{i}", ids, next(numbers), persons)
        rows.append(project)
        for resource in draw(st.lists(st.sampled_from(RESOURCES), unique=True)):
            rows.append(Presence(project.key, resource, draw(st.booleans())))
        for start in draw(st.lists(st.dates(), max_size=2, unique=True)):
            end = draw(st.none() | st.dates(min_value=start))
            rows.append(Allocation(project.key, draw(st.sampled_from(RESOURCES)), start, end, draw(_units)))
        for person in persons:
            chosen = draw(st.booleans())
            if person.logins and chosen:
                login, active = person.logins[draw(st.integers(0, len(person.logins) - 1))], bool(draw(st.booleans()))
                rows.append(Account(person.key, project.key, draw(st.sampled_from(RESOURCES)), login, active))
    return rows


def _person(draw: st.DrawFn, key: str, ids: Any, logins: Any, uid: int) -> Person:
    return Person(
        key,
        person_id=next(ids) if draw(st.booleans()) else None,
        global_id=next(ids),
        uid=uid if draw(st.booleans()) else None,
        state="suspended" if draw(st.booleans()) else "active",
        data={**draw(data), **draw(_tags)},
        ids=tuple(next(ids) for _ in range(draw(st.integers(0, 1)))),
        logins=tuple(next(logins) for _ in range(draw(st.integers(0, 2)))),
        dns=tuple(draw(st.lists(names, max_size=2, unique=True))),
    )


def _project(draw: st.DrawFn, key: str, ids: Any, gid: int, persons: list[Person]) -> Project:
    return Project(
        key,
        project_id=next(ids) if draw(st.booleans()) else None,
        grant_number=next(ids),
        group=draw(st.sampled_from([None, f"g{gid}"])),
        gid=draw(st.sampled_from([None, gid])),
        title=draw(st.none() | texts),
        pi=draw(st.sampled_from([None, *(person.key for person in persons)])),
        data=draw(data),
    )


SAMPLE: tuple[RegistryRow, ...] = (
    Person(
        "k1",
        "P1",
        "71691",
        20001,
        data={"FirstName": "Bea", "Email": "bea@site.example", "note": "x"},
        ids=("P0",),
        logins=("bsample", "bea"),
        dns=("/CN=Bea",),
    ),
    Person("k2", "P2", "71692", 20002, data={"FirstName": "Cal"}, logins=("cal",)),
    Project("j1", "PR1", "TG1", "grp1", 30001, "A: title", "k1", {"mgr": "R. Roe"}),
    Presence("j1", "alpha", active=True),
    Presence("j1", "beta", active=False),
    Allocation("j1", "alpha", date(2025, 10, 1), date(2026, 9, 30), Decimal("1000.50")),
    Account("k1", "j1", "alpha", "bsample"),
)

SITE = configuration("alpha", "beta")


def planned(folder: Path, stock: Stock, text: str, name: str = "registry.yaml") -> Planned:
    """What a file means for a registry; the findings of reading are among the others."""
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    contents = read_files([path])
    result = plan_import(contents.entries, stock, SITE, lambda: uuid4().hex)
    result.findings = [*contents.findings, *result.findings]
    return result


def errors(result: Planned) -> list[tuple[str, int]]:
    """The code and line of each error."""
    listed = [finding for finding in result.findings if finding.severity is Severity.ERROR]
    return [
        (finding.code, finding.place.line if finding.place else 0) for finding in sorted(listed, key=Finding.sort_key)
    ]


def write(database: Database, rows: Iterable[RegistryRow]) -> None:
    view = RegistryView(database.read)
    for row in rows:
        view.put(row)
    with database.begin() as connection:
        view.flush(connection)


def stock_of(database: Database) -> Stock:
    with database.read() as connection:
        return Stock(read_all(connection))


def take_in(
    database: Database, folder: Path, text: str, *, check: bool = False, name: str = "registry.yaml"
) -> Planned:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return import_contents(database, SITE, read_files([path]), who="test", now=NOW, check=check)


def change(database: Database, kind: str, called: str, *assignments: str) -> Planned:
    return set_values(database, SITE, (kind, called), assignments, who="test", reason="", now=NOW)
