"""The shipped rules with Unix accounts, on the real shadow-utils under a scratch root."""

from dataclasses import replace
from pathlib import Path

import pytest

from amierules.actions.base import expected
from amierules.database.rows import Account, Person, Presence, Project
from amierules.engine.site import Site
from amierules.rulebook.ids import IdRanges, IdSource
from tests.support.policy import ANN, BO, locked, person, send, with_accounts
from tests.support.shadow import ScratchRoot, host_digest
from tests.support.sites import ALPHA, BETA, know, load, plan, rac, rai, rar, registry, rpc, rpi, rpm, rpr, rum, run

GROUP = "p-xyz259276"
NUMBERS = IdSource(((20000, 29999),))


@pytest.fixture
def root(tmp_path: Path) -> ScratchRoot:
    return ScratchRoot.make(tmp_path / "root")


@pytest.fixture
def site(tmp_path: Path, root: ScratchRoot) -> Site:
    return with_accounts(tmp_path / "site", root)


def done(site: Site, *packets: dict[str, object]) -> None:
    for packet in packets:
        got = send(site, packet)
        assert got.status == "done", got


def test_a_project_and_an_account_bring_users_and_a_group(site: Site, root: ScratchRoot) -> None:
    untouched = host_digest()
    done(site, rpc(), rac({"UserMiddleName": "B"}))
    bo, ann, group = root.line("passwd", "bsample"), root.line("passwd", "annex"), root.line("group", GROUP)
    assert bo is not None
    assert ann is not None
    assert group is not None
    assert (bo[2], bo[4]) == (BO, "Bo Sample")
    assert (ann[2], ann[4]) == (ANN, "Ann B Example")
    assert (group[2], group[3]) == ("40000", "bsample,annex")
    assert not locked(root, "bsample")
    assert not locked(root, "annex")
    assert host_digest() == untouched


def test_two_resources_share_user_and_group(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rpc({"ResourceList": [BETA]}))
    assert root.groups_of("bsample") == {GROUP}
    done(site, rpc({"GrantNumber": "G2"}))
    assert root.groups_of("bsample") == {GROUP, "p-g2"}


def test_an_account_that_is_stopped_is_locked_only_if_no_other_is_open(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rac(), rpc({"ResourceList": [BETA]}), rac({"ResourceList": [BETA]}))
    before = root.line("passwd", "annex")
    done(site, rai({"PersonID": ANN}))
    assert not locked(root, "annex")
    done(site, rai({"PersonID": ANN, "ResourceList": [BETA]}))
    assert locked(root, "annex")
    assert not locked(root, "bsample")
    assert root.line("passwd", "annex") == before


def test_an_account_that_is_stopped_leaves_the_group_unless_another_on_the_project_is_open(
    site: Site, root: ScratchRoot
) -> None:
    done(site, rpc(), rac(), rpc({"ResourceList": [BETA]}), rac({"ResourceList": [BETA]}))
    done(site, rpc({"GrantNumber": "G2"}), rac({"GrantNumber": "G2"}))
    done(site, rai({"PersonID": ANN}))
    assert root.groups_of("annex") == {GROUP, "p-g2"}
    done(site, rai({"PersonID": ANN, "ResourceList": [BETA]}))
    assert root.groups_of("annex") == {"p-g2"}
    assert root.groups_of("bsample") == {GROUP, "p-g2"}
    done(site, rar({"PersonID": ANN}))
    assert root.groups_of("annex") == {GROUP, "p-g2"}


def test_a_project_that_is_stopped_has_an_empty_group_and_one_that_comes_back_its_pi_in_it(
    site: Site, root: ScratchRoot
) -> None:
    done(site, rpc(), rac(), rpi())
    assert (root.groups_of("bsample"), root.groups_of("annex")) == (set(), set())
    done(site, rpr())
    assert (root.groups_of("bsample"), root.groups_of("annex")) == ({GROUP}, set())


@pytest.mark.parametrize("packet", [rac(), rar({"PersonID": ANN})], ids=["by RAC", "by RAR"])
def test_an_account_that_comes_back_is_unlocked(site: Site, root: ScratchRoot, packet: dict[str, object]) -> None:
    done(site, rpc(), rac(), rai({"PersonID": ANN}))
    assert locked(root, "annex")
    done(site, {**packet, "header": {**rpc()["header"]}})
    assert not locked(root, "annex")


def test_a_project_that_is_stopped_locks_all_who_have_no_other_account(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rac(), rpc({"GrantNumber": "G2"}), rpi())
    assert locked(root, "annex")
    assert not locked(root, "bsample")
    done(site, rpi({"ProjectID": "P-G2"}))
    assert locked(root, "bsample")


@pytest.mark.parametrize("how", ["request_project_create", "request_project_reactivate"])
def test_a_project_that_comes_back_unlocks_the_pi_alone(site: Site, root: ScratchRoot, how: str) -> None:
    done(site, rpc(), rac(), rpi())
    assert (locked(root, "bsample"), locked(root, "annex")) == (True, True)
    done(site, rpc({"AllocationType": "renewal"}) if how == "request_project_create" else rpr())
    assert (locked(root, "bsample"), locked(root, "annex")) == (False, True)


def test_on_an_inactive_project_a_new_login_is_locked_and_in_no_group(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rpi(), rac())
    assert locked(root, "annex")
    assert root.groups_of("annex") == set()
    done(site, rpr(), rac())
    assert not locked(root, "annex")
    assert root.groups_of("annex") == {GROUP}


def test_a_login_with_an_open_account_stays_open_where_an_inactive_one_is_added(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rac(), rpc({"GrantNumber": "G2"}), rpi({"ProjectID": "P-G2"}), rac({"GrantNumber": "G2"}))
    assert not locked(root, "annex")
    assert root.groups_of("annex") == {GROUP}


def test_a_new_name_reaches_passwd_and_nothing_else(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rac(), rai({"PersonID": ANN}))
    done(site, rum({"PersonID": ANN, "FirstName": "Ann", "LastName": "Sampler:x"}))
    line = root.line("passwd", "annex")
    assert line is not None
    assert (line[2], line[4]) == (ANN, "Ann Sampler x")
    assert locked(root, "annex")


def test_a_new_name_of_a_person_without_login_makes_no_account(site: Site, root: ScratchRoot) -> None:
    know(site, Person("cal", "C1", "1"))
    before = root.tree(), root.path.joinpath("etc/passwd").read_text(encoding="utf-8")
    done(site, rum({"PersonID": "C1", "LastName": "Sampler"}))
    assert (root.tree(), root.path.joinpath("etc/passwd").read_text(encoding="utf-8")) == before


def test_an_imported_account_is_locked_by_its_own_login(site: Site, root: ScratchRoot) -> None:
    done(site, rpc())
    know(site, Person("cal", "C1", "1", 20007, logins=("cal",)), Project("prj", "P1", "G1", pi="cal"))
    know(site, Presence("prj", ALPHA), Account("cal", "prj", ALPHA, "cal"))
    etc = root.path / "etc"
    for file, line in (("passwd", "cal:x:20007:38::/home/cal:/bin/sh\n"), ("shadow", "cal:!:19000:0:99999:7:::\n")):
        (etc / file).write_text((etc / file).read_text(encoding="utf-8") + line, encoding="utf-8")
    done(site, rpi({"ProjectID": "P1"}))
    assert locked(root, "cal")
    done(site, rpr({"ProjectID": "P1"}))
    assert not locked(root, "cal")
    assert root.groups_of("cal") == {"p-g1"}


def test_somebody_else_s_account_is_never_taken(site: Site, root: ScratchRoot) -> None:
    before = root.line("passwd", "lister")
    got = send(site, rpc({"PiRequestedLoginList": ["lister"]}))
    assert got.status == "held"
    assert "lister exists with uid 38, not 20000" in got.reason
    assert root.line("passwd", "lister") == before
    group = (root.path / "etc" / "group").read_text(encoding="utf-8")
    (root.path / "etc" / "group").write_text(group + "p-g2:x:777:\n", encoding="utf-8")
    other = send(site, rpc({"GrantNumber": "G2", "PiGlobalID": "5", "PiRequestedLoginList": ["other"]}))
    assert other.status == "held"
    assert root.line("group", "p-g2") == ["p-g2", "x", "777", ""]


def test_the_plan_shows_the_numbers_that_the_run_gives(site: Site, root: ScratchRoot) -> None:
    one_range = IdRanges(uid=NUMBERS, gid=NUMBERS, person_id=IdSource(same_as="uid"))
    site = replace(site, configuration=replace(site.configuration, ids=one_range))
    load(site, rpc())
    (report,) = plan(site)
    words = [
        [str(expected(word)) for word in change.argv or ()]
        for step in report.steps
        if step.kind in ("user", "group")
        for change in step.changes
    ]
    assert [one[-1] for one in words] == [GROUP, "bsample"]
    assert [value_after("--gid", words[0]), value_after("--uid", words[1])] == ["20001", "20000"]
    run(site)
    group, user = root.line("group", GROUP), root.line("passwd", "bsample")
    assert group is not None
    assert user is not None
    assert (group[2], user[2]) == ("20001", "20000")


def value_after(option: str, words: list[str]) -> str:
    return words[words.index(option) + 1]


# ------------------------------------------------------------------ request_person_merge


def test_after_a_merge_both_logins_work_and_are_stopped_by_their_own_uid(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rac(), rpm())
    assert not locked(root, "annex")
    # The account on this project is under the kept login now, the other login is still Bo's.
    done(site, rpi())
    assert (locked(root, "bsample"), locked(root, "annex")) == (True, True)


def test_an_account_that_came_by_a_merge_goes_on_under_its_login(site: Site, root: ScratchRoot) -> None:
    done(site, rpc(), rac())
    know(site, replace(person(site, BO), logins=("bsample",)))
    view = registry(site)
    mine = view.accounts(person=person(site, BO).key)[0]
    with site.database.begin() as connection:
        view.remove(mine)
        view.flush(connection)
    done(site, rpm(), rai({"PersonID": BO}))
    line = root.line("passwd", "annex")
    assert line is not None
    assert line[2] == ANN
    assert locked(root, "annex")


def test_a_merge_locks_the_other_login_where_the_site_wants_that(tmp_path: Path, root: ScratchRoot) -> None:
    site = with_accounts(tmp_path / "site", root, merge="merge")
    done(site, rpc(), rac(), rpc({"GrantNumber": "G2", "PiPersonID": ANN, "PiGlobalID": "90011"}), rpm())
    assert locked(root, "annex")
    assert not locked(root, "bsample")
    assert root.groups_of("bsample") == {GROUP, "p-g2"}
    assert {row.login for row in registry(site).accounts(person=person(site, BO).key)} == {"bsample"}
