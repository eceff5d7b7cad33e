"""The shipped rules with accounts in a directory, on a real OpenLDAP server."""

from pathlib import Path

import pytest

from amierules.database.connection import Database
from amierules.engine.site import Site
from tests.support import sites
from tests.support.policy import ANN, BO, send
from tests.support.sites import BETA, rac, rai, rar, rpc, rpi, rpm, rpr, rum
from tests.support.slapd import GROUPS, PEOPLE, Slapd

GROUP = f"cn=p-xyz259276,{GROUPS}"


@pytest.fixture
def site(tmp_path: Path, directory: Slapd) -> Site:
    return make(tmp_path, directory)


def make(folder: Path, directory: Slapd, **settings: object) -> Site:
    given = {**sites.SETTINGS, "accounts": "ldap", **settings}
    database = Database.open("sqlite://", create=True)
    return sites.make_site(database, folder / "site", settings=given, ldap=directory.section())


def done(site: Site, *packets: dict[str, object]) -> None:
    for packet in packets:
        got = send(site, packet)
        assert got.status == "done", got


def locked(directory: Slapd, login: str) -> bool:
    found = directory.tree()[f"uid={login},{PEOPLE}"].get("shadowExpire", [])
    assert found in ([], ["1"])
    return bool(found)


def members(directory: Slapd, group: str = GROUP) -> list[str]:
    return directory.tree()[group].get("memberUid", [])


def test_a_project_and_an_account_bring_entries_and_a_group(site: Site, directory: Slapd) -> None:
    before = directory.tree()
    done(site, rpc(), rac())
    after = directory.tree()
    assert {dn: after[dn] for dn in before} == before
    assert after.keys() - before.keys() == {GROUP, f"uid=bsample,{PEOPLE}", f"uid=annex,{PEOPLE}"}
    assert after[GROUP] == {
        "objectClass": ["posixGroup"],
        "cn": ["p-xyz259276"],
        "gidNumber": ["30000"],
        "memberUid": ["annex", "bsample"],
    }
    assert after[f"uid=annex,{PEOPLE}"] == {
        "objectClass": ["inetOrgPerson", "posixAccount", "shadowAccount"],
        "uid": ["annex"],
        "uidNumber": [ANN],
        "gidNumber": ["30000"],
        "cn": ["Ann Example"],
        "sn": ["Example"],
        "homeDirectory": ["/home/annex"],
        "loginShell": ["/bin/bash"],
    }


def test_an_entry_is_locked_only_if_no_other_account_is_open(site: Site, directory: Slapd) -> None:
    done(site, rpc(), rac(), rpc({"ResourceList": [BETA]}), rac({"ResourceList": [BETA]}))
    done(site, rai({"PersonID": ANN}))
    assert not locked(directory, "annex")
    done(site, rai({"PersonID": ANN, "ResourceList": [BETA]}))
    assert (locked(directory, "annex"), locked(directory, "bsample")) == (True, False)
    done(site, rar({"PersonID": ANN}))
    assert not locked(directory, "annex")


def test_a_project_that_is_stopped_and_comes_back_for_its_pi(site: Site, directory: Slapd) -> None:
    done(site, rpc(), rac(), rpi())
    assert (locked(directory, "bsample"), locked(directory, "annex")) == (True, True)
    done(site, rpr())
    assert (locked(directory, "bsample"), locked(directory, "annex")) == (False, True)


def test_an_account_that_is_stopped_leaves_the_group(site: Site, directory: Slapd) -> None:
    done(site, rpc(), rac(), rai({"PersonID": ANN}))
    assert members(directory) == ["bsample"]
    done(site, rac(), rpi())
    assert members(directory) == []
    done(site, rpr())
    assert members(directory) == ["bsample"]


def test_all_logins_of_a_merged_person_are_locked(site: Site, directory: Slapd) -> None:
    done(site, rpc(), rac(), rpm())
    assert (locked(directory, "bsample"), locked(directory, "annex")) == (False, False)
    done(site, rpi())
    assert (locked(directory, "bsample"), locked(directory, "annex")) == (True, True)


def test_on_an_inactive_project_a_new_login_is_locked_and_in_no_group(site: Site, directory: Slapd) -> None:
    done(site, rpc(), rpi(), rac())
    assert locked(directory, "annex")
    assert members(directory) == []
    done(site, rpr(), rac())
    assert not locked(directory, "annex")
    assert members(directory) == ["annex", "bsample"]


def test_a_new_name_reaches_the_entry_and_nothing_else(site: Site, directory: Slapd) -> None:
    done(site, rpc(), rac())
    before = directory.tree()
    done(site, rum({"PersonID": ANN, "FirstName": "Ann", "LastName": "Sampler, x"}))
    ann = f"uid=annex,{PEOPLE}"
    assert directory.tree() == {**before, ann: {**before[ann], "cn": ["Ann Sampler, x"], "sn": ["Sampler, x"]}}


def test_a_merge_locks_the_other_entry_where_the_site_wants_that(tmp_path: Path, directory: Slapd) -> None:
    site = make(tmp_path, directory, merge="merge")
    second = rpc({"GrantNumber": "G2", "PiPersonID": ANN, "PiGlobalID": "90011"})
    done(site, rpc(), rac(), second, rpm())
    assert (locked(directory, "bsample"), locked(directory, "annex")) == (False, True)
    assert "bsample" in members(directory, f"cn=p-g2,{GROUPS}")


def test_somebody_else_s_entry_is_never_taken(site: Site, directory: Slapd) -> None:
    before = directory.tree()
    got = send(site, rpc({"PiRequestedLoginList": ["lister"]}))
    assert got.status == "held"
    assert f"exists with uidNumber 38, not {BO}" in got.reason
    after = directory.tree()
    assert {dn: after[dn] for dn in before} == before
