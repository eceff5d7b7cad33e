"""The kind `ldap_entry` against a real OpenLDAP directory."""

from typing import Any

import pytest

from amierules.actions import ldap_entry, ldap_search
from amierules.actions.base import ActionError, Conflict
from amierules.actions.ldap_changes import EntryState
from amierules.database.rows import Person, Project
from amierules.templating import Secret, Unknown
from tests.support.directories import BO_ENTRY, DirectoryRunner
from tests.support.slapd import GROUPS, PEOPLE, Slapd

BO = f"uid=bo,{PEOPLE}"


@pytest.fixture
def runner(directory: Slapd) -> DirectoryRunner:
    return DirectoryRunner(ldap_entry, "ldap_entry", directory.directory)


def changed(directory: Slapd, before: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, list[str]] | None]:
    """What has changed in the whole tree."""
    after = directory.tree()
    return {dn: after.get(dn) for dn in {**before, **after} if before.get(dn) != after.get(dn)}


def test_an_entry_is_made_and_then_left_alone(runner: DirectoryRunner, directory: Slapd) -> None:
    before = directory.tree()
    assert runner.run(**BO_ENTRY) == {"dn": BO, "created": True}
    made = {
        "objectClass": ["inetOrgPerson", "posixAccount", "shadowAccount"],
        "uid": ["bo"],
        "uidNumber": ["20000"],
        "cn": ["Bo Sample"],
        "sn": ["Sample"],
        "gidNumber": ["20000"],
        "homeDirectory": ["/home/bo"],
    }
    assert changed(directory, before) == {BO: made}
    plan = runner.plan(**BO_ENTRY)
    assert (plan.changes, plan.reason, plan.result) == ((), "the entry is as wanted", {"dn": BO, "created": False})


def test_the_plan_says_what_is_made_and_what_is_modified(runner: DirectoryRunner) -> None:
    (made,) = runner.plan(**BO_ENTRY).changes
    assert (made.op, made.target) == ("create", BO)
    assert made.after == {
        "objectClass": ["inetOrgPerson", "posixAccount", "shadowAccount"],
        "uid": ["bo"],
        "gidNumber": ["20000"],
        "homeDirectory": ["/home/bo"],
        "uidNumber": ["20000"],
        "cn": ["Bo Sample"],
        "sn": ["Sample"],
    }
    runner.run(**BO_ENTRY)
    attributes = {**BO_ENTRY["attributes"], "cn": ["Bo Sampler"], "shadowExpire": 1}
    (modified,) = runner.plan(**{**BO_ENTRY, "attributes": attributes}).changes
    assert (modified.op, modified.target) == ("modify", BO)
    assert modified.before == {"cn": ["Bo Sample"], "shadowExpire": []}
    assert modified.after == {"replace": {"cn": ["Bo Sampler"], "shadowExpire": ["1"]}}
    assert modified.summary == f"change entry {BO}: set cn Bo Sampler; set shadowExpire 1"


def test_attributes_are_exact_and_empty_ones_are_removed(runner: DirectoryRunner, directory: Slapd) -> None:
    runner.run(**{**BO_ENTRY, "attributes": {**BO_ENTRY["attributes"], "mail": ["a@b", "c@d"], "shadowExpire": 1}})
    attributes = {**BO_ENTRY["attributes"], "mail": "c@d", "shadowExpire": [], "telephoneNumber": ""}
    runner.run(**{**BO_ENTRY, "attributes": attributes})
    entry = directory.entry(BO)
    assert entry is not None
    assert [entry.values(name) for name in ("mail", "shadowExpire", "telephoneNumber")] == [["c@d"], (), ()]
    assert runner.plan(**{**BO_ENTRY, "attributes": attributes}).changes == ()


def test_what_is_only_for_creation_is_left_alone(runner: DirectoryRunner, directory: Slapd) -> None:
    runner.run(**BO_ENTRY)
    assert runner.plan(**{**BO_ENTRY, "create_only": {"homeDirectory": "/elsewhere"}}).changes == ()


def test_a_class_that_lacks_is_added(runner: DirectoryRunner, directory: Slapd) -> None:
    runner.run(**{**BO_ENTRY, "object_classes": ["inetOrgPerson", "posixAccount"]})
    runner.run(**{**BO_ENTRY, "object_classes": ["INETORGPERSON", "shadowAccount"]})
    assert directory.tree()[BO]["objectClass"] == ["inetOrgPerson", "posixAccount", "shadowAccount"]


@pytest.mark.parametrize("spelling", ["memberUid", "MEMBERUID"])
def test_members_come_and_go_and_others_stay(runner: DirectoryRunner, directory: Slapd, spelling: str) -> None:
    group: dict[str, Any] = {"dn": "cn=crew", "base": "groups", "owner": {"gidNumber": 777}}
    before = directory.tree()
    runner.run(**group, add={spelling: ["bo", "ann"]})
    assert directory.tree()[f"cn=crew,{GROUPS}"]["memberUid"] == ["ann", "bo", "lister"]
    assert runner.plan(**group, add={spelling: "bo"}).changes == ()
    runner.run(**group, remove={spelling: ["bo", "nobody", "ann"]})
    assert directory.tree() == before
    assert runner.plan(**group, remove={spelling: ["bo", "nobody"]}).changes == ()


def test_values_that_the_server_holds_in_another_spelling_are_there(runner: DirectoryRunner, directory: Slapd) -> None:
    directory.directory.add(
        f"cn=team,{GROUPS}",
        {"objectClass": ["groupOfNames"], "cn": ["team"], "member": ["cn=A\\, b,dc=example,dc=org"]},
    )
    team: dict[str, Any] = {"dn": "cn=team", "base": "groups", "owner": {"cn": "TEAM"}}
    other = "CN=a\\2C  B, DC=example, DC=org"
    assert runner.plan(**team, add={"member": other}).changes == ()
    assert runner.plan(**team, attributes={"member": "cn=A\\2C b,dc=example,dc=org"}).changes == ()
    runner.run(**team, add={"member": "cn=x,dc=example,dc=org"})
    runner.run(**team, remove={"member": other})
    assert directory.tree()[f"cn=team,{GROUPS}"]["member"] == ["cn=x,dc=example,dc=org"]


def test_another_case_of_an_exact_value_is_another_value(runner: DirectoryRunner, directory: Slapd) -> None:
    runner.run(**BO_ENTRY)
    runner.run(**{**BO_ENTRY, "attributes": {**BO_ENTRY["attributes"], "cn": "BO Sample"}})
    assert directory.tree()[BO]["cn"] == ["BO Sample"]


def test_an_entry_is_removed(runner: DirectoryRunner, directory: Slapd) -> None:
    before = directory.tree()
    runner.run(**BO_ENTRY)
    gone: dict[str, Any] = {"dn": "uid=bo", "base": "people", "state": "absent", "attributes": {"uidNumber": 20000}}
    (change,) = runner.plan(**gone).changes
    assert (change.op, change.target) == ("delete", BO)
    runner.run(**gone)
    assert directory.tree() == before
    assert runner.plan(**gone).reason == "there is no such entry"


def test_an_entry_with_others_below_it_is_not_removed(runner: DirectoryRunner) -> None:
    with pytest.raises(ActionError, match=r"(?i)subordinate"):
        runner.run(dn="ou=people", state="absent", owner={"ou": "people"})


# ------------------------------------------------------------------ whose an entry is


def test_an_entry_with_another_number_is_not_ours(runner: DirectoryRunner, directory: Slapd) -> None:
    before = directory.tree()
    lister = {**BO_ENTRY, "dn": "uid=lister"}
    assert runner.conflict(**lister) == f"uid=lister,{PEOPLE} exists with uidNumber 38, not 20000"
    assert "not 20000" in runner.conflict(**lister, state="absent")
    assert directory.tree() == before


def test_a_dn_alone_proves_nothing(runner: DirectoryRunner) -> None:
    assert "nothing proves that it is ours" in runner.conflict(dn="uid=lister", base="people", attributes={"cn": "x"})
    assert "nothing proves" in runner.conflict(dn="cn=crew", base="groups", add={"memberUid": "bo"})


def test_the_registry_knows_whose_a_login_and_a_group_are(runner: DirectoryRunner) -> None:
    runner.known(Person("lis", "L1", "1", 38, logins=("lister",)), Project("prj", "P1", "G1", group="crew", gid=777))
    runner.run(dn="uid=lister", base="people", attributes={"cn": "List Er the other"})
    runner.run(dn="cn=crew", base="groups", add={"memberUid": "bo"})
    runner.known(Person("lis", "L1", "1", 39, logins=("lister",)))
    assert "uidNumber 38, not 39" in runner.conflict(dn="uid=lister", base="people", attributes={"cn": "x"})


def test_an_owner_that_is_said_decides(runner: DirectoryRunner, directory: Slapd) -> None:
    account = {**BO_ENTRY, "owner": {"employeeNumber": "P-1"}}
    runner.run(**account)
    assert directory.tree()[BO]["employeeNumber"] == ["P-1"]
    assert runner.plan(**account).changes == ()
    assert "employeeNumber P-1, not P-2" in runner.conflict(**{**account, "owner": {"employeeNumber": "P-2"}})


def test_the_superuser_is_nobodys(runner: DirectoryRunner, directory: Slapd) -> None:
    directory.directory.add(
        f"uid=toor,{PEOPLE}",
        {
            "objectClass": ["account", "posixAccount"],
            "uid": ["toor"],
            "cn": ["toor"],
            "uidNumber": ["0"],
            "gidNumber": ["0"],
            "homeDirectory": ["/"],
        },
    )
    assert "is the superuser" in runner.conflict(dn="uid=toor", base="people", attributes={"uidNumber": 0, "cn": "x"})


# ------------------------------------------------------------------ two persons, one number


def test_a_number_that_another_entry_has_is_not_given_again(runner: DirectoryRunner, directory: Slapd) -> None:
    before = directory.tree()
    with pytest.raises(
        Conflict, match=rf"^uidNumber 38, wanted for the new entry uid=bo .* is that of uid=lister,{PEOPLE}$"
    ):
        runner.plan(**{**BO_ENTRY, "attributes": {**BO_ENTRY["attributes"], "uidNumber": 38}})
    with pytest.raises(Conflict, match="gidNumber 777, wanted for the new entry cn=crew2"):
        runner.plan(dn="cn=crew2", base="groups", object_classes=["posixGroup"], attributes={"gidNumber": 777})
    assert directory.tree() == before


def test_the_server_judges_where_two_make_an_entry_with_one_number(runner: DirectoryRunner, directory: Slapd) -> None:
    other = {**BO_ENTRY, "dn": "uid=ann"}
    planned = runner.planned(**other)
    runner.run(**BO_ENTRY)
    before = directory.tree()
    with pytest.raises(Conflict, match=r"^uidNumber 20000, wanted for the new entry uid=ann .* is that of uid=bo"):
        ldap_entry.apply(*planned)
    assert directory.tree() == before


def test_what_was_made_meanwhile_is_ours_or_a_conflict(runner: DirectoryRunner, directory: Slapd) -> None:
    planned = runner.planned(**BO_ENTRY)
    runner.run(**BO_ENTRY)
    assert ldap_entry.apply(*planned) == {"dn": BO, "created": False}
    planned = runner.planned(
        **{**BO_ENTRY, "dn": "uid=ann", "attributes": {**BO_ENTRY["attributes"], "uidNumber": 20001}}
    )
    runner.run(**{**BO_ENTRY, "dn": "uid=ann", "attributes": {**BO_ENTRY["attributes"], "uidNumber": 20002}})
    with pytest.raises(Conflict, match="exists with uidNumber 20002, not 20001"):
        ldap_entry.apply(*planned)


# ------------------------------------------------------------------ what is not as it should be


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"base": "nowhere"}, "name no 'nowhere', but: groups, people"),
        ({"object_classes": ["noSuchClass"]}, "objectClass: value #0 invalid per syntax"),
        ({"attributes": {"uidNumber": "many"}}, "uidNumber: value #0 invalid per syntax"),
        ({"attributes": {"uidNumber": 20000, "noSuchAttribute": "x"}}, "noSuchAttribute: attribute type undefined"),
        ({"attributes": {"uidNumber": 20000, "cn": "x"}}, "requires attribute 'sn'"),
        ({"dn": "uid=bo,ou=nowhere"}, "there is no entry above uid=bo,ou=nowhere"),
        ({"add": {"CN": "x"}}, "CN stands in `add`, and in `attributes`, which is exact"),
        ({"create_only": {"objectClass": "x"}}, "write `object_classes`"),
        ({"attributes": {"uidNumber": 20000, "sn": "\ud800"}}, "a value cannot be written as UTF-8"),
    ],
)
def test_what_the_server_or_the_kind_refuses(
    runner: DirectoryRunner, directory: Slapd, given: Any, message: str
) -> None:
    before = directory.tree()
    with pytest.raises(ActionError, match=message) as caught:
        runner.run(**{**BO_ENTRY, **given})
    assert type(caught.value) is ActionError
    assert directory.tree() == before


def test_without_classes_no_entry_is_made(runner: DirectoryRunner) -> None:
    with pytest.raises(ActionError, match=f"there is no entry {BO}, and none is made without `object_classes`"):
        runner.plan(dn="uid=bo", base="people", attributes={"uidNumber": 20000, "shadowExpire": 1})


def test_passwords_are_shown_nowhere(runner: DirectoryRunner, directory: Slapd) -> None:
    account = {**BO_ENTRY, "create_only": {**BO_ENTRY["create_only"], "userPassword": Secret("{SSHA}first")}}
    (made,) = runner.plan(**account).changes
    assert "{SSHA}first" not in f"{made}"
    runner.run(**account)
    assert directory.tree()[BO]["userPassword"] == ["{SSHA}first"]
    new = {**BO_ENTRY, "attributes": {**BO_ENTRY["attributes"], "userPassword": "{SSHA}second"}}
    (modified,) = runner.plan(**new).changes
    assert "SSHA" not in f"{modified}"
    runner.run(**new)
    assert directory.tree()[BO]["userPassword"] == ["{SSHA}second"]


def test_a_plan_shows_what_is_not_known_yet(runner: DirectoryRunner) -> None:
    runner.names = {"login": Unknown("person", "bo")}
    number = Unknown("person", 20000)
    params = runner.params(
        **{**BO_ENTRY, "dn": "uid={{ login }}", "attributes": {"uidNumber": number, "sn": "S", "cn": "B"}}
    )
    plan = ldap_entry.plan(params, EntryState(), runner.surroundings(dry=True))
    (change,) = plan.changes
    assert isinstance(change.after, dict)
    assert change.after["uidNumber"] == [number]
    assert "uidNumber (known after person, probably 20000)" in change.summary
    result = plan.result
    assert isinstance(result, dict)
    assert isinstance(result["dn"], Unknown)
    assert result["dn"].expected == BO
    assert ldap_entry.plan(params, plan.after, runner.surroundings(dry=True)).changes == ()


def test_a_number_that_is_expected_in_a_filter_or_a_dn_is_expected_as_a_text(directory: Slapd) -> None:
    """A dry run asks the directory with what is expected."""
    runner = DirectoryRunner(ldap_search, "ldap_search", directory.directory)
    runner.names = {"gid": Unknown("group", 777)}
    (before, foretold, after) = runner.params(filter="(gidNumber={{ gid }})")["filter"]
    assert (before, foretold.step, foretold.expected, after) == ("(gidNumber=", "group", "777", ")")
    asked = directory.directory.filter([before, foretold.expected, after])
    assert len(directory.directory.search(GROUPS, "sub", asked, ())) == 1
