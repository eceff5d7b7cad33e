"""Steps on a directory as the engine does them: crashes, a server that is away, and dry runs that can be believed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from amierules.database import pauses
from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support.deaths import at_point, run_in_process
from tests.support.sites import (
    load,
    make_site,
    plan,
    reason_of,
    rpi,
    run,
    set_clock,
    status_of,
    steps_of,
    work_of,
)
from tests.support.slapd import PEOPLE, Slapd, slapd

RULES = """
packet: request_project_inactivate
rules:
  - name: entry
    actions:
      - name: entry
        ldap_entry:
          dn: "uid={{ packet.ProjectID }}"
          base: people
          object_classes: [inetOrgPerson]
          owner: {employeeNumber: "{{ packet.ProjectID }}"}
          attributes: {cn: "{{ packet.ProjectID }}", sn: Sample}
        register: entry
      - name: crew
        ldap_entry: {dn: cn=crew, base: groups, owner: {gidNumber: 777}, add: {memberUid: "{{ packet.ProjectID }}"}}
      - name: found
        ldap_search: {filter: "(uid={{ packet.ProjectID }})", base: people, attributes: [cn]}
        register: found
    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "{{ entry.dn }} {{ found.count }}"}}
"""


@pytest.fixture
def server() -> Iterator[Slapd]:
    with slapd() as one:
        yield one


@pytest.fixture
def site(tmp_path: Path, server: Slapd) -> Iterator[Site]:
    with Database.open(f"sqlite:///{tmp_path}/amie.db", create=True) as database:
        yield make_site(database, tmp_path / "site", {"rules.yaml": RULES}, ldap=server.section(timeout="2s"))


def paused(site: Site) -> dict[str, str]:
    with site.database.read() as connection:
        return {one.name: one.reason for one in pauses.listing(connection)}


def test_a_server_that_is_away_pauses_and_costs_no_attempt(site: Site, server: Slapd) -> None:
    first, second = load(site, rpi({"ProjectID": "bo"}), rpi({"ProjectID": "ann"}))
    server.stop()
    run(site)
    assert [status_of(site, one) for one in (first, second)] == ["retrying", "retrying"]
    assert [work_of(site, one).attempts for one in (first, second)] == [0, 0]
    assert "the directory cannot be used" in paused(site)["ldap"]
    server.start()
    set_clock(site, later=timedelta(minutes=30))
    run(site)
    assert [status_of(site, one) for one in (first, second)] == ["done", "done"], reason_of(site, first)
    assert paused(site) == {}


def test_a_server_that_goes_away_under_way_is_waited_for(site: Site, server: Slapd) -> None:
    (packet,) = load(site, rpi({"ProjectID": "bo"}))
    stopped: list[str] = []

    def stop(name: str) -> None:
        if name == "after intent" and not stopped:
            stopped.append(name)
            server.stop()

    run(site, crash_point=stop)
    assert (status_of(site, packet), work_of(site, packet).attempts) == ("retrying", 0)
    server.start()
    set_clock(site, later=timedelta(minutes=30))
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    assert server.entry(f"uid=bo,{PEOPLE}") is not None


@pytest.mark.parametrize("point", ["after intent", "after effect", "in result"])
@pytest.mark.parametrize("passage", [1, 2])
def test_what_a_killed_process_has_done_is_adopted(site: Site, server: Slapd, point: str, passage: int) -> None:
    before = server.tree()
    (packet,) = load(site, rpi({"ProjectID": "bo"}))
    assert run_in_process(site, [packet], crash_point=at_point(point, passage))
    run(site)
    assert status_of(site, packet) == "done", reason_of(site, packet)
    assert steps_of(site, packet)["entry"].result is not None
    after = server.tree()
    assert after.keys() - before.keys() == {f"uid=bo,{PEOPLE}"}
    crew = next(found for dn, found in after.items() if dn.startswith("cn=crew"))
    assert crew["memberUid"] == ["bo", "lister"]


def test_the_run_makes_the_changes_that_the_dry_run_shows(site: Site) -> None:
    names = ["bo", "ann", "bo", "x*)(uid=*", "a,b=c"]
    for number in load(site, *(rpi({"ProjectID": name}) for name in names)):
        (report,) = plan(site, [number])
        planned = {step.path: [(one.op, one.target) for one in step.changes] for step in report.steps}
        run(site, [number])
        assert status_of(site, number) == "done", reason_of(site, number)
        done = {
            path: [(one["op"], one["target"]) for one in row.changes or ()]
            for path, row in steps_of(site, number).items()
        }
        assert done == planned
