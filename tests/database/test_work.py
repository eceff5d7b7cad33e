"""Work rows: statuses, events, decisions of persons, approvals, waking."""

from datetime import timedelta

import pytest

from amierules.database import approvals, events, waking, work
from amierules.database.approvals import ALLOWED, Approval, check_allowed
from amierules.database.connection import Database
from amierules.database.due import due_packets
from amierules.database.own_tables import FINAL_STATUSES
from amierules.database.ownership import LostOwnership
from amierules.database.work import OPEN_STATUSES, WorkItem, set_status
from amierules.diagnostics import NotAllowed
from tests.support.amie_rows import NOW, add_work

LATER = NOW + timedelta(hours=1)


def get(database: Database, packet_rec_id: int) -> WorkItem:
    with database.read() as connection:
        item = work.get(connection, packet_rec_id)
    assert item is not None
    return item


def what_happened(database: Database, packet_rec_id: int) -> list[tuple[str, str, str]]:
    with database.read() as connection:
        return [(one.who, one.what, one.why) for one in events.for_packet(connection, packet_rec_id)]


@pytest.fixture
def stocked(database: Database) -> Database:
    with database.begin() as connection:
        add_work(connection, 3, minutes=0)
        add_work(connection, 1, "held", minutes=2, rule="ask", keys=("grant:A",))
        add_work(connection, 2, "done", minutes=1)
        add_work(connection, 4, minutes=0)
    return database


def test_listing_is_in_order_of_arrival(stocked: Database) -> None:
    with stocked.read() as connection:
        assert [item.packet_rec_id for item in work.listing(connection)] == [3, 4, 1]
        assert [item.packet_rec_id for item in work.listing(connection, include_final=True)] == [3, 4, 2, 1]
        assert [item.packet_rec_id for item in work.listing(connection, {"done", "held"})] == [2, 1]
        assert work.listing(connection, ()) == []
        assert work.count_by_status(connection) == {"ready": 2, "held": 1, "done": 1}
        assert work.get(connection, 99) is None


def test_times_come_back_aware(stocked: Database) -> None:
    assert get(stocked, 1).ts == NOW + timedelta(minutes=2)


def test_a_change_of_status_is_an_event(stocked: Database) -> None:
    with stocked.begin() as connection:
        set_status(connection, 3, "parked", rule="r", reason="broken", who="run@a", now=LATER)
    item = get(stocked, 3)
    assert (item.status, item.rule, item.reason, item.updated_at) == ("parked", "r", "broken", LATER)
    assert what_happened(stocked, 3) == [("run@a", "parked", "broken")]


def test_the_same_status_again_is_no_event(stocked: Database) -> None:
    for _ in range(2):
        with stocked.begin() as connection:
            item = work.get(connection, 3)
            assert item is not None
            set_status(connection, item, "waiting", reason="waits", blocker=1, who="run@a", now=LATER)
    assert len(what_happened(stocked, 3)) == 1
    assert get(stocked, 3).blocker == 1


def test_the_rule_stays_unless_it_is_given(stocked: Database) -> None:
    with stocked.begin() as connection:
        set_status(connection, 1, "ready", who="me", now=LATER)
    assert get(stocked, 1).rule == "ask"
    with stocked.begin() as connection:
        set_status(connection, 1, "parked", rule=None, who="me", now=LATER)
    assert get(stocked, 1).rule is None


def test_what_an_approval_passes_over_lasts_as_long_as_the_hold(stocked: Database) -> None:
    with stocked.begin() as connection:
        set_status(connection, 3, "held", approvable="ask", who="w", now=NOW)
    assert get(stocked, 3).approvable == "ask"
    with stocked.begin() as connection:
        set_status(connection, 3, "ready", who="me", now=LATER)
    assert get(stocked, 3).approvable is None


def test_attempts_are_counted_when_asked_and_forgotten_at_a_restart(stocked: Database) -> None:
    for _ in range(2):
        with stocked.begin() as connection:
            set_status(connection, 3, "retrying", next_attempt_at=LATER, count_attempt=True, who="w", now=NOW)
    with stocked.begin() as connection:
        set_status(connection, 3, "retrying", next_attempt_at=LATER, who="w", now=NOW)
    assert (get(stocked, 3).attempts, get(stocked, 3).next_attempt_at) == (2, LATER)
    with stocked.begin() as connection:
        set_status(connection, 3, "ready", restart=True, who="me", now=NOW)
    assert (get(stocked, 3).attempts, get(stocked, 3).next_attempt_at) == (0, None)


def test_the_first_deferral_is_remembered_until_a_restart(stocked: Database) -> None:
    for moment, status in ((NOW, "deferred"), (LATER, "running"), (LATER, "deferred")):
        with stocked.begin() as connection:
            set_status(connection, 3, status, who="w", now=moment)
    assert get(stocked, 3).first_deferred_at == NOW
    with stocked.begin() as connection:
        set_status(connection, 3, "ready", restart=True, who="me", now=LATER)
    assert get(stocked, 3).first_deferred_at is None


def test_a_worker_that_lost_the_packet_changes_nothing(stocked: Database) -> None:
    with pytest.raises(LostOwnership), stocked.begin() as connection:
        set_status(connection, 3, "done", fence=7, who="zombie", now=LATER)
    assert get(stocked, 3).status == "ready"
    assert what_happened(stocked, 3) == []


def test_losing_a_packet_is_no_exception_that_a_step_could_swallow() -> None:
    assert not issubclass(LostOwnership, Exception)


def test_a_packet_without_work_row_cannot_get_a_status(stocked: Database) -> None:
    with pytest.raises(LookupError), stocked.begin() as connection:
        set_status(connection, 99, "done", who="me", now=LATER)


def test_due_rows_come_by_arrival_page_by_page(database: Database) -> None:
    with database.begin() as connection:
        add_work(connection, 1, "deferred", next_attempt_at=LATER)
        add_work(connection, 2, "retrying", next_attempt_at=NOW)
        add_work(connection, 3, "waiting", minutes=1)
        add_work(connection, 4, "running", minutes=-1)
        for number, status in enumerate(("held", "parked", "in_doubt", "done", "ignored", "failed"), start=5):
            add_work(connection, number, status)
        add_work(connection, 11, "deferred")
        add_work(connection, 12, "waiting", minutes=2, blocker=1, next_attempt_at=NOW)
    with database.read() as connection:
        first = due_packets(connection, NOW, limit=2)
        rest = due_packets(connection, NOW, limit=9, after=(first[-1].ts, first[-1].packet_rec_id))
        later = due_packets(connection, LATER, limit=9)
    assert [item.packet_rec_id for item in first + rest] == [4, 2, 11, 12]
    assert [item.packet_rec_id for item in later] == [4, 1, 2, 11, 12]


# ------------------------------------------------------------------ keys and waking


def test_keys_are_replaced(stocked: Database) -> None:
    with stocked.begin() as connection:
        work.set_keys(connection, 1, {"grant:B", "person:x"})
    with stocked.read() as connection:
        assert work.keys_of_several(connection, [1])[1] == {"grant:B", "person:x"}
        assert work.keys_of_several(connection, [3])[3] == set()


def test_waking_makes_deferred_packets_with_a_shared_key_due(database: Database) -> None:
    with database.begin() as connection:
        add_work(connection, 1, "deferred", keys=("grant:A", "person:x"), next_attempt_at=LATER)
        add_work(connection, 2, "deferred", keys=("grant:B",), next_attempt_at=LATER)
        add_work(connection, 3, "held", keys=("grant:A",), next_attempt_at=LATER)
        add_work(connection, 4, "retrying", keys=("grant:A",), next_attempt_at=LATER)
        add_work(connection, 5, "deferred", keys=("person:x",))
    with database.begin() as connection:
        assert waking.wake(connection, {"grant:A", "person:x"}, NOW) == 2
        assert waking.wake(connection, set(), NOW) == 0
    assert [get(database, number).next_attempt_at for number in range(1, 6)] == [NOW, LATER, LATER, LATER, NOW]


@pytest.mark.parametrize("waiting", [True, False])
def test_waking_reaches_packets_that_wait_for_others_where_asked(database: Database, waiting: bool) -> None:
    with database.begin() as connection:
        add_work(connection, 1, "waiting", keys=("grant:A",), blocker=9)
        add_work(connection, 2, "waiting", keys=("grant:B",), blocker=9)
        assert waking.wake(connection, {"grant:A"}, NOW, waiting=waiting) == int(waiting)
    assert get(database, 1).next_attempt_at == (NOW if waiting else None)
    assert get(database, 2).next_attempt_at is None


@pytest.mark.parametrize("status", [*OPEN_STATUSES, *FINAL_STATUSES])
def test_those_that_wait_are_looked_at_when_their_blocker_lets_them_go_on(database: Database, status: str) -> None:
    """Those that wait for a packet, or for one of its transaction; not those that wait for others."""
    with database.begin() as connection:
        add_work(connection, 1, "running", trans_rec_id=50)
        add_work(connection, 2, "done", trans_rec_id=50)
        for number, blocker in ((11, 1), (12, 2), (13, 3)):
            add_work(connection, number, "waiting", blocker=blocker)
        set_status(connection, 1, status, who="run@a", now=NOW)
    woken = [number for number in (11, 12, 13) if get(database, number).next_attempt_at is not None]
    in_the_way = ("ready", "retrying", "running", "in_doubt")  # what begins to wait is in the way of some alone
    assert woken == ([] if status in in_the_way else [11, 12])


# ------------------------------------------------------------------ decisions


def item_with(status: str, approvable: str | None = "r") -> WorkItem:
    return WorkItem(
        packet_rec_id=7,
        trans_rec_id=1,
        type="request_account_create",
        ts=NOW,
        status=status,
        rule="r",
        reason=None,
        blocker=None,
        approvable=approvable,
        attempts=0,
        next_attempt_at=None,
        first_deferred_at=None,
        paused_by=None,
        begun=False,
        fence=0,
        pinned=None,
        grant_number=None,
        resource=None,
        record_id=None,
        taken_in_at=NOW,
        updated_at=NOW,
    )


@pytest.mark.parametrize("decision", sorted(ALLOWED))
@pytest.mark.parametrize("status", [*OPEN_STATUSES, *FINAL_STATUSES])
def test_a_decision_is_refused_where_the_status_does_not_allow_it(status: str, decision: str) -> None:
    if status in ALLOWED[decision]:
        check_allowed(item_with(status), decision)
        return
    with pytest.raises(NotAllowed) as refusal:
        check_allowed(item_with(status), decision)
    (finding,) = refusal.value.findings
    assert finding.code == "not-allowed"
    assert finding.message == f"packet 7 is {status}: `{decision}` is not possible"


def test_the_refusal_names_what_is_possible() -> None:
    with pytest.raises(NotAllowed) as refusal:
        check_allowed(item_with("in_doubt"), "retry")
    assert refusal.value.findings[0].hint == "possible now: resolve"


def test_of_a_running_packet_it_is_said_what_ends_that() -> None:
    with pytest.raises(NotAllowed) as refused:
        check_allowed(item_with("running"), "hold")
    (finding,) = refused.value.findings
    assert "the next `amierules run`" in finding.hint


def test_nothing_is_decided_about_what_is_final_running_or_in_doubt() -> None:
    for decision, statuses in ALLOWED.items():
        assert statuses <= set(OPEN_STATUSES) - {"running"}
        assert (decision == "resolve") == ("in_doubt" in statuses)


def test_a_packet_that_no_rule_holds_cannot_be_approved() -> None:
    with pytest.raises(NotAllowed, match="nothing to approve"):
        check_allowed(item_with("held", approvable=None), "approve")


def test_approvals_are_kept_by_rule_and_the_newest_counts(stocked: Database) -> None:
    with stocked.begin() as connection:
        approvals.approve(connection, 1, Approval("second", "ann", "fine", LATER, {"quota": "5"}))
        approvals.approve(connection, 1, Approval("first", "ann", "fine", NOW, {"quota": "7"}))
        approvals.approve(connection, 1, Approval("second", "bob", "finer", LATER, {"path": "/x"}))
        approvals.approve(connection, 3, Approval("other", "ann", "", NOW))
    with stocked.read() as connection:
        given = approvals.approved_rules(connection, 1)
    assert [*given.values()] == [
        Approval("first", "ann", "fine", NOW, {"quota": "7"}),
        Approval("second", "bob", "finer", LATER, {"path": "/x"}),
    ]
    assert [*given] == ["first", "second"]


def test_events_of_no_packet_are_kept_apart(stocked: Database) -> None:
    with stocked.begin() as connection:
        events.add(connection, None, "me", "paused", "slurm is down", NOW)
        events.add(connection, 1, "me", "a", "", NOW)
        events.add(connection, 1, "me", "b", "", NOW)
    assert [what for _, what, _ in what_happened(stocked, 1)] == ["a", "b"]
