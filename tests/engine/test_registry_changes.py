"""Changes of the registry in the database: all or nothing, seen by waiting packets, kept as events."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from amierules.database import own_tables, work
from amierules.database.connection import Database
from amierules.diagnostics import Invalid, NotAllowed
from amierules.engine.registry.change import set_values
from amierules.engine.registry.export import exported
from amierules.engine.registry.stock import Stock
from tests.support.amie_rows import NOW, add_work
from tests.support.registries import (
    SAMPLE,
    SITE,
    canonical,
    change,
    stock_of,
    take_in,
    write,
)


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


def test_what_was_changed_meanwhile_is_not_overwritten(postgres_ready_url: str, tmp_path: Path) -> None:
    """On SQLite there is one writer at a time."""
    with Database.open(postgres_ready_url, create=False) as database:
        _change_while_importing(database, tmp_path)


def _change_while_importing(database: Database, tmp_path: Path) -> None:
    write(database, SAMPLE)
    arrived, go_on = threading.Event(), threading.Event()
    failed: list[Invalid] = []

    class Slow(Stock):
        def of(self, kind: Any) -> Any:
            arrived.set()
            assert go_on.wait(10)
            return super().of(kind)

    def importing(patch: pytest.MonkeyPatch) -> None:
        patch.setattr("amierules.engine.registry.change.Stock", Slow)
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
