"""Packets that another program ends, removes, holds or sets back while they are begun: a person can end each."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from amierules.database.amie_tables import STATE_IDS, data_tbl, expected_reply_tbl, packet_tbl, transaction_tbl
from amierules.diagnostics import NotAllowed
from amierules.engine.site import Site
from tests.support.deaths import passing
from tests.support.sites import (
    MakeSite,
    decision,
    events_of,
    load,
    reason_of,
    replies_to,
    rpi,
    run,
    status_of,
    stored,
    work_of,
)

RULES = """
packet: request_project_inactivate
rules:
  - name: a
    actions:
      - {name: c, command: {run: [sh, -c, 'echo c >> LOG'], unless: {run: ['false']}}}
      - {name: d, command: {run: [test, -e, GO], unless: {run: ['false']}}}
    reply: {copy: [ProjectID, ResourceList]}
"""
Change = Callable[[Site, int], None]


def set_packet(state: str) -> Change:
    return lambda site, packet: _set(site, packet_tbl, packet_tbl.c.packet_rec_id == packet, state)


def set_transaction(state: str) -> Change:
    return lambda site, packet: _set(
        site, transaction_tbl, transaction_tbl.c.trans_rec_id == work_of(site, packet).trans_rec_id, state
    )


def _set(site: Site, table: object, which: object, state: str) -> None:
    with site.database.begin() as connection:
        connection.execute(update(table).where(which).values(state_id=STATE_IDS[state]))  # type: ignore[arg-type]


def remove(site: Site, packet: int) -> None:
    trans = work_of(site, packet).trans_rec_id
    with site.database.begin() as connection:
        for table in (expected_reply_tbl, data_tbl):
            connection.execute(delete(table).where(table.c.packet_rec_id == packet))
        connection.execute(delete(packet_tbl).where(packet_tbl.c.packet_rec_id == packet))
        connection.execute(delete(transaction_tbl).where(transaction_tbl.c.trans_rec_id == trans))


@pytest.fixture
def site(make: MakeSite, tmp_path: Path) -> Site:
    return make(RULES.replace("LOG", str(tmp_path / "log")).replace("GO", str(tmp_path / "go")))


@pytest.mark.parametrize(
    "change",
    [set_packet("completed"), set_packet("failed"), set_transaction("failed"), set_transaction("completed"), remove],
)
def test_one_that_was_begun_is_held_until_a_person_completes_it(site: Site, tmp_path: Path, change: Change) -> None:
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "parked"
    change(site, packet)
    (tmp_path / "go").touch()
    (later,) = load(site, rpi())
    run(site)
    assert (status_of(site, packet), status_of(site, later)) == ("held", "waiting")
    assert "look what is left of them, then complete it" in reason_of(site, packet)
    with pytest.raises(NotAllowed) as refused:
        decision(site, packet, "fail")
    assert refused.value.findings[0].hint == f"`amierules complete {packet}` takes it off the list"
    assert decision(site, packet, "complete") == "done"
    assert replies_to(site, packet) == []
    run(site)
    assert status_of(site, later) == "done"


def test_one_that_was_set_back_after_its_answer_is_completed_without_another(site: Site, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    (packet,) = load(site, rpi())
    run(site)
    set_packet("in-progress")(site, packet)
    run(site)
    assert (status_of(site, packet), "or complete it" in reason_of(site, packet)) == ("held", True)
    assert decision(site, packet, "complete") == "done"
    assert stored(site, packet).state == "completed"
    assert len(replies_to(site, packet)) == 1
    run(site)
    assert status_of(site, packet) == "done"


@pytest.mark.parametrize("point", ["before claim", "after effect", "before settling"])
@pytest.mark.parametrize("hold", [set_packet, set_transaction])
def test_one_that_is_put_on_hold_goes_on_once_it_is_released(
    site: Site, tmp_path: Path, point: str, hold: Callable[[str], Change]
) -> None:
    (tmp_path / "go").touch()
    (packet,) = load(site, rpi())
    if point == "before claim":
        run(site, limit=0)
    run(site, crash_point=passing(point, 1, lambda: hold("on-hold")(site, packet)))
    if hold is set_transaction and point != "before claim":
        # A transaction that is on hold may be answered: AMIE's own programs do it.
        assert status_of(site, packet) == "done"
        return
    assert (status_of(site, packet), "on-hold" in reason_of(site, packet)) == ("waiting", True)
    assert replies_to(site, packet) == []
    run(site)
    assert status_of(site, packet) == "waiting"
    hold("in-progress")(site, packet)
    run(site)
    assert status_of(site, packet) == "done"
    assert (tmp_path / "log").read_text() == "c\n"
    assert len(replies_to(site, packet)) == 1
    assert "parked" not in [event.what for event in events_of(site, packet)]
