"""The registry as a packet sees it, and what it writes at the end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from amierules.database.connection import Database
from amierules.database.registry import RegistryView
from amierules.database.registry_read import key_of
from amierules.database.registry_write import RegistryConflict
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.templating import Unknown
from tests.support.registry_rows import BEA, ROWS, write


@pytest.fixture
def stocked(database: Database) -> Database:
    write(database, *ROWS)
    return database


@pytest.fixture
def view(stocked: Database) -> RegistryView:
    return RegistryView(stocked.read)


# ------------------------------------------------------------------ reading


def test_what_was_written_is_read_as_it_was(stocked: Database, view: RegistryView) -> None:
    assert [view.row(key_of(row)) for row in ROWS] == list(ROWS)


def test_a_person_is_found_by_the_first_criterion_that_matches(view: RegistryView) -> None:
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"person_id": "P1"}, "bea"),
        ({"person_id": "P0"}, "bea"),
        ({"global_id": "43"}, "cal"),
        ({"email": "bea@eXample.ORG"}, "bea"),
        ({"login": "bea"}, "bea"),
        ({"person_id": "P2", "global_id": "42"}, "cal"),
        ({"person_id": "nobody", "global_id": "42"}, "bea"),
        ({"person_id": "nobody"}, None),
        ({"login": "Bea"}, None),
        ({"person_id": None}, None),
        ({"person_id": ["P1"]}, None),
        ({"person_id": "' or 1=1 --"}, None),
        ({}, None),
    ]
    for criteria, key in cases:
        found = view.find_person(**criteria)
        assert (found.key if found else None) == key, criteria


@pytest.mark.parametrize("email", ["jürgen.ß_m%n@UNI.example", "JÜRGEN.ß_M%N@uni.example", "jÜrgen.ß_m%N@Uni.exampLE"])
def test_an_email_is_found_in_any_case_of_any_letter(stocked: Database, email: str) -> None:
    write(
        stocked,
        Person("one", "P9", data={"Email": "Jürgen.ß_m%n@uni.example"}),
        Person("other", "P10", data={"Email": "Jörgen.ß_m%n@uni.example"}),
    )
    found = RegistryView(stocked.read).find_person(email=email)
    assert found is not None
    assert found.key == "one"
    assert RegistryView(stocked.read).find_person(email=f"{email}.org") is None
    assert RegistryView(stocked.read).find_person(email="é" * 200_000) is None


def test_an_email_of_two_persons_finds_neither(stocked: Database) -> None:
    write(stocked, Person("dup", "P9", data={"Email": "CAL@example.org"}))
    assert RegistryView(stocked.read).find_person(email="cal@example.org") is None


def test_a_project_is_found_by_exactly_what_is_given(view: RegistryView) -> None:
    assert view.find_project(grant_number="TG1") == ROWS[2]
    assert view.find_project(project_id="PR1") == ROWS[2]
    assert view.find_project(grant_number="TG2", project_id="PR1") == ROWS[2]
    assert view.find_project(grant_number="PR1") is None
    assert view.find_project() is None
    assert view.project_by_group("grp1") == ROWS[2]


def test_allocations_come_by_start_and_accounts_by_what_is_given(view: RegistryView) -> None:
    assert [row.start.year for row in view.allocations("prj", "alpha")] == [2025, 2026]
    assert view.allocations("prj", "beta") == []
    assert [row.person for row in view.accounts(project="prj")] == ["bea", "cal"]
    assert [row.person for row in view.accounts(person="cal", resource="alpha")] == ["cal"]
    assert view.accounts(resource="beta") == []
    assert len(view.accounts()) == 2


def test_an_id_tells_its_owner(view: RegistryView) -> None:
    cases: list[tuple[str, object, str | None]] = [
        ("uid", 20001, "bea"),
        ("gid", 30001, "prj"),
        ("uid", 30001, None),
        ("uid", "20001", None),
        ("person_id", "P0", "bea"),
        ("person_id", 7, None),
        ("global_id", "43", "cal"),
        ("login", "bea", "bea"),
        ("login", "cal", "cal"),
        ("group", "grp1", "prj"),
        ("project_id", "PR1", "prj"),
        ("grant_number", "TG1", "prj"),
        ("login", None, None),
    ]
    assert [view.id_taken(what, value) for what, value, _ in cases] == [owner for *_, owner in cases]


def test_a_login_that_only_an_account_has_is_taken(stocked: Database) -> None:
    write(stocked, Account("bea", "prj", "beta", "bea_beta"))
    view = RegistryView(stocked.read)
    assert view.id_taken("login", "bea_beta") == "bea"
    assert view.login_owner("bea_beta") is None


def test_each_question_is_asked_once_and_its_answer_stays(stocked: Database) -> None:
    opened = []

    @contextmanager
    def source() -> Iterator[Connection]:
        opened.append(1)
        with stocked.read() as connection:
            yield connection

    view = RegistryView(source)
    first = view.find_person(person_id="P1")
    write(stocked, replace(BEA, state="suspended"))
    assert view.find_person(person_id="P1") == first
    assert view.person("bea") == first
    assert len(opened) == 1


# ------------------------------------------------------------------ staging


def test_staged_rows_lie_over_the_database(stocked: Database, view: RegistryView) -> None:
    view.put(replace(BEA, person_id="P7", ids=(), logins=("new",)))
    assert view.find_person(person_id="P1") is None
    assert view.find_person(person_id="P0") is None
    assert view.id_taken("person_id", "P1") is None
    assert view.id_taken("login", "new") == "bea"
    assert view.login_owner("bsample") is None
    assert RegistryView(stocked.read).find_person(person_id="P1") == BEA


def test_a_new_person_is_found_and_known_as_created(view: RegistryView) -> None:
    dan = Person(view.new_key(), "P5", logins=("dan",), data={"Email": "dan@x"})
    view.put(dan)
    assert view.find_person(person_id="P5") is dan
    assert view.find_person(email="DAN@x") is dan
    assert view.created(dan.key)
    assert view.created(dan)
    assert not view.created("bea")
    assert not view.created(BEA)


def test_created_holds_after_a_second_change_but_not_for_a_changed_row(view: RegistryView) -> None:
    account = Account("bea", "prj", "beta", "bea")
    view.put(account)
    view.put(replace(account, active=False))
    assert view.created(account)
    view.put(Account("bea", "prj", "alpha", "bsample", active=False))
    assert not view.created(Account("bea", "prj", "alpha", "bsample"))


def test_an_equal_row_stages_nothing(view: RegistryView) -> None:
    assert view.put(replace(BEA)) == []
    assert view.staged == []


def test_staged_holds_what_came_since_the_mark(view: RegistryView) -> None:
    first = view.put(replace(BEA, uid=5))
    view.mark()
    second = view.put(replace(BEA, uid=6))
    assert view.staged == second
    assert first[0]["before"] is not None
    assert first[0]["after"] is not None
    assert (first[0]["before"]["uid"], first[0]["after"]["uid"]) == (20001, 5)
    assert second[0]["before"] is not None
    assert second[0]["before"]["uid"] == 5


def test_touched_names_the_locks_of_every_row_concerned(view: RegistryView) -> None:
    assert view.touched() == set()
    view.put(Account("cal", "prj", "alpha", "cal", active=True))
    assert view.touched() == {"person:cal", "person:id:P2", "person:global:43", "grant:TG1", "project:PR1"}
    view.put(replace(BEA, uid=5))
    assert view.touched() >= {"person:bea", "person:id:P0", "person:id:P1", "person:global:42"}


def test_a_dry_run_may_put_unknown_values(view: RegistryView) -> None:
    uid: Any = Unknown("ids")
    login: Any = Unknown("login", "dan")
    start: Any = Unknown("start")
    key = view.new_key()
    dan = Person(key, uid, "99", uid, data={"x": uid}, logins=(login,))
    assert len(view.put(dan)) == 1
    assert view.put(replace(dan)) == []
    view.put(Account(key, "prj", "alpha", login))
    view.put(Allocation("prj", "alpha", start))
    view.put(Project(view.new_key(), grant_number="TG9", gid=uid))
    assert view.find_person(person_id=uid) is dan
    assert view.find_person(person_id="P7", login="dan") is None
    assert view.find_person(login=Unknown("login", "dan")) is None
    assert view.id_taken("login", login) == key
    assert view.id_taken("uid", 5) is None
    assert view.accounts(person=key)[0].login is login
    assert view.allocations("prj", "alpha")[-1].start is start
    assert {f"person:{key}", "person:global:99", "grant:TG9"} <= view.touched()


# ------------------------------------------------------------------ restaging

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
data = st.dictionaries(
    texts, texts | st.decimals(allow_nan=False) | st.dates() | st.lists(texts, max_size=2), max_size=3
)
rows = st.one_of(
    st.builds(
        Person,
        st.sampled_from(["k1", "k2"]),
        st.none() | texts,
        st.none() | texts,
        st.none() | st.integers(0, 99),
        st.sampled_from(["active", "suspended"]),
        data,
        st.lists(texts, unique=True, max_size=2).map(tuple),
        st.lists(texts, unique=True, max_size=2).map(tuple),
        st.lists(texts, unique=True, max_size=2).map(tuple),
    ),
    st.builds(
        Project,
        st.sampled_from(["p1", "p2"]),
        st.none() | texts,
        pi=st.none() | st.sampled_from(["k1", "k2"]),
        data=data,
    ),
    st.builds(Presence, st.just("p1"), st.just("alpha"), st.booleans()),
    st.builds(Allocation, st.just("p1"), st.just("alpha"), st.dates(), st.none() | st.dates(), st.decimals(0, 9)),
    st.builds(Account, st.just("k1"), st.just("p1"), st.just("alpha"), texts, st.booleans()),
)


@pytest.fixture(scope="module")
def empty() -> Iterator[Database]:
    with Database.open("sqlite://", create=False) as database:
        yield database


@given(changes=st.lists(rows, max_size=6))
def test_restaging_what_was_staged_gives_equal_rows(empty: Database, changes: list[RegistryRow]) -> None:
    view, again = RegistryView(empty.read), RegistryView(empty.read)
    for row in changes:
        view.put(row)
    again.restage(json.loads(json.dumps(view.staged)))
    for row in changes:
        assert again.row(key_of(row)) == view.row(key_of(row))
    assert again.staged == view.staged


def test_restaging_keeps_what_somebody_changed_meanwhile(stocked: Database, view: RegistryView) -> None:
    view.put(replace(BEA, uid=5, logins=("third", *BEA.logins)))
    write(stocked, replace(BEA, state="suspended", dns=("/CN=other",)))
    again = RegistryView(stocked.read)
    again.restage(view.staged)
    assert again.person("bea") == replace(
        BEA, uid=5, logins=("third", *BEA.logins), state="suspended", dns=("/CN=other",)
    )


# ------------------------------------------------------------------ rows that go


def test_a_person_goes_with_all_that_another_takes_over(stocked: Database, view: RegistryView) -> None:
    bea, cal = view.person("bea"), view.person("cal")
    (project,) = view.projects_of_pi("bea")
    (account,) = view.accounts(person="bea")
    assert bea is not None
    assert cal is not None
    kept = replace(cal, ids=("P0", "P1"), logins=("cal", "bsample", "bea"), dns=bea.dns, uid=bea.uid, global_id="42")
    view.remove(account)
    view.remove(bea)
    for row in (kept, replace(project, pi="cal"), replace(account, person="cal", resource="beta")):
        view.put(row)
    assert view.person("bea") is None
    assert view.find_person(person_id="P1") == kept
    assert view.accounts(person="bea") == []
    assert {"person:bea", "person:id:P1", "grant:TG1"} <= view.touched()
    with stocked.begin() as connection:
        view.flush(connection)
    now = RegistryView(stocked.read)
    assert now.person("bea") is None
    assert now.find_person(global_id="42") == kept
    assert [row.key for row in now.projects_of_pi("cal")] == ["prj"]
    assert {row.resource for row in now.accounts(person="cal")} == {"alpha", "beta"}


def test_a_row_that_others_still_name_does_not_go(stocked: Database, view: RegistryView) -> None:
    bea = view.person("bea")
    assert bea is not None
    view.remove(bea)
    with pytest.raises(RegistryConflict), stocked.begin() as connection:
        view.flush(connection)
    assert RegistryView(stocked.read).person("bea") == bea


def test_removing_what_is_not_there_changes_nothing(view: RegistryView) -> None:
    assert view.remove(Person("nobody")) == []


def test_a_removal_is_staged_again(stocked: Database, view: RegistryView) -> None:
    (account,) = view.accounts(person="bea")
    (change,) = view.remove(account)
    again = RegistryView(stocked.read)
    again.restage(json.loads(json.dumps([change])))
    again.restage([change])
    assert again.accounts(person="bea") == []
    assert again.put(account)
    assert again.accounts(person="bea") == [account]
