"""A running site's passwd and group files, joined with registry files and the registry."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from amierules.cli.registry_options import NewPersonId, join_options
from amierules.database.rows import Account, Person, Presence, Project, RegistryRow
from amierules.engine.registry.change import plan_joined
from amierules.engine.registry.files import read_files
from amierules.engine.registry.importing import Planned
from amierules.engine.registry.joining import Join, JoinOptions
from amierules.engine.registry.stock import Stock
from amierules.engine.registry.unix_accounts import read_unix_accounts
from tests.support.registries import canonical, configuration

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/:/usr/sbin/nologin
# staff
bea:x:20001:30001:Bea Ann Sample,Room 5,555-1234:/home/bea:/bin/bash
cal:x:20002:100:Cal Example:/home/cal:/bin/bash
dee:x:20003:30001:Dee:/home/dee:/bin/zsh
eve:x:20004:100::/home/eve:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
GROUP = """\
root:x:0:
users:x:100:
p-tg1:x:30001:cal,eve
p-tg2:x:30002:bea,daemon
wheel:x:10:bea
"""
PROJECTS = r"p-(?P<project_id>.+)"


def options(**given: Any) -> JoinOptions:
    """What the command line makes of its options."""
    asked: dict[str, Any] = {
        "projects": PROJECTS,
        "uids": None,
        "person_id": NewPersonId.uid,
        "resource": None,
        **given,
    }
    return join_options(**asked)


def taken(
    folder: Path,
    stock: Stock,
    passwd: str = PASSWD,
    group: str = GROUP,
    files: dict[str, str] | None = None,
    **given: Any,
) -> Planned:
    """What an import plans; the stock then holds the rows as they are to be."""
    for name, text in {"passwd": passwd, "group": group, **(files or {})}.items():
        (folder / name).write_text(text, encoding="utf-8")
    config = configuration("alpha")
    contents = read_files([folder / name for name in files or {}])
    join = Join(contents.entries, stock, config, options(**given))
    join.take(read_unix_accounts(folder / "passwd", folder / "group"))
    return plan_joined(contents, join, stock, config, lambda: str(uuid4()))


def persons(stock: Stock) -> dict[str, Person]:
    """The persons by login."""
    return {person.login or "": person for person in stock.of(Person)}


def memberships(stock: Stock) -> set[tuple[str, str, str]]:
    """(login, project, resource) of all accounts."""
    return {(row.login, stock.project_name(row.project) or "", row.resource) for row in stock.of(Account)}


def found(planned: Planned) -> list[tuple[str, str, int]]:
    """The findings: code, file, line."""
    places = [(finding.code, finding.place) for finding in planned.findings]
    return [(code, Path(place.file).name if place else "", place.line if place else 0) for code, place in places]


def test_accounts_become_persons_and_groups_projects(tmp_path: Path) -> None:
    stock = Stock()
    planned = taken(tmp_path, stock)
    assert planned.findings == []
    people = persons(stock)
    assert sorted(people) == ["bea", "cal", "dee", "eve"]
    assert (people["bea"].person_id, people["bea"].uid) == ("20001", 20001)
    assert people["bea"].data == {"FirstName": "Bea", "MiddleName": "Ann", "LastName": "Sample"}
    assert people["cal"].data == {"FirstName": "Cal", "LastName": "Example"}
    assert people["dee"].data == {"LastName": "Dee"}
    assert people["eve"].data == {}
    assert {(project.project_id, project.group, project.gid) for project in stock.of(Project)} == {
        ("tg1", "p-tg1", 30001),
        ("tg2", "p-tg2", 30002),
    }
    assert [presence.resource for presence in stock.of(Presence)] == ["alpha", "alpha"]
    assert memberships(stock) == {
        *((login, "tg1", "alpha") for login in ("bea", "dee", "cal", "eve")),
        ("bea", "tg2", "alpha"),
    }


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    stock = Stock()
    taken(tmp_path, stock)
    before = canonical(stock)
    again = taken(tmp_path, stock)
    assert (again.findings, again.rows) == ([], [])
    assert canonical(stock) == before
    assert again.summary() == "nothing to change (5 accounts as they were)"


def test_files_say_who_is_who_and_accounts_complete_them(tmp_path: Path) -> None:
    stock = Stock()
    files = {
        "persons.csv": "person_id,global_id,login,FirstName,LastName,dns\nP1,71691,bea,Beatrice,Sample,/CN=Bea\n",
        "projects.csv": "project_id,grant_number,group,pi\nPR1,TG1,p-tg1,P1\n",
    }
    planned = taken(tmp_path, stock, files=files, person_id=NewPersonId.login)
    assert planned.findings == []
    bea = persons(stock)["bea"]
    assert (bea.person_id, bea.global_id, bea.uid) == ("P1", "71691", 20001)
    assert (bea.data["FirstName"], bea.dns) == ("Beatrice", ("/CN=Bea",))
    assert persons(stock)["cal"].person_id == "cal"
    project = next(one for one in stock.of(Project) if one.project_id == "PR1")
    assert (project.grant_number, project.gid, project.pi) == ("TG1", 30001, bea.key)
    assert ("bea", "PR1", "alpha") in memberships(stock)


def test_rows_of_the_registry_are_completed_and_keep_their_names(tmp_path: Path) -> None:
    rows: list[RegistryRow] = [
        Person("k1", "P1", "71691", data={"LastName": "Married"}, logins=("bea", "beasample")),
        Project("k2", "PR1", "TG1", group="p-tg1"),
        Presence("k2", "beta"),
        Account("k1", "k2", "beta", "bea", active=False),
    ]
    stock = Stock(rows)
    planned = taken(tmp_path, stock)
    assert planned.findings == []
    bea = persons(stock)["bea"]
    assert (bea.key, bea.uid, bea.data) == ("k1", 20001, {"LastName": "Married"})
    assert next(one for one in stock.of(Project) if one.key == "k2").gid == 30001
    assert {(login, resource) for login, project, resource in memberships(stock) if project == "PR1"} == {
        (login, "beta") for login in ("bea", "cal", "dee", "eve")
    }
    account = next(row for row in stock.of(Account) if (row.person, row.project) == ("k1", "k2"))
    assert account.active is False


def test_projects_are_named_by_a_group_of_the_pattern(tmp_path: Path) -> None:
    stock = Stock([Project("k", "PR1", "tg2")])
    planned = taken(tmp_path, stock, projects="p-(?P<grant_number>.+)")
    assert planned.findings == []
    assert {(one.project_id, one.grant_number, one.gid) for one in stock.of(Project)} == {
        ("PR1", "tg2", 30002),
        (None, "tg1", 30001),
    }
    stock = Stock()
    taken(tmp_path, stock, projects="wheel")
    assert [(one.project_id, one.group) for one in stock.of(Project)] == [("wheel", "wheel")]
    stock = Stock()
    taken(tmp_path, stock, projects=None)
    assert stock.of(Project) == []


def test_what_a_file_says_of_an_account_is_not_said_again(tmp_path: Path) -> None:
    stock = Stock()
    files = {
        "persons.csv": "person_id,global_id,login\nP1,71691,bea\n",
        "projects.csv": "project_id,grant_number,group\nPR1,TG1,p-tg1\n",
        "accounts.csv": "person,project,active\n71691,TG1,false\n",
    }
    planned = taken(tmp_path, stock, files=files)
    assert planned.findings == []
    bea = persons(stock)["bea"]
    account = next(row for row in stock.of(Account) if row.person == bea.key and row.login == "bea")
    assert (account.active, account.resource) == (False, "alpha")


def test_uids_say_who_is_a_person_but_for_those_who_are_named(tmp_path: Path) -> None:
    stock = Stock()
    files = {"persons.csv": "person_id,login\nP5,daemon\n"}
    planned = taken(tmp_path, stock, files=files, uids="20002-20003")
    assert sorted(persons(stock)) == ["cal", "daemon", "dee"]
    assert persons(stock)["daemon"].uid == 1
    assert {finding.code for finding in planned.findings} == set()


def test_all_conflicts_are_reported_at_once(tmp_path: Path) -> None:
    passwd = (
        PASSWD
        + "bea:x:20009:100:Bea again:/home/bea:/bin/sh\n"  # a login twice
        + "fay:x:20002:100:Fay:/home/fay:/bin/sh\n"  # a uid twice
        + "gus:x:20077:100:Gus\n"
        + "hal:x:many:100:Hal:/home/hal:/bin/sh\n"
        + "b d:x:20078:100:B D:/home/bd:/bin/sh\n"
    )
    group = GROUP + "p-tg1:x:30009:\np-tg3:x:30003:ghost,phantom,bea\n"
    files = {
        "persons.csv": "person_id,global_id,login,uid\nP1,71691,dee,20055\nP2,71691,eve,\n",
        "projects.csv": "project_id,group,pi\nPR1,p-tg1,P9\n",
    }
    stock = Stock()
    planned = taken(tmp_path, stock, passwd, group, files)
    assert planned.invalid
    assert sorted(found(planned)) == [
        ("account-differs", "group", 6),
        ("account-differs", "passwd", 6),  # a uid that is another one in persons.csv
        ("account-differs", "passwd", 9),
        ("account-differs", "passwd", 10),
        ("account-line", "passwd", 11),
        ("account-line", "passwd", 12),
        ("bad-value", "passwd", 13),
        ("duplicate-row", "persons.csv", 3),  # a GlobalID twice
        ("unknown-member", "group", 7),
        ("unknown-person", "projects.csv", 2),
    ]


def test_a_person_id_that_somebody_else_has_is_a_conflict(tmp_path: Path) -> None:
    stock = Stock([Person("k1", "20001", logins=("other",), uid=777)])
    planned = taken(tmp_path, stock)
    assert ("account-differs", "passwd", 4) in found(planned)
    assert [person.logins for person in stock.of(Person) if person.key == "k1"] == [("other",)]


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_file_is_read_or_refused(passwd: str, group: str) -> None:

    with TemporaryDirectory() as folder:
        stock = Stock()
        planned = taken(Path(folder), stock, passwd.replace("\ud800", ""), group.replace("\ud800", ""))
        assert all(finding.code for finding in planned.findings)
