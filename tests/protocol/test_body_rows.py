"""Bodies become rows and rows become bodies."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.protocol.packet import Body
from amierules.protocol.rows import Row, TooDeepError, body_to_rows, normalise, rows_to_body
from tests.protocol.strategies import any_bodies, known_bodies, texts

PACKETS = sorted((Path(__file__).parent.parent / "packets").glob("*.json"))

EXAMPLE = {
    "GrantNumber": "ABC250001",
    "ResourceList": ["alpha.site.example"],
    "UserDnList": ["/C=US/O=Org/CN=Ann Example", "/DC=EDU/CN=annex"],
    "SitePersonId": [{"Site": "X-PORTAL", "PersonID": "annex"}, {"Site": "OTHER", "PersonID": "9001"}],
    "AcademicDegree": [{"Degree": "PhD", "Field": "Math"}],
    "Sfos": [{"Number": "0"}],
    "UserMiddleName": "",
}

EXAMPLE_ROWS = [
    Row("GrantNumber", None, 0, "ABC250001"),
    Row("ResourceList", None, 0, "alpha.site.example"),
    Row("UserDnList", None, 0, "/C=US/O=Org/CN=Ann Example"),
    Row("UserDnList", None, 1, "/DC=EDU/CN=annex"),
    Row("SitePersonId", "Site", 0, "X-PORTAL"),
    Row("SitePersonId", "PersonID", 0, "annex"),
    Row("SitePersonId", "Site", 1, "OTHER"),
    Row("SitePersonId", "PersonID", 1, "9001"),
    Row("AcademicDegree", "Degree", 0, "PhD"),
    Row("AcademicDegree", "Field", 0, "Math"),
]


def body_of(rows: list[Row]) -> Body:
    body, problems = rows_to_body(rows)
    assert problems == []
    return body


def test_a_body_becomes_rows() -> None:
    assert body_to_rows(normalise(EXAMPLE)) == EXAMPLE_ROWS


def test_rows_become_a_body() -> None:
    kept = {tag: value for tag, value in EXAMPLE.items() if tag not in ("Sfos", "UserMiddleName")}
    assert body_of(EXAMPLE_ROWS) == kept


@pytest.mark.parametrize("file", PACKETS, ids=lambda file: file.stem)
def test_captured_bodies_come_back_without_their_empty_values(file: Path) -> None:
    source: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["body"]
    body = normalise(source)
    assert body_of(body_to_rows(body)) == body
    assert body["ResourceList" if "ResourceList" in source else next(iter(source))]
    assert all(body[tag] == value for tag, value in source.items() if isinstance(value, str) and value)


@given(known_bodies)
def test_bodies_of_all_kinds_come_back(source: Mapping[str, Any]) -> None:
    body = normalise(source)
    assert rows_to_body(body_to_rows(body)) == (body, [])


@given(any_bodies)
def test_bodies_with_unknown_tags_and_wrong_kinds_come_back(source: Mapping[str, Any]) -> None:
    body = normalise(source)
    assert rows_to_body(body_to_rows(body)) == (body, [])
    assert normalise(body) == body


@given(any_bodies, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(source: Mapping[str, Any], random: Any) -> None:
    body = normalise(source)
    rows = body_to_rows(body)
    random.shuffle(rows)
    assert body_of(rows) == body


@given(any_bodies)
def test_rows_are_texts_without_gaps(source: Mapping[str, Any]) -> None:
    seqs: dict[str, set[int]] = {}
    for row in body_to_rows(normalise(source)):
        assert row.value
        assert row.subtag != ""
        seqs.setdefault(row.tag, set()).add(row.seq)
    assert all(found == set(range(len(found))) for found in seqs.values())


@given(st.lists(st.tuples(texts, st.none() | texts, st.integers(0, 3), st.none() | texts)))
def test_any_rows_give_a_body_that_comes_back(rows: list[tuple[str, str | None, int, str | None]]) -> None:
    body, _ = rows_to_body(Row(*row) for row in rows)
    assert rows_to_body(body_to_rows(normalise(body))) == (normalise(body), [])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"Comment": ""}, {}),
        ({"Comment": None}, {}),
        ({"Comment": 12}, {"Comment": "12"}),
        ({"Comment": True}, {"Comment": "1"}),
        ({"Comment": 1.5}, {"Comment": "1.5"}),
        ({"ResourceList": "one"}, {"ResourceList": ["one"]}),
        ({"PiRequestedLoginList": ["", "hwan"]}, {"PiRequestedLoginList": ["hwan"]}),
        ({"PiRequestedLoginList": [""]}, {}),
        ({"AcademicDegree": [{"Degree": "PhD", "Field": ""}]}, {"AcademicDegree": [{"Degree": "PhD"}]}),
        ({"Sfos": [{"Number": "0"}, {"Number": "7"}]}, {"Sfos": [{"Number": "7"}]}),
        ({"Sfos": [{"Number": "0"}]}, {}),
        ({"NotInTheCatalogue": ["a"]}, {"NotInTheCatalogue": "a"}),
        ({"NotInTheCatalogue": ["a", "b"]}, {"NotInTheCatalogue": ["a", "b"]}),
        ({"Comment": ["a", "b"]}, {"Comment": ["a", "b"]}),
    ],
)
def test_normalise(source: dict[str, Any], expected: Body) -> None:
    assert normalise(source) == expected


@pytest.mark.parametrize("value", [[["a"]], [{"a": ["b"]}], {"a": {"b": "c"}}, {"a": ["b"]}])
def test_what_is_nested_deeper_than_an_object_in_a_list_is_refused(value: object) -> None:
    with pytest.raises(TooDeepError):
        normalise({"Comment": value})


def test_sparse_objects_are_paired_by_seq() -> None:
    rows = [Row("ExecHost", "Memory", 1, "10"), Row("ExecHost", "Name", 1, "n2"), Row("ExecHost", "Name", 0, "n1")]
    assert body_of(rows) == {"ExecHost": [{"Name": "n1"}, {"Memory": "10", "Name": "n2"}]}


def test_gaps_in_seq_are_accepted() -> None:
    assert body_of([Row("DnList", None, 7, "b"), Row("DnList", None, 2, "a")]) == {"DnList": ["a", "b"]}
    assert body_of([Row("GrantNumber", None, 3, "ABC1")]) == {"GrantNumber": "ABC1"}


def test_an_unknown_tag_with_a_seq_above_0_is_a_list() -> None:
    assert body_of([Row("Odd", None, 1, "a")]) == {"Odd": ["a"]}
    assert body_of([Row("Odd", None, 0, "a")]) == {"Odd": "a"}
    assert body_of([Row("Odd", "Part", 0, "a")]) == {"Odd": {"Part": "a"}}


def test_an_empty_subtag_is_none_and_an_empty_value_is_absent() -> None:
    rows = [Row("GrantNumber", "", 0, "A"), Row("Comment", None, 0, ""), Row("Comment", None, 1, None)]
    assert body_of(rows) == {"GrantNumber": "A"}


def test_equal_duplicates_collapse() -> None:
    assert body_of([Row("GrantNumber", None, 0, "A"), Row("GrantNumber", "", 0, "A")]) == {"GrantNumber": "A"}


def test_differing_duplicates_are_one_problem_that_parks() -> None:
    rows = [Row("GrantNumber", None, 0, value) for value in ("A", "B", "C")]
    body, problems = rows_to_body(rows)
    assert body == {"GrantNumber": "A"}
    assert [(problem.code, problem.tag, problem.parks) for problem in problems] == [
        ("conflicting-rows", "GrantNumber", True)
    ]
