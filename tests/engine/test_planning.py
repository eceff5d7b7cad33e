"""Planning many packets: what is read for all of them together, and what blocks one is what blocks it in a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from amierules.database import order, work
from amierules.database.connection import Database
from amierules.engine.ahead import Ahead, Stance
from amierules.engine.explained import explained
from amierules.engine.site import Site
from tests.support.amie_rows import add_work
from tests.support.sites import MakeSite, decision, load, plan, rac, rpi, rpr, run, set_clock, status_of

RULES = """
packet: [request_account_create, request_project_inactivate, request_project_reactivate]
rules:
  - {name: holds, when: packet.Comment == 'hold', hold: x}
  - {name: defers, when: packet.Comment == 'defer', defer: x}
  - {name: goes, complete: "{{ packet.GrantNumber or packet.ProjectID }}"}
"""


@contextmanager
def _counted(site: Site) -> Iterator[list[str]]:
    """The statements that are run within it."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        statements.append(statement)

    event.listen(site.database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(site.database.engine, "before_cursor_execute", note)


def _accounts(count: int) -> list[dict[str, Any]]:
    return [rac({"GrantNumber": f"G{one}", "UserGlobalID": str(5000 + one)}) for one in range(count)]


def test_many_packets_take_no_more_statements_than_few(make: MakeSite) -> None:
    site = make(RULES)
    load(site, *_accounts(3))
    run(site)
    counts = []
    for number in (3, 60):
        load(site, *_accounts(number))
        with _counted(site) as statements:
            assert [report.decision.kind for report in plan(site)] == ["complete"] * number
        counts.append(len(statements))
        run(site)
    assert counts[0] == counts[1] < 30


def test_to_explain_one_packet_no_other_is_planned(make: MakeSite) -> None:
    site = make(RULES)
    *_, last = load(site, *_accounts(3))
    run(site, limit=0)
    with _counted(site) as few:
        assert explained(site, last).plan is not None
    *_, last = load(site, *_accounts(60))
    run(site, limit=0)
    with _counted(site) as many:
        found = explained(site, last).plan
    assert found is not None
    assert found.decision.kind == "complete"
    assert len(many) == len(few)


def test_a_packet_that_is_planned_alone_waits_for_one_that_is_due_before_it(make: MakeSite) -> None:
    site = make(RULES)
    first, second = load(site, rpi(), rpr())
    for taken_in in (False, True):
        if taken_in:
            run(site, limit=0)
        (report,) = plan(site, [second])
        assert (report.decision.kind, report.decision.blocker) == ("wait", first)
        assert report.decision.reason.startswith(f"waits for packet {first}")
        assert [one.decision.kind for one in plan(site, [first, second])] == ["complete", "wait"]
    assert [status_of(site, packet) for packet in run(site, [second])] in ([], ["waiting"])


def test_a_packet_that_is_planned_alone_waits_for_none_that_is_put_off(make: MakeSite) -> None:
    site = make(RULES)
    _, held, later = load(site, rpi({"Comment": "defer"}), rpi({"Comment": "hold"}), rpr({"Comment": "hold"}))
    run(site)
    assert [report.decision.kind for report in plan(site, [later])] == ["hold"]
    decision(site, later, "approve")
    set_clock(site, later=timedelta(days=1))
    # What is due by now a run of all tries first; a run of this one alone does not.
    assert [report.decision.kind for report in plan(site, [later])] == ["complete"]
    assert [report.decision.kind for report in plan(site, [held, later])] == ["hold", "complete"]
    assert [status_of(site, packet) for packet in run(site, [later])] == ["done"]


@dataclass(frozen=True)
class _Row:
    """A work row: what order depends on."""

    kind: tuple[str, str]
    """Its type and status."""
    transaction: int
    keys: tuple[str, ...]
    record_id: str | None
    grant_number: str | None
    begun: bool
    blocked: bool

    @property
    def type(self) -> str:
        return self.kind[0]

    @property
    def status(self) -> str:
        return self.kind[1]


_TYPES = ("request_project_create", "request_account_create", "request_user_modify", "data_project_create")
# In a run no data_project_create ends before its request_project_create.
_KINDS = [
    (type_name, status)
    for type_name in _TYPES
    for status in (*work.OPEN_STATUSES, "failed", "ignored")
    if status in work.OPEN_STATUSES or type_name != "data_project_create"
]
_ROWS = st.builds(
    _Row,
    kind=st.sampled_from(_KINDS),
    transaction=st.integers(1, 3),
    keys=st.lists(st.sampled_from(["grant:A", "grant:B", "person:x"]), unique=True).map(tuple),
    record_id=st.sampled_from([None, "R", "S"]),
    grant_number=st.sampled_from([None, "A", "B"]),
    begun=st.booleans(),
    blocked=st.booleans(),
)


@given(rows=st.lists(_ROWS, min_size=2, max_size=7), brought_by=st.sampled_from([None, (), (1,), (2,)]))
def test_what_blocks_a_packet_of_a_plan_is_what_blocks_it_in_a_run(
    rows: list[_Row], brought_by: tuple[int, ...] | None
) -> None:
    ahead = Ahead()
    with Database.open("sqlite://", create=True) as database, database.begin() as connection:
        for number, row in enumerate(rows, start=1):
            blocker = 99 if row.blocked and row.status == "waiting" else None
            columns: dict[str, Any] = {"type": row.type, "record_id": row.record_id, "grant_number": row.grant_number}
            columns |= {"begun": row.begun, "blocker": blocker, "trans_rec_id": row.transaction, "keys": row.keys}
            add_work(connection, number, row.status, minutes=number, **columns)
        for number, row in enumerate(rows, start=1):
            item = work.get(connection, number)
            assert item is not None
            wanted = order.blocker(connection, item, row.keys, brought_by=brought_by)
            found = ahead.blocker(_stance(row), brought_by=brought_by)
            assert (found is None) == (wanted is None)
            if wanted is not None and found is not None and "until the project" not in wanted.reason:
                # The database speaks of a project that is to come only where nothing else is in the way.
                assert found.packet_rec_id is not None
                assert found.packet_rec_id <= wanted.packet_rec_id
                assert found.packet_rec_id == wanted.packet_rec_id or row.type == "request_account_create"
            ahead.add(_stance(row), number, str(number))


def _stance(row: _Row) -> Stance:
    return Stance(
        type=row.type,
        status=row.status,
        keys=row.keys,
        transactions=(row.transaction,),
        grant_number=row.grant_number,
        record_id=row.record_id,
        begun=row.begun,
        waits_for_another=row.blocked and row.status == "waiting",
    )
