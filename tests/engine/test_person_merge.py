"""`person: {merge: ROW}`: two persons made one, in a run, on re-entry and in a dry run; and `registry merge`."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from amierules.database import own_tables, work
from amierules.database.registry_write import RegistryConflict
from amierules.database.reservations import reserve_number
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.diagnostics import NotAllowed
from amierules.engine.keys import packet_keys
from amierules.engine.registry.change import merge_persons
from amierules.engine.site import Site
from tests.support.sites import (
    ALPHA,
    BETA,
    NOW,
    MakeSite,
    decision,
    know,
    load,
    plan,
    rac,
    reason_of,
    registry,
    rpm,
    rum,
    run,
    status_of,
    stored,
    work_of,
)

RULE = """
packet: [request_person_merge, request_user_modify]
vars: {old: "{{ find_person(packet.DeletePersonID) }}"}
rules:
  - name: a
    when: header.type == 'request_person_merge'
    actions:
      - name: merge
        person: {merge: "{{ old }}"}
%s    complete: "{{ person.logins | join(',') }} {{ person.ids | join(',') }}"
  - {name: b, actions: [{name: dns, person: {add_dns: [/CN=new]}}], complete: "{{ person.person_id }}"}
"""
KEEP = Person(
    "k", "20000", "90022", 1500, data={"LastName": "Sample"}, ids=("77",), logins=("bo",), dns=("/CN=a", "/CN=b")
)
OTHER = Person(
    "o",
    "20001",
    "90011",
    1501,
    data={"LastName": "Example", "City": "Springfield", "office": 7},
    ids=("78",),
    logins=("ann", "annex"),
    dns=("/CN=b", "/CN=c"),
)
PROJECTS: tuple[RegistryRow, ...] = (
    Project("p", project_id="P", grant_number="G", group="g", pi="o"),
    Project("q", project_id="Q", grant_number="H", pi="k"),
    *(Presence(project, resource) for project in "pq" for resource in (ALPHA, BETA)),
)
ACCOUNTS: tuple[RegistryRow, ...] = (
    Account("o", "p", ALPHA, "ann"),
    Account("o", "q", ALPHA, "annex"),
    Account("k", "q", ALPHA, "bo", active=False),
    Account("o", "q", BETA, "ann", active=False),
    Account("k", "q", BETA, "bo"),
)
ROWS: tuple[RegistryRow, ...] = (KEEP, OTHER, *PROJECTS, *ACCOUNTS)


def _site(make: MakeSite, more: str = "", *rows: RegistryRow) -> tuple[Site, int]:
    site = make(RULE % more)
    know(site, *(rows or ROWS))
    (number,) = load(site, rpm())
    return site, number


def _merged(site: Site) -> None:
    """What is to be so after the other was merged into the kept one."""
    view = registry(site)
    kept = view.person("k")
    assert kept is not None
    assert view.person("o") is None
    assert (kept.person_id, kept.global_id, kept.uid) == ("20000", "90022", 1500)
    assert set(kept.ids) == {"77", "78", "20001"}
    assert kept.logins == ("bo", "ann", "annex")
    assert kept.dns == ("/CN=a", "/CN=b", "/CN=c")
    assert kept.data["LastName"] == "Sample"
    assert (kept.data["City"], kept.data["office"]) == ("Springfield", 7)
    assert kept.data["former_global_ids"] == ["90011"]
    assert kept.data["uids"] == {"ann": 1501, "annex": 1501}
    assert view.find_person(person_id="20001") == kept
    assert view.login_owner("ann") == kept
    assert {project.key for project in view.projects_of_pi("k")} == {"p", "q"}
    accounts = {(row.project, row.resource): (row.login, row.active) for row in view.accounts(person="k")}
    # Of two accounts on one project and resource the active one is kept.
    assert accounts == {("p", ALPHA): ("ann", True), ("q", ALPHA): ("annex", True), ("q", BETA): ("bo", True)}
    assert view.accounts(person="o") == []


def test_all_that_the_other_has_belongs_to_the_kept_one(make: MakeSite) -> None:
    site, number = _site(make)
    run(site)
    assert (status_of(site, number), reason_of(site, number)) == ("done", "bo,ann,annex 20000,77,20001,78")
    _merged(site)


def test_where_both_accounts_are_active_the_kept_ones_stays_and_the_login_is_a_further_one(make: MakeSite) -> None:
    both: tuple[RegistryRow, ...] = (Account("k", "q", ALPHA, "bo"), Account("o", "q", ALPHA, "other"))
    site, _ = _site(make, "", KEEP, replace(OTHER, logins=()), *PROJECTS, *both)
    run(site)
    view = registry(site)
    assert [row.login for row in view.accounts(person="k")] == ["bo"]
    assert view.login_owner("other") == view.person("k")


def test_single_ids_go_over_where_the_kept_one_has_none(make: MakeSite) -> None:
    site, number = _site(make, "", replace(KEEP, global_id=None, uid=None), OTHER)
    run(site)
    kept = registry(site).person("k")
    assert kept is not None, reason_of(site, number)
    assert (kept.global_id, kept.uid) == ("90011", 1501)
    assert not {"former_global_ids", "uids"} & kept.data.keys()


def test_merging_a_person_with_itself_changes_nothing(make: MakeSite) -> None:
    site, number = _site(make, "", replace(KEEP, ids=("20001",)))
    run(site)
    assert status_of(site, number) == "done"
    assert registry(site).person("k") == replace(KEEP, ids=("20001",))


def test_the_uid_of_the_one_who_went_is_never_given_again(make: MakeSite) -> None:
    site, _ = _site(make)
    run(site)
    assert reserve_number(site.database, "uid", [(1500, 1510)], 999, "x") == 1502


def test_a_dry_run_shows_the_merge_and_changes_nothing(make: MakeSite) -> None:
    site, _ = _site(make)
    (report,) = plan(site)
    (step,) = report.steps
    assert step.state == "change"
    assert [change.summary for change in step.changes] == [
        "modify person 90022",
        "create account of 20000 on P at alpha.site.example",
        "modify account of 20000 on Q at alpha.site.example",
        "modify project P",
        "remove person 20001, merged into 20000",
    ]
    assert report.decision.reason == "bo,ann,annex 20000,77,20001,78"
    assert registry(site).person("o") == OTHER


LAST = "      - {name: last, command: [test, -e, '%s/go']}\n"


def test_a_merge_that_the_journal_has_is_staged_again(make: MakeSite, tmp_path: Path) -> None:
    site, number = _site(make, LAST % tmp_path)
    run(site)
    assert status_of(site, number) == "parked"
    assert registry(site).person("o") == OTHER
    # What somebody changed meanwhile is not lost.
    know(site, replace(KEEP, data={**KEEP.data, "since": 3}))
    (tmp_path / "go").touch()
    decision(site, number, "retry")
    run(site)
    assert status_of(site, number) == "done", reason_of(site, number)
    _merged(site)
    assert (kept := registry(site).person("k")) is not None
    assert kept.data["since"] == 3


def test_a_crash_after_the_effect_leaves_both_until_the_end(make: MakeSite, tmp_path: Path) -> None:
    site, number = _site(make, "      - {name: last, command: {run: 'true', unless: {run: 'true'}}}\n")

    class Crash(Exception):
        pass

    def crash(name: str) -> None:
        if name == "before settling":
            raise Crash

    with pytest.raises(Crash):
        run(site, crash_point=crash)
    assert registry(site).person("o") == OTHER
    run(site)
    assert status_of(site, number) == "done"
    _merged(site)


# ------------------------------------------------------------------ order


def _begin(site: Site, packet: int) -> None:
    with site.database.begin() as connection:
        statement = update(own_tables.work).where(own_tables.work.c.packet_rec_id == packet)
        connection.execute(statement.values(begun=True, status="retrying", next_attempt_at=None))


@pytest.mark.parametrize("person", ["20001", "78"])
def test_a_merge_waits_for_what_is_begun_of_the_other(make: MakeSite, person: str) -> None:
    site = make(RULE % "")
    know(site, *ROWS)
    earlier, merge = load(site, rum({"PersonID": person, "LastName": "x"}), rpm())
    run(site, limit=0)
    _begin(site, earlier)
    with site.database.begin() as connection:
        work.set_keys(connection, earlier, packet_keys(stored(site, earlier).packet, registry(site)).keys)
    run(site, [merge])
    assert status_of(site, merge) == "waiting"
    assert str(earlier) in reason_of(site, merge)


def test_what_comes_after_a_merge_finds_the_kept_one(make: MakeSite) -> None:
    site = make(RULE % "")
    know(site, *ROWS)
    _, later = load(site, rpm(), rum({"PersonID": "20001", "GlobalID": "90011"}))
    run(site)
    assert reason_of(site, later) == "20000"
    kept = registry(site).person("k")
    assert kept is not None
    assert "/CN=new" in kept.dns


def test_a_merge_has_both_persons_and_the_others_projects_to_itself(make: MakeSite) -> None:
    site, number = _site(make)
    keys = packet_keys(stored(site, number).packet, registry(site)).keys
    persons = {"person:k", "person:o", "person:id:20001", "person:id:78", "person:id:77", "person:global:90011"}
    assert persons | {"grant:G", "project:P", "grant:H"} <= keys
    of_one = packet_keys(stored(site, load(site, rac())[0]).packet, registry(site)).keys
    assert "person:k" not in of_one


def test_a_former_global_id_contradicts_nothing(make: MakeSite) -> None:
    rule = "packet: request_user_modify\nrules:\n  - name: a\n    actions:\n      - name: p\n"
    rule += "        person: {attributes: '{{ subject }}'}\n    complete: x\n"
    site = make(rule)
    know(site, replace(KEEP, ids=("20001",), data={"former_global_ids": ["90011"]}))
    (number,) = load(site, rum({"PersonID": "20001", "GlobalID": "90011", "City": "Urbana"}))
    run(site)
    assert status_of(site, number) == "done", reason_of(site, number)
    kept = registry(site).person("k")
    assert kept is not None
    assert (kept.global_id, kept.data["City"]) == ("90022", "Urbana")


# ------------------------------------------------------------------ by hand


def _by_hand(site: Site, kept: str = "20000", removed: str = "annex", **more: Any) -> Any:
    return merge_persons(site.database, kept, removed, who="pat", reason="twins", now=NOW, **more)


def test_a_person_merges_by_any_name(make: MakeSite) -> None:
    site = make(RULE % "")
    know(site, *ROWS)
    assert [change.op for change in _by_hand(site, check=True).changes] == [
        "modify",
        "create",
        "modify",
        "modify",
        "delete",
    ]
    assert registry(site).person("o") == OTHER
    _by_hand(site)
    _merged(site)
    with site.database.read() as connection:
        event = own_tables.event.c
        said = connection.execute(select(event.who, event.what, event.why)).all()
    assert [tuple(row) for row in said] == [("pat", "registry merge", "annex into 20000: twins")]


@pytest.mark.parametrize(
    ("names", "code"),
    [(("20000", "nobody"), "no-such-person"), (("nobody", "ann"), "no-such-person"), (("bo", "77"), "same-person")],
)
def test_what_cannot_be_merged_is_refused(make: MakeSite, names: tuple[str, str], code: str) -> None:
    site = make(RULE % "")
    know(site, *ROWS)
    with pytest.raises(NotAllowed) as refused:
        _by_hand(site, *names)
    assert [finding.code for finding in refused.value.findings] == [code]
    assert registry(site).person("o") == OTHER


def test_nobody_is_merged_while_a_packet_of_theirs_is_under_way(make: MakeSite, tmp_path: Path) -> None:
    rule = "packet: request_user_modify\nrules:\n  - name: a\n    actions:\n" + LAST % tmp_path + "    complete: x\n"
    site = make(rule)
    know(site, *ROWS)
    (number,) = load(site, rum({"PersonID": "20001", "LastName": "x"}))
    run(site)
    assert (status_of(site, number), work_of(site, number).begun) == ("parked", True)
    with pytest.raises(NotAllowed, match="has begun something"):
        _by_hand(site)
    decision(site, number, "complete")
    _by_hand(site)
    _merged(site)


def test_a_row_that_somebody_removed_meanwhile_is_not_brought_back(make: MakeSite) -> None:
    site = make(RULE % "")
    know(site, *ROWS, Allocation("p", ALPHA, date(2026, 1, 1)))
    late = registry(site)
    account = late.accounts(person="o", project="p")[0]
    late.put(replace(account, active=False))
    _by_hand(site)
    with pytest.raises(RegistryConflict, match="meanwhile"), site.database.begin() as connection:
        late.flush(connection)
    _merged(site)
