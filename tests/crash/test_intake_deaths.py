"""Processes killed while they take packets in, sweep, or load: nothing is lost, nothing comes twice."""

import json
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import update

from amierules.database import events, intake, work
from amierules.database.amie_tables import STATE_IDS, packet_tbl
from amierules.database.connection import Database
from amierules.engine.loading import load_files
from amierules.engine.site import Site
from tests.support.crash_matrix import Backend, Record
from tests.support.deaths import KILLS, at_point, in_process, run_in_process
from tests.support.sites import load, make_site, rpi, run, status_of, stored

RULES = """\
packet: request_project_inactivate
rules:
  - {name: put off, when: packet.Comment == 'wait', defer: later}
  - {name: went, complete: went}
"""
BATCH = 2
INTAKE = [
    ("after taking the sweep", 1),
    *((point, number) for point in ("in intake", "after intake") for number in (1, 2)),
]
SWEEP = [(point, number) for point in ("in sweep", "after sweep") for number in (1, 2, 3)]
LOAD = [(point, number) for point in ("in load", "after load") for number in (1, 2, 3)]


@pytest.fixture(params=["sqlite", "postgresql"])
def site_of(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Site, Backend]:
    """A site over a fresh database of each kind, which takes in two packets a commit."""
    monkeypatch.setattr(intake, "_BATCH", BATCH)
    backend: Backend = request.getfixturevalue({"sqlite": "file", "postgresql": "durable"}[request.param])
    return make_site(Database.open_unchecked(backend.url), tmp_path, {"a.yaml": RULES}), backend


def _happened(site: Site, packet: int) -> Counter[str]:
    with site.database.read() as connection:
        return Counter(one.what if one.who != "intake" else one.why for one in events.for_packet(connection, packet))


def _set_state(site: Site, packets: list[int], state: str) -> None:
    with site.database.begin() as connection:
        change = update(packet_tbl).where(packet_tbl.c.packet_rec_id.in_(packets))
        connection.execute(change.values(state_id=STATE_IDS[state]))


@pytest.mark.parametrize(("point", "passage"), [*INTAKE, *SWEEP], ids=str)
def test_what_a_killed_intake_leaves_is_found_by_the_next_one(
    site_of: tuple[Site, Backend], record_property: Record, point: str, passage: int
) -> None:
    site, backend = site_of
    went = load(site, *(rpi({"ProjectID": f"P{number}"}) for number in range(3)))
    waits = load(site, *(rpi({"ProjectID": f"Q{number}", "Comment": "wait"}) for number in range(3)))
    run(site)
    _set_state(site, went, "in-progress")  # set back
    _set_state(site, waits, "completed")  # ended by another program
    new = load(site, *(rpi({"ProjectID": f"N{number}"}) for number in range(3)))
    assert run_in_process(site, crash_point=at_point(point, passage))
    record_property(KILLS, [backend.name, "intake", point, 1])
    backend.gone()
    run(site)
    assert {status_of(site, packet) for packet in (*went, *waits, *new)} == {"done"}
    assert [_happened(site, packet)["set back by another program"] for packet in went] == [1, 1, 1]
    assert [_happened(site, packet)["ended by another program, or with its transaction"] for packet in waits] == [
        1,
        1,
        1,
    ]
    assert [_happened(site, packet)["arrived"] for packet in (*went, *waits, *new)] == [1] * 9
    assert {_happened(site, packet)["done"] for packet in new} == {1}


@pytest.mark.parametrize(("point", "passage"), LOAD, ids=str)
def test_what_a_killed_load_leaves_is_whole_and_the_rest_is_loaded_again(
    site_of: tuple[Site, Backend], record_property: Record, point: str, passage: int
) -> None:
    site, backend = site_of
    given = [rpi({"ProjectID": f"P{number}", "ServiceUnitsRemaining": "1.5"}) for number in range(3)]
    files = [("packets.json", json.dumps(given).encode())]

    def loading() -> str:
        load_files(site, files, crash_point=at_point(point, passage))
        return "not killed"

    assert in_process(loading)
    record_property(KILLS, [backend.name, "load", point, 1])
    backend.gone()
    there = passage if point == "after load" else passage - 1
    again = load_files(site, files)
    assert (again.new, again.duplicates) == (3 - there, there)
    run(site)
    with site.database.read() as connection:
        done = [item.packet_rec_id for item in work.listing(connection, include_final=True) if item.status == "done"]
    assert sorted(str(stored(site, one).packet.body["ProjectID"]) for one in done) == ["P0", "P1", "P2"]
    assert {len(stored(site, one).packet.body) for one in done} == {len(given[0]["body"])}
