"""Registry files: what they say of rows, what is refused, and that an export reads back to the same registry."""

import json
import threading
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from amierules.database import own_tables, work
from amierules.database.connection import Database
from amierules.database.registry import RegistryView
from amierules.database.registry_all import read_all
from amierules.database.registry_read import key_of
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.diagnostics import Finding, Invalid, NotAllowed, Severity
from amierules.engine.registry_change import import_contents, set_values
from amierules.engine.registry_export import exported
from amierules.engine.registry_fields import FIELDS, KINDS, SINGULAR, TAGS
from amierules.engine.registry_files import read_files
from amierules.engine.registry_import import Planned, plan_import
from amierules.engine.registry_stock import Stock
from amierules.engine.row_views import person_tags
from amierules.shipped import read_schema
from tests.support.amie_rows import NOW, add_work
from tests.support.hostile import HOSTILE
from tests.support.registries import SAMPLE, canonical, configuration, registries

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


# ------------------------------------------------------------------ the round trip


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(rows=registries())
def test_an_export_reads_back_to_the_same_registry(
    rows: list[RegistryRow], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stock = Stock(rows)
    text, findings = exported(stock)
    assert findings == []
    again = Stock()
    result = planned(tmp_path_factory.getbasetemp(), again, text)
    assert errors(result) == []
    assert canonical(again) == canonical(stock)
    assert exported(again)[0] == text


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(rows=registries())
def test_an_export_changes_nothing_where_it_came_from(
    rows: list[RegistryRow], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stock = Stock(rows)
    result = planned(tmp_path_factory.getbasetemp(), stock, exported(stock)[0])
    assert (errors(result), result.rows, result.changes) == ([], [], [])
    assert result.summary().startswith("nothing to change")


def test_the_database_holds_what_was_imported(database: Database, tmp_path: Path) -> None:
    text, _ = exported(Stock(SAMPLE))
    result = take_in(database, tmp_path, text)
    assert result.summary() == "2 persons added; 1 project added; 1 allocation added; 1 account added"
    assert canonical(stock_of(database)) == canonical(Stock(SAMPLE))
    assert take_in(database, tmp_path, text).rows == []


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rows=registries())
def test_a_registry_moves_through_a_file_to_a_database(rows: list[RegistryRow], tmp_path: Path) -> None:
    text, _ = exported(Stock(rows))
    with Database.open("sqlite:///:memory:", create=True) as database:
        take_in(database, tmp_path, text)
        assert canonical(stock_of(database)) == canonical(Stock(rows))


def test_reading_all_rows_gives_what_the_view_gives(database: Database) -> None:
    write(database, SAMPLE)
    rows = stock_of(database).rows
    view = RegistryView(database.read)
    assert rows == {key_of(row): row for row in SAMPLE}
    assert all(view.row(ref) == row for ref, row in rows.items())


def test_a_row_that_no_file_can_name_is_left_out_and_said_so() -> None:
    nameless = Person("k9", logins=("x",))
    text, findings = exported(Stock([nameless, Project("j9", "PR9", pi="k9")]))
    assert [finding.code for finding in findings] == ["not-exported", "not-exported"]
    assert "person x" in findings[0].message
    assert "PR9" not in text


def test_a_text_that_import_refuses_is_said_at_export() -> None:
    _, findings = exported(Stock([Person("k9", "P9", data={"note": "a\x1b[31m"})]))
    assert [(finding.code, finding.severity) for finding in findings] == [("not-importable", Severity.WARNING)]


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


def test_two_persons_may_exchange_their_ids(database: Database, tmp_path: Path) -> None:
    write(database, SAMPLE)
    text = (
        "persons:\n  - {person_id: P1, uid: 20002, logins: [cal]}\n  - {person_id: P2, uid: 20001, logins: [bsample]}\n"
    )
    with pytest.raises(Invalid) as refused:
        take_in(database, tmp_path, text)
    assert [finding.code for finding in refused.value.findings] == ["id-taken"], "the account bsample is still P1's"
    take_in(database, tmp_path, text + "accounts:\n  - {person: P1, project: PR1, resource: alpha, login: cal}\n")
    stock = stock_of(database)
    assert [(row.uid, row.logins) for row in map(stock.person, ("k1", "k2")) if row] == [
        (20002, ("cal",)),
        (20001, ("bsample",)),
    ]


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
    ("bad-value", 19), ("bad-value", 20), ("missing-key", 20), ("unknown-person", 22), ("missing-key", 23),
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


def test_nothing_is_written_where_something_is_wrong(database: Database, tmp_path: Path) -> None:
    write(database, SAMPLE)
    before = canonical(stock_of(database))
    with pytest.raises(Invalid):
        take_in(database, tmp_path, "persons:\n  - {person_id: P8}\n  - {person_id: P9, uid: 20001}\n")
    assert canonical(stock_of(database)) == before


def test_a_check_writes_nothing(database: Database, tmp_path: Path) -> None:
    result = take_in(database, tmp_path, exported(Stock(SAMPLE))[0], check=True)
    assert [change.target for change in result.changes][:2] == ["person P1", "person P2"]
    assert stock_of(database).rows == {}


@pytest.mark.parametrize("field", ["person_id", "global_id", "login"])
def test_hostile_texts_come_in_as_they_are_or_are_refused(field: str, tmp_path: Path) -> None:
    for text in HOSTILE:
        row = Person("k1", "P1", logins=(text,)) if field == "login" else Person("k1", **{field: text})
        stock = Stock()
        try:
            (tmp_path / "registry.yaml").write_text(exported(Stock([row]))[0], encoding="utf-8")
        except UnicodeEncodeError:
            continue
        contents = read_files([tmp_path / "registry.yaml"])
        plan_import(contents.entries, stock, SITE, lambda: "k1")
        assert stock.of(Person) == [row] or contents.findings, repr(text)


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


def test_what_was_changed_meanwhile_is_not_overwritten(database: Database, tmp_path: Path) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    write(database, SAMPLE)
    arrived, go_on = threading.Event(), threading.Event()
    failed: list[Invalid] = []

    class Slow(Stock):
        def of(self, kind: Any) -> Any:
            arrived.set()
            assert go_on.wait(10)
            return super().of(kind)

    def importing(patch: pytest.MonkeyPatch) -> None:
        patch.setattr("amierules.engine.registry_change.Stock", Slow)
        try:
            take_in(database, tmp_path, "persons:\n  - {person_id: P1, uid: 7}\n")
        except Invalid as error:
            failed.append(error)

    with pytest.MonkeyPatch.context() as patch:
        worker = threading.Thread(target=importing, args=(patch,))
        worker.start()
        assert arrived.wait(10)
        patch.undo()
        change(database, "person", "P1", "state=suspended")
        go_on.set()
        worker.join(10)
    assert [finding.code for error in failed for finding in error.findings] == ["registry-changed"]
    row = stock_of(database).person("k1")
    assert row is not None
    assert (row.state, row.uid) == ("suspended", 20001)


# ------------------------------------------------------------------ CSV


def test_csv_says_the_same_as_yaml(tmp_path: Path) -> None:
    stock = Stock()
    csvs = {
        "persons.csv": "\ufeffperson_id,global_id,logins,ids,uid,FirstName,Email,data.note,dns\r\n"
        'P1,71691,bsample; bea,P0,20001,Bea,bea@site.example,x,"/CN=Bea"\r\n\r\nP2,71692,cal,,20002,Cal,,,\r\n',
        "project-list.csv": "project_id,grant_number,group,gid,title,pi,resources,data.mgr\n"
        "PR1,TG1,grp1,30001,A: title,P1,alpha,R. Roe\n",
        "x.csv": "project,resource,start,end,units\nPR1,alpha,2025-10-01,2026-09-30,1000.50\n",
        "y.CSV": "person,project,resource\nP1,PR1,alpha\n",
    }
    for name, text in csvs.items():
        assert planned(tmp_path, stock, text, name).findings == []
    wanted = Stock([row for row in SAMPLE if not (isinstance(row, Presence) and row.resource == "beta")])
    assert canonical(stock) == canonical(wanted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("empty-file", 0)]),
        ("person_id,uid,uid,Frstname\nP1,1,1,x\n", [("duplicate-key", 1), ("unknown-key", 1)]),
        ("uid,FirstName\n1,x\n", [("missing-key", 1)]),
        ("person_id,AcademicDegree,data\nP1,x,y\n", [("bad-value", 1), ("bad-value", 1)]),
        ("person_id,uid\nP1,x\n,5\nP2\nP3,7\n", [("bad-value", 2), ("missing-key", 3), ("csv-row", 4)]),
        (
            "person_id,uid\nP1,0\nP2,4294967295\nP3,-1\nP4,1.0\nP5,\u0661\n",
            [("bad-value", line) for line in range(2, 7)],
        ),
        ('person_id,FirstName\nP1,"a\nb"\nP2,"a\x1b"\n', [("bad-value", 4)]),
        ('person_id,FirstName\nP1,"a\n', [("csv-syntax", 2)]),
        ("person_id,state\nP1,gone\nP2,active\n", [("bad-value", 2)]),
    ],
)
def test_what_is_wrong_in_csv_is_found_at_its_line(text: str, expected: list[tuple[str, int]], tmp_path: Path) -> None:
    result = planned(tmp_path, Stock(), text, "persons.csv")
    assert errors(result) == expected


def test_a_csv_cell_has_its_column(tmp_path: Path) -> None:
    (finding,) = planned(tmp_path, Stock(), "person_id,uid\nP1,x\n", "persons.csv").findings
    assert finding.place is not None
    assert (finding.place.line, finding.place.column, finding.place.length) == (2, 4, 1)


def test_the_kind_of_a_csv_file_must_be_told(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("person_id,grant_number\nP1,TG1\n", encoding="utf-8")
    assert [finding.code for finding in read_files([path]).findings] == ["unknown-kind"]
    assert [finding.code for finding in read_files([path], "persons").findings] == ["unknown-key"]


def test_bytes_that_are_not_utf_8_are_found(tmp_path: Path) -> None:
    path = tmp_path / "persons.csv"
    path.write_bytes(b"person_id\nP1\nP\xff\n")
    (finding,) = read_files([path]).findings
    assert (finding.code, finding.place and finding.place.line) == ("not-utf-8", 3)


@given(cells=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4), junk=st.text(max_size=30))
def test_no_csv_breaks_the_reader(
    cells: list[tuple[str, str]], junk: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "persons.csv"
    text = "person_id,Email\n" + "".join(f"{one},{other}\n" for one, other in cells) + junk
    path.write_bytes(text.encode("utf-8", "replace"))
    contents = read_files([path])
    assert all(entry.values.get("person_id") for entry in contents.entries)
    plan_import(contents.entries, Stock(), SITE, lambda: uuid4().hex)


# ------------------------------------------------------------------ set


def test_set_changes_a_person(database: Database) -> None:
    write(database, SAMPLE)
    result = change(
        database, "person", "bsample", "state=suspended", "Email=", "data.note=", "data.mgr=R. Roe", "login=new"
    )
    assert len(result.changes) == 1
    row = stock_of(database).person("k1")
    assert row is not None
    assert (row.state, row.logins, row.data) == (
        "suspended",
        ("new", "bsample", "bea"),
        {"FirstName": "Bea", "mgr": "R. Roe"},
    )
    assert change(database, "person", "P1", "state=suspended").rows == []


def test_set_changes_a_project(database: Database) -> None:
    write(database, SAMPLE)
    change(database, "project", "TG1", "title=", "gid=", "pi=71692", "active@alpha=false", "project_id=PR7")
    stock = stock_of(database)
    row = stock.project("j1")
    assert row is not None
    assert (row.project_id, row.title, row.gid, row.pi) == ("PR7", None, None, "k2")
    assert [(one.resource, one.active) for one in stock.presences("j1")] == [("alpha", False), ("beta", False)]


@pytest.mark.parametrize(
    ("row", "assignment", "raised", "code"),
    [
        (("person", "P9"), "uid=1", NotAllowed, "no-such-person"),
        (("project", "P1"), "gid=1", NotAllowed, "no-such-project"),
        (("person", "P1"), "uid", NotAllowed, "usage"),
        (("person", "P1"), "Emial=x", NotAllowed, "unknown-name"),
        (("person", "P1"), "data=x", NotAllowed, "unknown-name"),
        (("person", "P1"), "active@alpha=true", NotAllowed, "unknown-name"),
        (("person", "P1"), "uid=20002", Invalid, "id-taken"),
        (("person", "P1"), "uid=0", Invalid, "bad-value"),
        (("person", "P1"), "state=", Invalid, "bad-value"),
        (("person", "P1"), "person_id=", Invalid, "bad-value"),
        (("person", "P1"), "login=a\x1bb", Invalid, "bad-value"),
        (("project", "PR1"), "active@gamma=true", Invalid, "unknown-resource"),
        (("project", "PR1"), "active@alpha=perhaps", Invalid, "bad-value"),
        (("project", "PR1"), "pi=P9", Invalid, "unknown-person"),
    ],
)
def test_set_refuses(
    row: tuple[str, str], assignment: str, raised: type[Invalid | NotAllowed], code: str, database: Database
) -> None:
    write(database, SAMPLE)
    before = canonical(stock_of(database))
    with pytest.raises(raised) as refused:
        change(database, *row, assignment)
    assert [finding.code for finding in refused.value.findings] == [code]
    assert canonical(stock_of(database)) == before


# ------------------------------------------------------------------ what follows


def test_deferred_packets_of_changed_rows_are_woken(database: Database) -> None:
    write(database, SAMPLE)
    later = datetime(2030, 1, 1, tzinfo=UTC)
    with database.begin() as connection:
        add_work(connection, 1, "deferred", keys=("person:id:P1",), next_attempt_at=later)
        add_work(connection, 2, "deferred", keys=("person:id:P2",), next_attempt_at=later)
        add_work(connection, 3, "deferred", keys=("grant:TG1",), next_attempt_at=later)
    change(database, "person", "P1", "FirstName=B")
    change(database, "project", "PR1", "active@beta=true")
    with database.read() as connection:
        due = {item: found.next_attempt_at for item in (1, 2, 3) if (found := work.get(connection, item)) is not None}
    assert due == {1: NOW, 2: later, 3: NOW}


def test_a_change_is_an_event(database: Database, tmp_path: Path) -> None:
    take_in(database, tmp_path, exported(Stock(SAMPLE))[0])
    set_values(database, SITE, ("person", "P1"), ["state=suspended"], who="bea", reason="left", now=NOW)
    change(database, "person", "P1", "state=suspended")
    with database.read() as connection:
        events = connection.execute(
            select(own_tables.event.c.who, own_tables.event.c.what, own_tables.event.c.why)
        ).all()
    assert [tuple(event) for event in events] == [
        ("test", "registry import", "2 persons added; 1 project added; 1 allocation added; 1 account added"),
        ("bea", "registry set", "person P1: state active -> suspended: left"),
    ]


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
