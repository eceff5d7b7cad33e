"""Packets without an effect outside are claimed, read and committed together, and each ends as if it were alone."""

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, update

from amierules.database import work
from amierules.database.amie_tables import STATE_IDS, data_tbl, expected_reply_tbl, packet_tbl
from amierules.database.rows import Account, Person, Project
from amierules.engine import group, hands
from amierules.engine.attempt import Handled
from amierules.engine.feed import Feed
from amierules.engine.orphaned import end_processes
from amierules.engine.running import Runner
from amierules.engine.schedule import Task
from amierules.engine.site import Site
from amierules.ports import Completed, LocalProcesses
from tests.support.amie_json import ALPHA
from tests.support.sites import (
    MakeSite,
    decision,
    know,
    load,
    rac,
    reason_of,
    registry,
    replies_to,
    reply_to,
    rpi,
    rpm,
    run,
    status_of,
)

INACTIVATE = "packet: request_project_inactivate\nrules:\n  - name: a\n"
REPLY = "    reply: {copy: [ProjectID, ResourceList]}\n"
LONGEST = hands.LONGEST
COUNT = 8
"""The first packet is a group of its own, the next four are one, and then the rest."""


class Crash(BaseException):
    """The process is gone."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this host is, nothing is committed early."""
    for module in (group, hands):
        monkeypatch.setattr(module, "LONGEST", 3600.0)


def _many(site: Site, count: int = COUNT) -> list[int]:
    return load(site, *(rpi({"ProjectID": f"P{number}"}, packet_rec_id=100 + number) for number in range(count)))


def _at(name: str, time: int, what: Callable[[], None]) -> Callable[[str], None]:
    passed: list[str] = []

    def crash_point(point: str) -> None:
        passed.append(point)
        if point == name and passed.count(name) == time:
            what()

    return crash_point


def _die() -> None:
    raise Crash


def test_a_group_is_passed_before_any_of_it_is_committed(make: MakeSite) -> None:
    site = make(INACTIVATE + REPLY)
    packets = _many(site)
    seen: list[list[str]] = []

    def look() -> None:
        seen.append([status_of(site, packet) for packet in packets])

    run(site, crash_point=_at("before settling", 5, look))
    assert seen == [["done"] + ["ready"] * 7]
    assert [status_of(site, packet) for packet in packets] == ["done"] * COUNT
    assert [reply_to(site, packet).packet.body["ProjectID"] for packet in packets] == [f"P{n}" for n in range(COUNT)]


@pytest.mark.parametrize("time", range(1, COUNT + 1))
@pytest.mark.parametrize("point", ["before settling", "after settling"])
def test_after_a_crash_each_is_answered_once(make: MakeSite, point: str, time: int) -> None:
    site = make(INACTIVATE + REPLY)
    packets = _many(site)
    with pytest.raises(Crash):
        run(site, crash_point=_at(point, time, _die))
    run(site)
    assert [len(replies_to(site, packet)) for packet in packets] == [1] * COUNT


def test_one_that_cannot_be_answered_any_more_spoils_no_other(make: MakeSite) -> None:
    site = make(INACTIVATE + REPLY)
    packets = _many(site)

    def end_elsewhere() -> None:
        with site.database.begin() as connection:
            row = packet_tbl.c.packet_rec_id == packets[2]
            connection.execute(update(packet_tbl).where(row).values(state_id=STATE_IDS["completed"]))

    run(site, crash_point=_at("before settling", 5, end_elsewhere))
    assert status_of(site, packets[2]) == "parked"
    assert "could not be answered any more" in reason_of(site, packets[2])
    assert replies_to(site, packets[2]) == []
    others = [packet for packet in packets if packet != packets[2]]
    assert [(status_of(site, packet), len(replies_to(site, packet))) for packet in others] == [("done", 1)] * 7


def test_what_a_person_decides_meanwhile_stands(make: MakeSite) -> None:
    site = make(INACTIVATE + REPLY)
    packets = _many(site)
    run(site, crash_point=_at("before settling", 5, lambda: _hold(site, packets[3])))
    assert (status_of(site, packets[3]), reason_of(site, packets[3])) == ("held", "not yet")
    assert replies_to(site, packets[3]) == []
    assert [status_of(site, packet) for packet in packets].count("done") == COUNT - 1


def _hold(site: Site, packet: int) -> None:
    decision(site, packet, "hold", "not yet")


def test_a_packet_with_an_effect_is_worked_on_alone(make: MakeSite) -> None:
    action = "    actions:\n      - {name: do, when: packet.ProjectID == 'P2', command: 'true'}\n"
    site = make(INACTIVATE + action + REPLY)
    packets = _many(site)
    seen: list[list[str]] = []

    def look() -> None:
        seen.append([status_of(site, packet) for packet in packets])

    run(site, crash_point=_at("after intent", 1, look))
    assert seen == [["done", "done", "running", *["ready"] * 5]]
    assert [status_of(site, packet) for packet in packets] == ["done"] * COUNT


def test_a_packet_whose_login_others_are_asked_about_is_worked_on_alone(make: MakeSite) -> None:
    person = "person: {attributes: '{{ subject }}', login_from: '{{ subject.RequestedLoginList }}'}"
    rule = f"packet: request_account_create\nrules: [{{name: a, actions: [{{name: p, {person}}}], complete: made}}]\n"
    site = make(
        {"a.yaml": INACTIVATE + REPLY, "b.yaml": rule},
        logins={"taken": {"run": ["false", "{{ login }}"], "free": [1]}},
    )
    packets = _many(site, 3)
    packets += load(site, rac({"UserGlobalID": "G1", "UserRequestedLoginList": ["ann"]}, packet_rec_id=110))
    packets += load(site, *(rpi({"ProjectID": f"Q{number}"}, packet_rec_id=120 + number) for number in range(2)))
    seen: list[list[str]] = []
    held: list[int] = []

    class Asked(LocalProcesses):
        def run(self, argv: Any, **given: Any) -> Completed:
            seen.append([status_of(site, packet) for packet in packets])
            held.append(len([key for key in slots.slots[0].claims.held if key.startswith("trans:")]))
            return super().run(argv, **given)

    runner = Runner(replace(site, world=replace(site.world, processes=Asked())))
    with runner.opened() as slots:
        runner.round(slots)
    assert (seen, held) == ([["done"] * 3 + ["ready"] * 3], [1])
    assert [status_of(site, packet) for packet in packets] == ["done"] * 6


def test_what_is_over_is_committed_in_time_though_its_group_goes_on(
    make: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make(INACTIVATE + REPLY)
    packets = _many(site)
    clock = [0.0]
    monkeypatch.setattr(group, "LONGEST", LONGEST)
    monkeypatch.setattr(group, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    seen: list[list[str]] = []

    def crash_point(point: str) -> None:
        if point == "before settling":
            seen.append([status_of(site, packet) for packet in packets])
            clock[0] += LONGEST * 0.75

    run(site, crash_point=crash_point)
    # Of the group of four the first three have waited for too long when the third is over.
    assert [statuses.count("done") for statuses in seen] == [0, 1, 1, 1, 4, 5, 5, 5]
    assert [status_of(site, packet) for packet in packets] == ["done"] * COUNT


def test_one_person_is_made_once_however_many_packets_bring_her(make: MakeSite) -> None:
    site = make(
        "packet: request_account_create\nvars: {known: '{{ find_person(email=packet.UserEmail) }}'}\nrules:\n"
        "  - name: known\n    when: known is not none\n    complete: 'known as {{ known.person_id }}'\n"
        "  - name: new\n    actions:\n      - {name: her, person: {attributes: '{{ subject }}'}}\n    complete: made\n"
    )
    bodies = ({"UserGlobalID": f"G{n}", "GrantNumber": f"X{n}", "UserEmail": "ann@x.example"} for n in range(COUNT))
    packets = load(site, *(rac(body, packet_rec_id=100 + number) for number, body in enumerate(bodies)))
    run(site)
    assert [status_of(site, packet) for packet in packets] == ["done"] * COUNT
    (made,) = [packet for packet in packets if reason_of(site, packet) == "made"]
    person = registry(site).find_person(global_id=f"G{packets.index(made)}")
    assert person is not None
    assert {reason_of(site, packet) for packet in packets if packet != made} == {f"known as {person.person_id}"}


def test_packets_that_share_a_project_keep_their_order(make: MakeSite) -> None:
    site = make(INACTIVATE + REPLY)
    projects = [f"P{number % 3}" for number in range(12)]
    packets = load(site, *(rpi({"ProjectID": one}, packet_rec_id=100 + n) for n, one in enumerate(projects)))
    run(site)
    answered = [reply_to(site, packet).packet.header.packet_rec_id or 0 for packet in packets]
    for project in set(projects):
        of_project = [number for number, one in zip(answered, projects, strict=True) if one == project]
        assert of_project == sorted(of_project)
    with site.database.read() as connection:
        assert {item.status for item in work.listing(connection, include_final=True)} == {"done"}


def test_keys_that_an_ended_packet_turned_out_to_need_are_free_for_others(make: MakeSite) -> None:
    site = make(INACTIVATE + REPLY)
    packets = _many(site)
    held: dict[int, frozenset[str]] = {}
    runner = Runner(site, on_start=lambda item: held.update({item.packet_rec_id: claims.held}), commit_together=1)
    runner.take_in()
    know(site, Project(key="p1", project_id="P1", grant_number="G1"))
    with runner.opened() as slots:
        claims = slots.slots[0].claims
        runner.round(slots)
    assert "grant:G1" in held[packets[1]]
    assert "grant:G1" not in held[packets[2]]
    assert [status_of(site, packet) for packet in packets] == ["done"] * COUNT


@pytest.mark.parametrize("merge_is_earlier", [True, False])
def test_one_that_needs_more_keys_takes_none_from_another_of_its_group(make: MakeSite, merge_is_earlier: bool) -> None:
    merging = "packet: request_person_merge\nrules: [{name: m, complete: merged}]\n"
    site = make({"a.yaml": INACTIVATE + REPLY, "b.yaml": merging})
    know(site, Person("k0", "20000"), Person("k1", "20001"), Project("p1", "P1", grant_number="G1", pi="k0"))
    both: list[Callable[[], dict[str, Any]]] = [rpm, partial(rpi, {"ProjectID": "P1"})]
    packets = load(site, rpi({"ProjectID": "P0"}), *(one() for one in (both if merge_is_earlier else both[::-1])))
    begun: list[int] = []
    without: list[tuple[str, int]] = []

    def look(point: str) -> None:
        if point in ("before settling", "in settling") and begun[-1] != packets[0]:
            without.extend((point, begun[-1]) for key in ("grant:G1", "project:P1") if key not in claims.held)

    runner = Runner(site, on_start=lambda item: begun.append(item.packet_rec_id), crash_point=look)
    runner.take_in()
    # The person who is to be merged gets an account on the project.
    know(site, Account(person="k1", project="p1", resource=ALPHA, login="x"))
    with runner.opened() as slots:
        claims = slots.slots[0].claims
        runner.round(slots)
    assert (begun, without) == (packets, [])


MAKES = """\
packet: request_account_create
rules:
  - name: new
    actions:
      - {name: her, person: {attributes: '{{ subject }}'}}
      - {name: do, command: {run: ['true'], unless: {run: ['false']}}}
    complete: made
"""


def test_nobody_waits_for_a_slot_that_makes_a_person_and_is_at_something_slow(make: MakeSite) -> None:
    site = make({"a.yaml": MAKES, "b.yaml": INACTIVATE + REPLY})
    makers = load(site, *(rac({"UserGlobalID": f"G{number}", "GrantNumber": f"X{number}"}) for number in range(3)))
    others = _many(site)
    ended: set[int] = set()
    all_others = threading.Event()
    in_time: list[bool] = []

    def on_end(handled: Handled) -> None:
        ended.add(handled.report.packet_rec_id or 0)
        if ended.issuperset(others):
            all_others.set()

    slow = _at("after intent", 1, lambda: in_time.append(all_others.wait(30)))
    Runner(site, jobs=2, crash_point=slow, on_end=on_end).run()
    assert in_time == [True]
    assert {status_of(site, packet) for packet in (*makers, *others)} == {"done"}


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Whoever started the tests in the background may have had Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.usefixtures("interruptible")
def test_nothing_is_committed_after_an_interrupt(make: MakeSite, jobs: int) -> None:
    site = make(INACTIVATE + REPLY)
    packets = _many(site)
    at: dict[int, int] = {}
    caught: list[int] = []
    runner = Runner(site, jobs=jobs, on_start=lambda item: at.update({threading.get_ident(): item.packet_rec_id}))

    def interrupt() -> None:
        caught.append(at[threading.get_ident()])
        _thread.interrupt_main()
        slots = runner._slots
        # With one slot it comes here and now; a thread hears of it from the first.
        for _ in range(6000):
            if slots is not None and slots.abandoned:
                return
            threading.Event().wait(0.005)

    runner.crash_point = _at("before settling", 4, interrupt)
    with pytest.raises(KeyboardInterrupt):
        runner.run()
    assert [status_of(site, packet) for packet in caught] == ["ready"]
    run(site)
    assert {status_of(site, packet) for packet in packets} == {"done"}


def test_packets_are_given_back_before_what_a_dead_engine_left_is_ended(
    make: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make(INACTIVATE + "    actions: [{name: do, when: \"packet.ProjectID == 'P3'\", command: 'true'}]\n" + REPLY)
    packets = _many(site)
    with pytest.raises(Crash):
        run(site, [packets[3]], crash_point=_at("after intent", 1, _die))
    held: list[frozenset[str]] = []

    def told(*given: Any) -> None:
        held.append(slots.slots[0].claims.held)
        end_processes(*given)

    monkeypatch.setattr("amierules.engine.attempt.end_processes", told)
    runner = Runner(site)
    with runner.opened() as slots:
        runner.round(slots)
    assert [len([key for key in keys if key.startswith("trans:")]) for keys in held] == [1]


def test_a_worker_has_no_more_in_its_hands_for_having_more_slots(make: MakeSite) -> None:
    site = make(INACTIVATE + REPLY)
    packets = _many(site, 60)
    most: list[int] = []

    def look(name: str) -> None:
        if name == "after claim":
            most.append(len([key for key in slots.slots[0].claims.held if key.startswith("trans:")]))

    runner = Runner(site, jobs=25, crash_point=look)
    runner.take_in()
    with site.database.read() as connection:
        keys = work.keys_of_several(connection, packets)
        listed = [Task(item.packet_rec_id, item.ts, keys[item.packet_rec_id]) for item in work.listing(connection)]
    with runner.opened() as slots:
        slots.slots[0].work(Feed(lambda after: [] if after else listed), slots)
    assert max(most) == group.LARGEST / 25
    assert [status_of(site, packet) for packet in packets] == ["done"] * 60


def test_one_that_was_begun_and_is_gone_from_the_tables_is_a_persons(make: MakeSite) -> None:
    site = make(INACTIVATE + "    actions: [{name: do, command: 'true'}]\n" + REPLY)
    (packet,) = _many(site, 1)
    with pytest.raises(Crash):
        run(site, crash_point=_at("after effect", 1, _die))
    with site.database.begin() as connection:
        for table in (data_tbl, expected_reply_tbl, packet_tbl):
            connection.execute(delete(table))
    run(site)
    assert status_of(site, packet) == "held"
    assert "ended by another program" in reason_of(site, packet)


def test_what_a_rule_saw_is_kept_though_its_first_commit_fails(make: MakeSite) -> None:
    site = make(
        "packet: request_project_inactivate\nvars: {late: \"{{ packet.ProjectID ~ '!' }}\"}\nrules:\n  - name: a\n"
        "    actions:\n      - {name: do, command: 'true'}\n"
        "      - {name: done, command: {run: ['true'], unless: {run: ['true']}}}\n"
        "      - {name: wrong, on_error: hold, command: {run: [echo, '{{ 1 // (late | length - 3) }}']}}\n" + REPLY
    )
    (packet,) = _many(site, 1)

    def refuse() -> None:
        raise RuntimeError("something is refused")

    run(site, crash_point=_at("in settling", 1, refuse))
    with site.database.read() as connection:
        item = work.get(connection, packet)
    assert item is not None
    assert item.status == "held"
    assert item.pinned["vars"] == {"late": "P0!"}
