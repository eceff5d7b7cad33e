"""A running site's directory, read from a real server and joined with files and the registry."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from amierules.cli.registry_options import NewPersonId, directory_options, join_options
from amierules.database.rows import Account, Person, Project
from amierules.diagnostics import Invalid, NotAllowed, Unavailable
from amierules.engine.registry.change import plan_joined
from amierules.engine.registry.directory_accounts import read_directory
from amierules.engine.registry.files import read_files
from amierules.engine.registry.importing import Planned
from amierules.engine.registry.joining import Join
from amierules.engine.registry.stock import Stock
from amierules.ports import DirectoryError
from amierules.ports import ldap_directory as port
from amierules.ports.ldap_directory import Access, LdapDirectory
from amierules.rulebook.ldap_section import LdapSection
from tests.support.registries import configuration
from tests.support.slapd import GROUPS, PEOPLE, SUFFIX, Slapd

SECTION = LdapSection("ldapi:///", SUFFIX, {"people": PEOPLE, "groups": GROUPS})
GIVEN: Any = ("global_id=employeeNumber", "dns=description", "Organization=o", "title=description")


def person(server: Slapd, login: str, uid: object, gid: object = 100, **more: Any) -> None:
    attributes = {
        "objectClass": ["inetOrgPerson", "posixAccount"],
        "uid": [login],
        "cn": [login.title()],
        "sn": ["Sample"],
        "uidNumber": [str(uid)],
        "gidNumber": [str(gid)],
        "homeDirectory": [f"/home/{login}"],
    }
    server.directory.add(f"uid={login},{PEOPLE}", attributes | {name: [*values] for name, values in more.items()})


def group(server: Slapd, name: str, gid: int, *members: str, **more: Any) -> None:
    attributes = {"objectClass": ["posixGroup"], "cn": [name], "gidNumber": [str(gid)]}
    listed = {"memberUid": list(members)} if members else {}
    server.directory.add(
        f"cn={name},{GROUPS}", {**attributes, **listed, **{one: [*said] for one, said in more.items()}}
    )


@pytest.fixture
def site(directory: Slapd) -> Slapd:
    """A site of four users in two projects; besides, the entries that are there anyway."""
    person(directory, "bea", 20001, 30001, givenName=["Bea"], mail=["bea@site.example"], employeeNumber=["71691"],
           description=["/C=US/CN=Bea Sample", "/C=US/CN=Bea, 2"], o=["Example State"])  # fmt: skip
    person(directory, "cal", 20002, cn=["Cal de la Cruz"])
    person(directory, "dee", 20003, 30001)
    person(directory, "old", 1200)
    group(directory, "p-tg1", 30001, "cal", description=["Quantum chemistry"])
    group(directory, "p-tg2", 30002, "bea", "ghost", "old")
    return directory


def taken(
    server: Slapd,
    stock: Stock,
    folder: Path | None = None,
    *,
    attributes: Any = GIVEN,
    files: dict[str, str] | None = None,
    projects: str | None = "p-(?P<project_id>.+)",
    person_id: NewPersonId = NewPersonId.uid,
    **filters: Any,
) -> Planned:
    """What an import plans; the stock then holds the rows as they are to be."""
    asked = directory_options(filters.get("accounts"), filters.get("groups"), attributes, ldap=True)
    for name, text in (files or {}).items():
        assert folder is not None
        (folder / name).write_text(text, encoding="utf-8")
    contents = read_files([folder / name for name in files or {} if folder])
    config = configuration("alpha")
    join = Join(contents.entries, stock, config, join_options(projects, "20000-29999", person_id, None))
    join.take(read_directory(server.directory, SECTION, asked))
    return plan_joined(contents, join, stock, config, lambda: str(uuid4()))


def persons(stock: Stock) -> dict[str, Person]:
    return {one.login or "": one for one in stock.of(Person)}


def memberships(stock: Stock) -> set[tuple[str, str]]:
    return {(row.login, stock.project_name(row.project) or "") for row in stock.of(Account)}


def errors(planned: Planned) -> list[tuple[str, str]]:
    return sorted((one.code, one.place.file.partition(",")[0] if one.place else "") for one in planned.findings)


def test_entries_become_persons_and_groups_projects(site: Slapd) -> None:
    stock = Stock()
    planned = taken(site, stock)
    assert errors(planned) == [("unknown-member", "cn=p-tg2")]
    people = persons(stock)
    assert sorted(people) == ["bea", "cal", "dee"]  # neither `lister` nor `old`: their uids are not those of persons
    bea = people["bea"]
    assert (bea.person_id, bea.global_id, bea.uid) == ("20001", "71691", 20001)
    assert bea.dns == ("/C=US/CN=Bea Sample", "/C=US/CN=Bea, 2")
    names = {"FirstName": "Bea", "LastName": "Sample"}
    assert bea.data == {**names, "Email": "bea@site.example", "Organization": "Example State"}
    assert people["cal"].data == {"FirstName": "Cal", "MiddleName": "de la", "LastName": "Cruz"}
    assert {(one.project_id, one.group, one.gid, one.title) for one in stock.of(Project)} == {
        ("tg1", "p-tg1", 30001, "Quantum chemistry"),
        ("tg2", "p-tg2", 30002, None),
    }
    assert memberships(stock) == {("bea", "tg1"), ("dee", "tg1"), ("cal", "tg1"), ("bea", "tg2")}


def test_a_second_time_changes_nothing(site: Slapd) -> None:
    stock = Stock()
    taken(site, stock)
    again = taken(site, stock)
    assert again.rows == []


def test_attributes_may_name_persons_and_projects(site: Slapd) -> None:
    stock = Stock()
    named = ("person_id=employeeNumber", "grant_number=description")
    planned = taken(site, stock, attributes=named, projects=None)
    assert not planned.invalid
    assert persons(stock)["bea"].person_id == "71691"
    assert [(one.project_id, one.grant_number) for one in stock.of(Project)] == [(None, "Quantum chemistry")]


def test_filters_say_who_is_meant(site: Slapd) -> None:
    stock = Stock()
    taken(site, stock, accounts="(&(objectClass=posixAccount)(employeeNumber=*))", groups="(cn=p-tg2)")
    assert sorted(persons(stock)) == ["bea"]
    assert memberships(stock) == {("bea", "tg2")}


def test_members_may_be_named_by_their_dns(site: Slapd) -> None:
    site.directory.add(
        f"cn=p-tg3,{GROUPS}",
        {
            "objectClass": ["groupOfNames", "extensibleObject"],
            "cn": ["p-tg3"],
            "gidNumber": ["30003"],
            "member": [f"UID=Bea, {PEOPLE}", f"cn=p-tg1,{GROUPS}"],
        },
    )
    stock = Stock()
    taken(site, stock, groups="(objectClass=groupOfNames)")
    assert memberships(stock) == {("bea", "tg3")}


def test_entries_complete_what_files_and_the_registry_know(site: Slapd, tmp_path: Path) -> None:
    stock = Stock(
        [Person("k1", "P1", "71691", data={"LastName": "Married"}, dns=("/CN=Bea",)), Project("k2", "PR2", "TG2")]
    )
    files = {
        "persons.csv": "person_id,global_id,login\nP2,71692,cal\n",
        "projects.csv": "project_id,grant_number,group\nPR1,TG1,p-tg1\n",
    }
    planned = taken(site, stock, tmp_path, files=files, projects="p-(?P<project_id>.+)")
    assert not planned.invalid, planned.findings
    people = persons(stock)
    bea, cal = people["bea"], people["cal"]
    assert (bea.key, bea.person_id, bea.uid, bea.data) == ("k1", "P1", 20001, {"LastName": "Married"})
    assert bea.dns == ("/CN=Bea", "/C=US/CN=Bea Sample", "/C=US/CN=Bea, 2")
    assert (cal.person_id, cal.global_id, cal.uid) == ("P2", "71692", 20002)
    assert ("cal", "PR1") in memberships(stock)


def test_all_conflicts_are_reported_at_once(site: Slapd, tmp_path: Path) -> None:
    person(site, "eve", 20005, employeeNumber=["71691"])  # a GlobalID twice
    person(site, "fay", 20006, employeeNumber=["4711"])  # another GlobalID than in persons.csv
    person(site, "gus", 4294967295)  # no uid
    person(site, "hal", 20008, description=["x" * 1001])
    group(site, "p-tg4", 30001)  # a gid twice
    files = {"persons.csv": "person_id,global_id,login,uid\nP6,4712,fay,\nP3,4713,dee,20099\n"}
    stock = Stock()
    planned = taken(site, stock, tmp_path, files=files)
    assert planned.invalid
    assert errors(planned) == [
        ("account-differs", "uid=dee"),
        ("account-differs", "uid=eve"),
        ("account-differs", "uid=fay"),
        ("account-entry", "uid=gus"),
        ("account-entry", "uid=hal"),
        ("id-taken", "cn=p-tg4"),
        ("unknown-member", "cn=p-tg2"),
    ]


def test_an_entry_without_what_it_needs_is_said(site: Slapd) -> None:
    planned = taken(site, Stock(), accounts="(|(uid=bea)(objectClass=organizationalUnit))")
    (finding,) = [one for one in planned.findings if one.code == "account-entry"]
    assert (finding.message, finding.place and finding.place.file) == ("the entry has no uid", PEOPLE)


def test_more_entries_than_a_page_holds_are_all_read(site: Slapd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "_PAGE", 2)
    monkeypatch.setattr(port, "MOST_ENTRIES", 2)
    stock = Stock()
    taken(site, stock)
    assert sorted(persons(stock)) == ["bea", "cal", "dee"]


def test_a_server_that_goes_away_between_two_pages_is_said(site: Slapd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "_PAGE", 2)
    entries = LdapDirectory(site.directory.access).every(PEOPLE, "(uid=*)", ["uid"])
    next(entries)
    next(entries)
    site.stop()
    site.start()
    with pytest.raises(DirectoryError):
        list(entries)


@pytest.mark.parametrize("words", ["(uid=", "uid=x)(", ")"])
def test_a_filter_that_is_none_is_refused(site: Slapd, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        taken(site, Stock(), accounts=words)
    assert "cannot be searched below" in str(caught.value)


def test_a_server_that_is_away_is_said(tmp_path: Path) -> None:
    away = LdapDirectory(Access("ldap://127.0.0.1:1"))
    with pytest.raises(Unavailable):
        read_directory(away, SECTION, directory_options(None, None, None, ldap=True))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (["global_id"], "says nothing"),
        (["global_id=a b"], "says nothing"),
        (["globalid=employeeNumber"], "no attribute can say 'globalid'"),
        (["DnList=description"], "no attribute can say 'DnList'"),
    ],
)
def test_attributes_that_are_none_are_wrong_usage(attributes: list[str], said: str) -> None:
    with pytest.raises(NotAllowed, match=said):
        directory_options(None, None, attributes, ldap=True)
    with pytest.raises(NotAllowed, match="without --ldap"):
        directory_options("(uid=x)", None, None, ldap=False)
