"""Registry files: what they say of rows, and what is refused."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from amierules.database.connection import Database
from amierules.database.registry import RegistryView
from amierules.database.rows import Account, Allocation, Person
from amierules.diagnostics import Severity
from amierules.engine.registry import files as registry_files
from amierules.engine.registry.export import exported
from amierules.engine.registry.fields import FIELDS, KINDS, SINGULAR, TAGS
from amierules.engine.registry.files import read_files
from amierules.engine.registry.importing import plan_import
from amierules.engine.registry.stock import Stock
from amierules.engine.row_views import Registry, view_of
from amierules.protocol.catalogue import person_tags
from amierules.shipped import read_schema
from tests.support.hostile import HOSTILE
from tests.support.registries import (
    SAMPLE,
    SITE,
    errors,
    planned,
    take_in,
)

# ------------------------------------------------------------------ what an entry means


def test_what_is_not_named_stays(tmp_path: Path) -> None:
    stock = Stock(SAMPLE)
    result = planned(tmp_path, stock, "persons:\n  - {person_id: P1, Email: new@site.example}\n")
    before = SAMPLE[0]
    assert isinstance(before, Person)
    assert errors(result) == []
    assert stock.person("k1") == Person(**{**vars(before), "data": {**before.data, "Email": "new@site.example"}})
    assert result.summary() == "1 person changed"


@pytest.mark.parametrize(
    ("entry", "key", "expected"),
    [
        ("{person_id: P0, uid: 5}", "k1", {"person_id": "P1", "ids": ("P0",), "uid": 5}),
        ("{person_id: P9, global_id: '71692'}", "k2", {"person_id": "P9", "ids": ("P2",)}),
        ("{global_id: '71692', state: suspended}", "k2", {"person_id": "P2", "state": "suspended"}),
        ("{person_id: P1, login: new}", "k1", {"logins": ("new", "bsample", "bea")}),
        ("{person_id: P1, logins: [bea]}", "k1", {"logins": ("bea",)}),
        ("{person_id: P1, login: bea, logins: [a, bea, b]}", "k1", {"logins": ("bea", "a", "b")}),
        ("{person_id: P1, dns: []}", "k1", {"dns": ()}),
        ("{person_id: P1, ids: [P8, P1]}", "k1", {"ids": ("P8",)}),
        ("{person_id: P2, FirstName: Dan, data: {n: 1}}", "k2", {"data": {"FirstName": "Dan", "n": 1}}),
        ("{person_id: P2, data: {n: {$decimal: '1.10'}}}", "k2", {"data": {"FirstName": "Cal", "n": Decimal("1.10")}}),
    ],
)
def test_a_person_is_found_and_changed(entry: str, key: str, expected: dict[str, Any], tmp_path: Path) -> None:
    stock = Stock(SAMPLE)
    assert errors(planned(tmp_path, stock, f"persons:\n  - {entry}\n")) == []
    row = stock.person(key)
    assert {name: getattr(row, name) for name in expected} == expected


def test_a_new_project_is_on_all_resources(tmp_path: Path) -> None:
    stock = Stock(SAMPLE)
    assert errors(planned(tmp_path, stock, "projects:\n  - {project_id: PR2, pi: P0}\n")) == []
    key = stock.project_called("PR2")
    assert key is not None
    assert [(row.resource, row.active) for row in stock.presences(key)] == [("alpha", True), ("beta", True)]
    project = stock.project(key)
    assert project is not None
    assert project.pi == "k1"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("title: B", [("alpha", True), ("beta", False)]),
        ("active: false", [("alpha", False), ("beta", False)]),
        ("resources: [beta]", [("alpha", True), ("beta", False)]),
        ("resources: [beta], active: true", [("alpha", True), ("beta", True)]),
        ("resources: {beta: true, gamma: false}", [("alpha", True), ("beta", True), ("gamma", False)]),
    ],
)
def test_resources_that_are_not_named_stay(fields: str, expected: list[tuple[str, bool]], tmp_path: Path) -> None:
    stock = Stock(SAMPLE)
    assert errors(planned(tmp_path, stock, f"projects:\n  - {{grant_number: TG1, {fields}}}\n")) == []
    assert [(row.resource, row.active) for row in stock.presences("j1")] == expected


def test_allocations_and_accounts_are_found_by_what_they_are_of(tmp_path: Path) -> None:
    stock = Stock(SAMPLE)
    text = (
        "allocations:\n"
        "  - {project: PR1, resource: alpha, start: 2025-10-01, units: 7}\n"
        "  - {project: TG1, resource: alpha, start: 2026-10-01, end: '2027-09-30', units: 1000.10}\n"
        "accounts:\n"
        "  - {person: P1, project: PR1, resource: alpha, active: false}\n"
        "  - {person: '71692', project: PR1, resource: beta}\n"
    )
    result = planned(tmp_path, stock, text)
    assert errors(result) == []
    assert result.summary() == "1 allocation added, 1 changed; 1 account added, 1 changed"
    units = {row.start: (row.end, str(row.units)) for row in stock.of(Allocation)}
    assert units == {date(2025, 10, 1): (date(2026, 9, 30), "7"), date(2026, 10, 1): (date(2027, 9, 30), "1000.10")}
    accounts = {(row.person, row.resource): (row.login, row.active) for row in stock.of(Account)}
    assert accounts == {("k1", "alpha"): ("bsample", False), ("k2", "beta"): ("cal", True)}


# ------------------------------------------------------------------ what is refused

WRONG = """\
persons:
  - {person_id: P2, uid: 20001, Frstname: x}
  - {person_id: P2}
  - {person_id: P1, global_id: "71692"}
  - {person_id: 12, uid: x}
  - {login: foo}
  - {person_id: P5, login: bsample}
  - {person_id: "P6\\x1b"}
  - {person_id: P7, FirstName: a, data: {FirstName: b}}
  - {person_id: P8, data: {$decimal: x}}
projects:
  - {project_id: PR2, grant_number: TG1}
  - {project_id: PR3, gid: 30001, pi: P99}
  - {project_id: PR4, gid: 30001}
allocations:
  - {project: PR99, resource: alpha, start: 2025-01-01, units: 1}
  - {project: PR1, resource: alpha, start: 2025-13-01, units: 1}
  - {project: PR1, resource: alpha, start: 2025-02-01}
  - {project: PR1, resource: alpha, start: 2025-03-01, end: 2024-03-01, units: 1}
  - {project: PR1, start: 2025-04-01, units: 1e99}
accounts:
  - {person: P99, project: PR1, resource: alpha}
  - {person: P7, project: PR1, resource: alpha}
"""
WRONG_AT = [
    ("id-taken", 2), ("unknown-key", 2), ("duplicate-row", 3), ("id-taken", 4), ("quote-me", 5), ("wrong-type", 5),
    ("missing-key", 6), ("id-taken", 7), ("bad-value", 8), ("bad-value", 9), ("bad-value", 10),
    ("unknown-person", 13), ("id-taken", 14), ("unknown-project", 16), ("bad-value", 17), ("missing-key", 18),
    ("bad-value", 19), ("missing-key", 20), ("bad-value", 20), ("unknown-person", 22), ("missing-key", 23),
]  # fmt: skip


def test_all_that_is_wrong_is_found_at_once(tmp_path: Path) -> None:
    result = planned(tmp_path, Stock(SAMPLE), WRONG)
    assert errors(result) == WRONG_AT
    assert all(finding.place and finding.place.column for finding in result.findings)


def test_a_conflict_names_both_rows(tmp_path: Path) -> None:
    result = planned(
        tmp_path,
        Stock(SAMPLE),
        "persons:\n  - {person_id: P8, uid: 20001}\n  - {person_id: P9, uid: 5}\n  - {person_id: P10, uid: 5}\n",
    )
    assert [finding.message for finding in result.findings] == [
        "uid 20001 of person P8 belongs to person P1",
        f"uid 5 of person P10 belongs to person P9 ({tmp_path}/registry.yaml:3)",
    ]


@pytest.mark.parametrize("field", ["person_id", "global_id", "login"])
def test_hostile_texts_come_in_as_they_are_or_are_refused(field: str, tmp_path: Path) -> None:
    for text in HOSTILE:
        named: dict[str, Any] = {field: text} if field != "login" else {"person_id": "P1", "logins": (text,)}
        row = Person("k1", **named)
        written, findings = exported(Stock([row]))
        # A lone surrogate can be neither in a file nor in a database.
        (tmp_path / "registry.yaml").write_text(written, encoding="utf-8", errors="replace")
        stock = Stock()
        contents = read_files([tmp_path / "registry.yaml"])
        plan_import(contents.entries, stock, SITE, lambda: "k1")
        assert stock.of(Person) == [row] or contents.findings or findings, repr(text)


def test_an_unreadable_file_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("persons: [", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("persons:\n  - {person_id: P1, uid: x}\n", encoding="utf-8")
    contents = read_files([tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "c.yaml", tmp_path])
    assert [finding.code for finding in contents.findings] == [
        "yaml-syntax",
        "wrong-type",
        "unreadable-file",
        "unreadable-file",
    ]
    assert not contents.whole


def test_a_login_that_would_not_be_given_out_is_a_warning(tmp_path: Path) -> None:
    result = planned(
        tmp_path, Stock(SAMPLE), "persons:\n  - {person_id: P9, login: Big_Login}\n  - {person_id: P1, FirstName: B}\n"
    )
    assert [(finding.code, finding.severity) for finding in result.findings] == [("unusual-login", Severity.WARNING)]


# ------------------------------------------------------------------ the schema


def test_the_schema_has_the_fields_that_are_read() -> None:
    definitions = read_schema("registry.schema")["definitions"]
    assert {kind: set(definitions[SINGULAR[kind]]["properties"]) for kind in KINDS} == {
        kind: set(fields) for kind, fields in FIELDS.items()
    }
    assert set(TAGS) < set(person_tags())


def test_the_schemas_example_is_importable(tmp_path: Path) -> None:
    (example,) = read_schema("registry.schema")["examples"]
    assert errors(planned(tmp_path, Stock(), json.dumps(example))) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("registry.yaml", "projects:\n  - {project_id: PR2, grant_number: TG2}\n"),
        ("projects.csv", "project_id,grant_number\nPR2,TG2\n"),
    ],
)
def test_a_project_told_without_resources_is_active_everywhere(
    name: str, text: str, database: Database, tmp_path: Path
) -> None:
    """As rules see it, and whatever a later import says of it."""
    for again in (text, text, text.replace("TG2", "TG3")):
        take_in(database, tmp_path, again, name=name)
        view = RegistryView(database.read)
        row = view.find_project(project_id="PR2")
        assert row is not None
        for resource in SITE.resources:
            shown = view_of(row, Registry(view, resource))
            assert shown is not None
            assert shown["active"] is True


def test_a_whole_site_may_be_in_one_file(tmp_path: Path) -> None:
    rows = "".join(f"  - {{person_id: P{n}, data: {{note: {'x' * 40_000}}}}}\n" for n in range(60))
    path = tmp_path / "registry.yaml"
    path.write_text("persons:\n" + rows, encoding="utf-8")
    assert path.stat().st_size > 2_000_000
    contents = read_files([path])
    assert contents.findings == []
    assert len(contents.entries) == 60


def test_but_not_any_number_of_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_files, "MAX_BYTES", 2_500_000)
    path = tmp_path / "registry.yaml"
    path.write_text("#" * 2_500_001, encoding="utf-8")
    (finding,) = read_files([path]).findings
    assert (finding.code, finding.message) == ("too-large", "the file is larger than 2.5 MB")
