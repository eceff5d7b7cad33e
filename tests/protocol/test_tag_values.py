"""Typed tag values compute in their type and print as they came."""

import copy
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.protocol.catalogue import catalogue
from amierules.protocol.packet import BodyValue
from amierules.protocol.values import TagDate, TagDateTime, TagDecimal, typed_body, typed_value, wire_text

RPC = catalogue().types["request_project_create"]


def typed(tag: str, value: BodyValue) -> object:
    return typed_value(catalogue().tags[tag], value)


@pytest.mark.parametrize("text", ["1", "1.10", "-500.0", "+7", "0001", "1E3", " 5 ", ".5"])
def test_a_decimal_prints_as_it_came(text: str) -> None:
    value = TagDecimal.parse(text)
    assert str(value) == f"{value}" == wire_text(value) == text
    assert value == Decimal(text.strip())
    assert value + 1 == Decimal(text.strip()) + 1


@pytest.mark.parametrize(
    "text", ["", "x", "1,5", "0x10", "NaN", "Infinity", "1_000", "٣", "1e999", "9" * 200, "1e99999"]
)
def test_what_is_no_decimal(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        TagDecimal.parse(text)


@pytest.mark.parametrize("text", ["2025-10-15", "2025-10-15T00:00:00", "2025-10-15T00:00:00.000Z"])
def test_a_date_prints_as_it_came(text: str) -> None:
    value = TagDate.parse(text)
    assert value == date(2025, 10, 15)
    assert str(value) == f"{value}" == wire_text(value) == text
    assert wire_text(value + timedelta(days=1)) == "2025-10-16"


@pytest.mark.parametrize("text", ["", "2025-13-01", "15.10.2025", "20251015", "2025-10-15T12:00:00", "2025-W01-1"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date"):
        TagDate.parse(text)


@pytest.mark.parametrize("text", ["2025-10-15T18:04:58Z", "2025-10-15T20:04:58+02:00", "2025-10-15T18:04:58.000Z"])
def test_a_time_prints_as_it_came(text: str) -> None:
    value = TagDateTime.parse(text)
    assert value == datetime(2025, 10, 15, 18, 4, 58, tzinfo=UTC)
    assert str(value) == f"{value}" == wire_text(value) == text
    assert wire_text(value + timedelta(seconds=2)) == "2025-10-15T18:05:00Z"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2025-10-15T18:04:58", "no time zone"),
        ("2025-10-15", "is not a date and time"),
        ("2025-10-15T25:00:00Z", "is not a date and time"),
        ("0001-01-01T00:00:00+14:00", "is not a date and time"),
    ],
)
def test_what_is_no_time(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        TagDateTime.parse(text)


@pytest.mark.parametrize(
    "value",
    [TagDecimal.parse("1.10"), TagDate.parse("2025-10-15T00:00:00"), TagDateTime.parse("2025-10-15T20:04:58+02:00")],
)
def test_copies_print_as_it_came(value: object) -> None:
    for copied in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert copied == value
        assert str(copied) == str(value)


def test_the_reason_shows_no_control_characters() -> None:
    with pytest.raises(ValueError, match=r"'\\x1b\[31m' is not a decimal"):
        TagDecimal.parse("\x1b[31m")


def test_wire_text_of_what_a_rule_makes() -> None:
    made = datetime(2025, 10, 15, 20, 4, 58, 999999, tzinfo=timezone(timedelta(hours=2)))
    values: list[Any] = [made, date(2025, 1, 2), Decimal("1E+3"), Decimal("1.50"), True, False, 7, 0.5, 1e22, "x"]
    assert [wire_text(value) for value in values] == [
        "2025-10-15T18:04:58Z",
        "2025-01-02",
        "1000",
        "1.50",
        "1",
        "0",
        "7",
        "0.5",
        "10000000000000000000000",
        "x",
    ]


@pytest.mark.parametrize(
    "value",
    [None, object(), b"x", float("nan"), Decimal("Infinity"), Decimal("1e999999"), datetime(2025, 1, 1)],
)
def test_what_has_no_wire_text(value: object) -> None:
    with pytest.raises(ValueError, match=" "):
        wire_text(value)


def test_a_number_of_5000_digits_has_no_wire_text() -> None:
    with pytest.raises(ValueError, match="more than 100 digits"):
        wire_text(10**5000)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_on_the_wire_are_read_back(moment: datetime) -> None:
    assert TagDateTime.parse(wire_text(moment)) == moment.replace(microsecond=0)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_decimals_on_the_wire_are_read_back(number: Decimal) -> None:
    assert TagDecimal.parse(wire_text(number)) == number


def test_an_object_has_all_its_subtags() -> None:
    assert typed("AcademicDegree", [{"Degree": "PhD"}]) == [{"Degree": "PhD", "Field": None}]
    assert typed("JobIdentity", {"LocalJobID": "1"}) == {"LocalJobID": "1", "GlobalJobID": None}


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("GrantNumber", ["a", "b"]),
        ("GrantNumber", {"a": "b"}),
        ("ResourceList", [{"a": "b"}]),
        ("AcademicDegree", ["PhD"]),
        ("AcademicDegree", [{"": "PhD", "Field": "Math"}]),
        ("JobIdentity", "1"),
        ("JobIdentity", [{"LocalJobID": "1"}, {"LocalJobID": "2"}]),
        ("ServiceUnitsAllocated", "many"),
        ("StartDate", "tomorrow"),
        ("AccountActivityTime", "2025-10-15T18:04:58"),
    ],
)
def test_a_wrong_kind_says_why(tag: str, value: BodyValue) -> None:
    with pytest.raises(ValueError, match=" "):
        typed(tag, value)


def test_a_list_of_uncertain_kind_is_passed_through() -> None:
    assert typed("CitizenshipList", [{"Country": "US"}]) == [{"Country": "US"}]


def test_a_typed_body_has_every_tag_of_the_type_and_the_others_that_came() -> None:
    body, problems = typed_body(RPC, {"ServiceUnitsAllocated": "10", "PiDnList": ["/CN=a"], "Odd": "x"})
    assert problems == []
    assert body["ServiceUnitsAllocated"] == 10
    assert body["Odd"] == "x"
    assert body["PiMiddleName"] is None
    assert body["RoleList"] == body["AcademicDegree"] == []
    assert set(body) == {*RPC.allowed, "Odd"}


def test_a_wrong_value_stays_as_it_came_and_is_a_problem() -> None:
    body, problems = typed_body(RPC, {"ServiceUnitsAllocated": "ten"})
    assert body["ServiceUnitsAllocated"] == "ten"
    assert [(problem.code, problem.tag, problem.parks) for problem in problems] == [
        ("wrong-kind", "ServiceUnitsAllocated", True)
    ]


def test_an_unknown_type_has_the_tags_that_came() -> None:
    assert typed_body(None, {"StartDate": "2025-10-15"}) == ({"StartDate": date(2025, 10, 15)}, [])
