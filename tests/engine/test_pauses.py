"""Back ends that are away, and what people pause: packets wait without losing attempts, and one tries."""

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from amierules.actions import command
from amierules.actions.base import AroundKind, BackendUnavailable, Doubt, Kind, Params, Plan, Surroundings
from amierules.database import pauses
from amierules.database.connection import Database
from amierules.database.pauses import Pause
from amierules.diagnostics import NotAllowed, Unavailable
from amierules.engine.attempt import Handled
from amierules.engine.pausing import pausable, pause, resume
from amierules.engine.running import Runner
from amierules.engine.site import Site
from tests.support.postgres import PostgresServer
from tests.support.sites import (
    ALPHA,
    BETA,
    decision,
    load,
    make_site,
    reason_of,
    rpi,
    run,
    set_clock,
    status_of,
    work_of,
)

RULES = """
packet: request_project_inactivate
rules:
  - name: no command
    when: packet.Comment == 'none'
    complete: x
  - name: a command
    actions:
      - {name: first, command: {run: ['true'], unless: {run: [test, -e, LOG]}}}
      - {name: far, command: {run: [sh, -c, 'echo done >> LOG'], unless: {run: ['false']}}}
    reply: {copy: [ProjectID, ResourceList]}
"""


@dataclass(frozen=True)
class Away:
    """The kind `command`, whose back end cannot be reached while a file is there; it counts how often it was tried."""

    flag: Path
    tries: Path

    def doubt(self, params: Params) -> Doubt:
        return command.doubt(params)

    def target(self, params: Params) -> str:
        return command.target(params)

    def probe(self, params: Params, surroundings: Surroundings) -> object:
        with self.tries.open("a") as tries:
            tries.write(f"{surroundings.step}\n")
        if self.flag.exists():
            raise BackendUnavailable("no route to host")
        return command.probe(params, surroundings)

    def plan(self, params: Params, state: object, surroundings: Surroundings) -> Plan:
        return command.plan(params, state, surroundings)

    def apply(self, params: Params, plan: Plan, surroundings: Surroundings) -> object:
        return command.apply(params, plan, surroundings)

    def count(self) -> int:
        return len(self.tries.read_text().splitlines()) if self.tries.exists() else 0


class _PausedMeanwhile(AroundKind):
    """The kind, which somebody pauses whenever a packet is at it."""

    def __init__(self, site: Site, kind: Kind) -> None:
        super().__init__(kind)
        self._site = site

    def probe(self, params: Params, surroundings: Surroundings) -> object:
        pause(self._site, "commands", "maintenance", "pat")
        return super().probe(params, surroundings)


@pytest.fixture
def away(tmp_path: Path) -> Away:
    return Away(tmp_path / "away", tmp_path / "tries")


@pytest.fixture
def site(database: Database, tmp_path: Path, away: Away) -> Site:
    made = make_site(database, tmp_path / "site", {"a.yaml": RULES.replace("LOG", str(tmp_path / "log"))})
    kinds: Mapping[str, Kind] = {**made.kinds, "command": away}
    return replace(made, kinds=kinds)


def paused(site: Site) -> dict[str, Pause]:
    with site.database.read() as connection:
        return {one.name: one for one in pauses.listing(connection)}


def waiting(site: Site) -> dict[str, int]:
    with site.database.read() as connection:
        return pauses.waiting_for(connection)


def projects(count: int) -> list[dict[str, object]]:
    return [rpi({"ProjectID": f"P{number}"}) for number in range(count)]


def test_one_packet_finds_that_a_back_end_is_away_and_the_others_do_not_try(site: Site, away: Away) -> None:
    away.flag.touch()
    ids = load(site, *projects(5))
    run(site)
    assert away.count() == 1
    assert [status_of(site, packet) for packet in ids] == ["retrying"] * 5
    assert {work_of(site, packet).attempts for packet in ids} == {0}
    assert "no route to host" in reason_of(site, ids[0])
    assert "commands is paused: no route to host" in reason_of(site, ids[1])
    assert waiting(site) == {"commands": 5}
    assert run(site) == {}
    assert away.count() == 1


def test_after_a_while_one_tries_and_where_it_fails_the_next_pause_is_longer(site: Site, away: Away) -> None:
    away.flag.touch()
    load(site, *projects(4))
    run(site)
    lengths = []
    for tries in range(2, 6):
        until = paused(site)["commands"].until
        assert until is not None
        lengths.append(until - site.world.clock.now())
        set_clock(site, at=until)
        assert len(run(site)) == 1
        assert away.count() == tries
        assert waiting(site) == {"commands": 4}
    assert all(later > 1.1 * earlier for earlier, later in pairwise(lengths)), lengths


def test_when_it_is_back_all_go_on(site: Site, away: Away) -> None:
    away.flag.touch()
    ids = load(site, *projects(4))
    run(site)
    away.flag.unlink()
    until = paused(site)["commands"].until
    assert until is not None
    set_clock(site, at=until)
    run(site)
    assert [status_of(site, packet) for packet in ids] == ["done"] * 4
    assert paused(site) == {}


def test_a_person_may_try_at_once(site: Site, away: Away) -> None:
    away.flag.touch()
    ids = load(site, *projects(3))
    run(site)
    away.flag.unlink()
    run(site, [ids[1]])
    assert status_of(site, ids[1]) == "done"
    assert paused(site) == {}
    run(site)
    assert [status_of(site, packet) for packet in ids] == ["done"] * 3


def test_one_that_needs_no_longer_what_is_away_ends_and_the_pause_with_the_last(site: Site, away: Away) -> None:
    away.flag.touch()
    (packet,) = load(site, *projects(1))
    run(site)
    decision(site, packet, "fail")
    until = paused(site)["commands"].until
    assert until is not None
    set_clock(site, at=until)
    run(site)
    assert paused(site) == {}


def test_it_never_ends_parked_however_long_it_lasts(site: Site, away: Away) -> None:
    away.flag.touch()
    (packet,) = load(site, *projects(1))
    run(site)
    for _ in range(20):
        set_clock(site, later=timedelta(hours=1))
        run(site)
    assert (status_of(site, packet), work_of(site, packet).attempts) == ("retrying", 0)
    assert away.count() == 21


# ------------------------------------------------------------------ by hand


def test_a_paused_back_end_is_not_used_until_somebody_says_so(site: Site, away: Away) -> None:
    ids = load(site, *projects(2), rpi({"ProjectID": "P9", "Comment": "none"}))
    pause(site, "commands", "new host", "pat")
    run(site)
    set_clock(site, later=timedelta(days=3))
    run(site)
    run(site, ids[:1])
    assert [status_of(site, packet) for packet in ids] == ["retrying", "retrying", "done"]
    assert away.count() == 0
    assert "commands is paused: new host" in reason_of(site, ids[0])
    resume(site, "commands", "", "pat")
    run(site)
    assert [status_of(site, packet) for packet in ids] == ["done"] * 3


def test_of_a_paused_resource_no_packet_is_begun(site: Site) -> None:
    here, there = load(site, rpi({"ResourceList": [ALPHA]}), rpi({"ResourceList": [BETA], "ProjectID": "P9"}))
    pause(site, ALPHA, "", "pat")
    run(site)
    assert run(site, [here]) == {}
    assert (status_of(site, here), status_of(site, there)) == ("ready", "done")
    assert waiting(site) == {ALPHA: 1}
    resume(site, ALPHA, "", "pat")
    run(site)
    assert status_of(site, here) == "done"


def test_packets_that_need_a_person_do_not_wait_for_a_resource(site: Site) -> None:
    held, waits = load(site, *(rpi({"ResourceList": [ALPHA], "ProjectID": f"P{number}"}) for number in range(2)))
    pause(site, ALPHA, "", "pat")
    run(site)
    assert waiting(site) == {ALPHA: 2}
    decision(site, held, "hold")
    assert waiting(site) == {ALPHA: 1}
    decision(site, waits, "fail")
    assert waiting(site) == {}


def test_what_a_person_paused_stays_paused_when_it_is_away_too(site: Site, away: Away) -> None:
    load(site, *projects(1))
    away.flag.touch()
    run(site)
    pause(site, "commands", "mending it", "pat")
    set_clock(site, later=timedelta(hours=1))
    run(site)
    assert (away.count(), paused(site)["commands"].until) == (1, None)


def test_what_a_person_pauses_while_a_packet_tries_it_stays_paused(site: Site, away: Away) -> None:
    away.flag.touch()
    first, second = load(site, *projects(2))
    run(site)
    until = paused(site)["commands"].until
    assert until is not None
    set_clock(site, at=until)
    away.flag.unlink()
    run(replace(site, kinds={**site.kinds, "command": _PausedMeanwhile(site, away)}))
    assert (paused(site)["commands"].who, paused(site)["commands"].until) == ("pat", None)
    assert [status_of(site, packet) for packet in (first, second)] == ["retrying"] * 2
    resume(site, "commands", "pat", "done")
    run(site)
    assert [status_of(site, packet) for packet in (first, second)] == ["done"] * 2


def test_one_that_is_paused_again_stays_so_since_then_and_for_the_same_reason(site: Site) -> None:
    pause(site, "commands", "mending it", "pat")
    before = paused(site)["commands"]
    set_clock(site, later=timedelta(hours=1))
    pause(site, "commands", "", "ann")
    assert paused(site)["commands"] == replace(before, who="ann")
    pause(site, "commands", "it takes longer", "ann")
    assert paused(site)["commands"] == replace(before, who="ann", reason="it takes longer")


def test_names_that_cannot_be_paused_or_are_not_are_refused(site: Site) -> None:
    assert {"accounts", "commands", ALPHA} <= set(pausable(site))
    with pytest.raises(NotAllowed) as refused:
        pause(site, "comands", "", "pat")
    assert refused.value.findings[0].hint == "did you mean 'commands'?"
    with pytest.raises(NotAllowed):
        resume(site, "commands", "", "pat")


def test_packets_that_find_out_at_the_same_moment_pause_it_once(
    postgres_ready_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)
    find = pauses.find

    def find_together(connection: Connection, name: str) -> Pause | None:
        found = find(connection, name)
        both.wait()
        return found

    monkeypatch.setattr(pauses, "find", find_together)
    with Database.open(postgres_ready_url, create=False) as database:
        site = make_site(database, tmp_path, {})
        told: list[str] = []

        def tell() -> None:
            with database.begin() as connection:
                pauses.is_away(connection, "command", "away", "run@test", site.world.clock.now())
            told.append("told")

        threads = [threading.Thread(target=tell) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert told == ["told", "told"]
        assert [(one.name, one.failures) for one in paused(site).values()] == [("command", 1)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_packet_is_told_of_though_somebody_has_the_pauses_locked(
    postgres_server: PostgresServer, postgres_ready_url: str, tmp_path: Path, away: Away, jobs: int
) -> None:
    name = postgres_ready_url.split("?")[0].rpartition("/")[2]
    postgres_server.query(f"alter database {name} set lock_timeout = '100ms'")
    away.flag.touch()
    told: dict[int, str] = {}
    opened = partial(Database.open, postgres_ready_url, create=False)
    with opened() as database, opened() as other:
        made = make_site(database, tmp_path / "site", {"a.yaml": RULES.replace("LOG", str(tmp_path / "log"))})
        site = replace(made, kinds={**made.kinds, "command": away})
        (packet,) = load(site, *projects(1))
        with ExitStack() as locked:

            def lock(point: str) -> None:
                if point == "before settling":
                    locked.enter_context(other.begin()).execute(text("lock table amierules_pause in exclusive mode"))

            def on_end(handled: Handled) -> None:
                told[handled.report.packet_rec_id or 0] = handled.status

            with pytest.raises(Unavailable) as error:
                Runner(site, jobs=jobs, crash_point=lock, on_end=on_end).run()
        assert [finding.code for finding in error.value.findings] == ["database-locked"]
        assert told == {packet: "retrying"}
        assert status_of(site, packet) == "retrying"
