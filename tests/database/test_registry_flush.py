"""What a packet's view of the registry writes at the packet's end."""

import threading
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import event, select

from amierules.database import own_tables
from amierules.database.connection import Database
from amierules.database.registry import RegistryView
from amierules.database.registry_read import key_of
from amierules.database.registry_write import RegistryConflict
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.protocol.values import TagDate, TagDecimal
from tests.support.registry_rows import BEA, CAL, ROWS, write


@pytest.fixture
def stocked(database: Database) -> Database:
    write(database, *ROWS)
    return database


@pytest.fixture
def view(stocked: Database) -> RegistryView:
    return RegistryView(stocked.read)


def test_changes_of_every_kind_of_row_are_written(stocked: Database, view: RegistryView) -> None:
    changed: list[RegistryRow] = [
        replace(BEA, person_id="P3", ids=("P1",), logins=("bea", "bsample"), dns=("/CN=a", "/CN=new"), data={"a": [1]}),
        Project("prj", "PR2", "TG1", "grp2", 30001, None, "cal", {"until": date(2026, 1, 1)}),
        Presence("prj", "alpha", active=False),
        Allocation("prj", "alpha", date(2026, 1, 1), date(2027, 12, 31), Decimal("1e3")),
        Account("cal", "prj", "alpha", "cal", active=True),
    ]
    for row in changed:
        view.put(row)
    with stocked.begin() as connection:
        view.flush(connection)
    fresh = RegistryView(stocked.read)
    assert [fresh.row(key_of(row)) for row in changed] == changed


def test_nothing_is_written_before_flush_and_nothing_for_no_change(stocked: Database) -> None:
    view = RegistryView(stocked.read)
    view.put(replace(BEA))
    statements: list[str] = []
    with stocked.begin() as connection:
        event.listen(connection, "before_cursor_execute", lambda *call: statements.append(call[2]))
        view.flush(connection)
    assert statements == []


def test_values_of_packets_are_written(stocked: Database, view: RegistryView) -> None:
    row = Allocation(
        "prj", "beta", TagDate.parse("2026-05-01T00:00:00"), TagDate.parse("2026-06-01"), TagDecimal.parse("1.500")
    )
    view.put(row)
    with stocked.begin() as connection:
        view.flush(connection)
    (read,) = RegistryView(stocked.read).allocations("prj", "beta")
    assert read == Allocation("prj", "beta", date(2026, 5, 1), date(2026, 6, 1), Decimal("1.5"))


def test_ids_may_move_between_rows_in_one_flush(stocked: Database, view: RegistryView) -> None:
    bea = replace(BEA, person_id="P2", uid=20002, ids=(), logins=("cal",))
    cal = replace(CAL, person_id="P1", uid=20001, ids=("P0",), logins=("bsample", "bea"))
    view.put(bea)
    view.put(cal)
    view.put(Account("bea", "prj", "alpha", "cal"))
    view.put(Account("cal", "prj", "alpha", "bsample", active=False))
    with stocked.begin() as connection:
        view.flush(connection)
    fresh = RegistryView(stocked.read)
    assert (fresh.person("bea"), fresh.person("cal")) == (bea, cal)


def test_what_others_changed_since_the_view_read_stays(stocked: Database, view: RegistryView) -> None:
    view.put(replace(BEA, uid=5, data={**BEA.data, "mine": "1"}))
    write(
        stocked,
        replace(BEA, state="suspended", data={"LastName": "Other", "Email": "e", "theirs": "2"}, dns=("/CN=o",)),
    )
    with stocked.begin() as connection:
        view.flush(connection)
    bea = RegistryView(stocked.read).person("bea")
    assert bea is not None
    assert (bea.uid, bea.state, bea.dns) == (5, "suspended", ("/CN=o",))
    assert bea.data == {"LastName": "Other", "Email": "e", "theirs": "2", "mine": "1"}


def test_an_id_of_another_row_is_refused_and_nothing_is_written(stocked: Database) -> None:
    cases: list[tuple[Person | Project, str]] = [
        (Person("new", "P1"), "PersonID P1"),
        (Person("new", "P0"), "PersonID P0"),
        (Person("new", "P8", ids=("P2",)), "PersonID P2"),
        (Person("new", "P8", "42"), "GlobalID 42"),
        (Person("new", "P8", uid=20001), "uid 20001"),
        (Person("new", "P8", logins=("cal",)), "login cal"),
        (Project("new", "PR1"), "ProjectID PR1"),
        (Project("new", "PR8", "TG1"), "GrantNumber TG1"),
        (Project("new", "PR8", gid=30001), "gid 30001"),
        (Project("new", "PR8", group="grp1"), "group grp1"),
        (replace(CAL, uid=20001), "uid 20001"),
    ]
    for row, said in cases:
        view = RegistryView(stocked.read)
        view.put(row)
        with pytest.raises(RegistryConflict, match=said), stocked.begin() as connection:
            view.flush(connection)
        assert RegistryView(stocked.read).row(key_of(row)) == (CAL if row.key == "cal" else None)


def test_an_account_of_a_person_who_is_gone_is_refused(stocked: Database) -> None:
    view = RegistryView(stocked.read)
    view.put(Account("nobody", "prj", "alpha", "x"))
    with pytest.raises(RegistryConflict), stocked.begin() as connection:
        view.flush(connection)


def test_an_account_with_the_login_of_another_person_is_refused(stocked: Database) -> None:
    view = RegistryView(stocked.read)
    view.put(Account("bea", "prj", "beta", "cal"))
    with pytest.raises(RegistryConflict, match="login cal"), stocked.begin() as connection:
        view.flush(connection)


def test_of_two_who_write_the_same_id_at_once_one_is_refused(database: Database) -> None:
    failures: list[RegistryConflict] = []

    def second() -> None:
        view = RegistryView(database.read)
        view.put(Person("two", "P2", uid=5))
        try:
            with database.begin() as connection:
                view.flush(connection)
        except RegistryConflict as conflict:
            failures.append(conflict)

    first = RegistryView(database.read)
    first.put(Person("one", "P1", uid=5))
    with database.begin() as connection:
        first.flush(connection)
        other = threading.Thread(target=second)
        other.start()
        other.join(0.3)
    other.join(60)
    (conflict,) = failures
    assert "uid" in str(conflict)
    assert "\n" not in str(conflict)


def test_lists_of_a_person_are_written_without_leftovers(stocked: Database, view: RegistryView) -> None:
    view.put(replace(BEA, ids=(), logins=(), dns=()))
    with stocked.begin() as connection:
        view.flush(connection)
    with stocked.read() as connection:
        for table in (own_tables.person_alias, own_tables.person_dn, own_tables.person_login):
            owners = connection.scalars(select(table.c.person)).all()
            assert "bea" not in owners
