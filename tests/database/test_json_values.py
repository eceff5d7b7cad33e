"""Values as the journal keeps them."""

import json
from datetime import UTC, date, time, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.database.json_values import as_json, from_json, row_as_json, row_from_json, same
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow
from amierules.protocol.values import TagDate, TagDateTime, TagDecimal
from amierules.templating import Secret, Unknown

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.datetimes(timezones=st.sampled_from([None, UTC])).map(lambda value: value.replace(fold=0))
    | st.timedeltas()
)
names = st.text() | st.sampled_from(["$decimal", "$", "$map", "$row"])
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


def through_json(value: object) -> Any:
    return from_json(json.loads(json.dumps(as_json(value), allow_nan=False)))


@given(values)
def test_every_value_comes_back_with_its_type(value: object) -> None:
    back = through_json(value)
    assert back == value
    assert repr(back) == repr(value)


@given(st.dictionaries(st.integers() | st.dates() | st.none(), leaves, max_size=4))
def test_mappings_keep_keys_that_are_no_text(value: dict[object, object]) -> None:
    assert through_json(value) == value


def test_tuples_come_back_as_lists_and_mappings_as_dicts() -> None:
    assert through_json((1, ("a",))) == [1, ["a"]]
    assert through_json(MappingProxyType({"a": (1,)})) == {"a": [1]}


def test_decimals_keep_their_digits() -> None:
    assert str(through_json(Decimal("1.10"))) == "1.10"
    assert through_json(Decimal("NaN")).is_nan()
    assert through_json(float("inf")) == float("inf")


@pytest.mark.parametrize(
    "value",
    [TagDecimal.parse("1e3"), TagDate.parse("2025-10-15T00:00:00"), TagDateTime.parse("2025-10-15T12:00:00.500+02:00")],
)
def test_what_a_packet_said_still_prints_as_it_came(value: object) -> None:
    back = through_json(value)
    assert (back, str(back), type(back)) == (value, str(value), type(value))


def test_what_was_computed_from_a_packet_value_comes_back_equal() -> None:
    later = TagDateTime.parse("2025-10-15T12:00:00Z") + timedelta(milliseconds=5)
    assert through_json(later) == later
    naive = later.replace(tzinfo=None)
    assert through_json(naive) == naive


def test_enumerations_come_back_as_their_text() -> None:
    class Colour(StrEnum):
        RED = "red"

    assert type(through_json(Colour.RED)) is str


@pytest.mark.parametrize("nest", [lambda value: value, lambda value: [value], lambda value: {"a": (value,)}])
@pytest.mark.parametrize("value", [Secret("hush"), Unknown("step"), {1, 2}, b"x", time(1), object()])
def test_secrets_and_what_json_cannot_hold_are_refused(value: object, nest: Any) -> None:
    with pytest.raises(TypeError) as refusal:
        as_json(nest(value))
    assert "hush" not in str(refusal.value)


def test_a_mark_of_another_program_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown mark"):
        from_json({"$pickle": "x"})


ROWS: list[RegistryRow] = [
    Person(
        "k", "P1", None, 7, data={"Email": "a@b", "n": [Decimal("1.0")]}, ids=("P0",), logins=("a", "b"), dns=("/CN=a",)
    ),
    Project("k", "PR1", "TG1", "grp", 9, "Title", "k", {"until": date(2026, 1, 1)}),
    Presence("k", "alpha", active=False),
    Allocation("k", "alpha", date(2025, 1, 1), None, Decimal("1E+2")),
    Account("k", "p", "alpha", "a", active=False),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_registry_rows_come_back_equal(row: RegistryRow) -> None:
    table = type(row).__name__.lower()
    assert row_from_json(table, json.loads(json.dumps(row_as_json(row)))) == row
    assert through_json({"row": row}) == {"row": row}


def test_a_row_with_an_unknown_value_stays_usable_in_memory() -> None:
    login = Unknown("person")
    unknown: Any = login
    row = row_from_json("person", row_as_json(Person("k", uid=unknown, logins=(unknown,))))
    assert isinstance(row, Person)
    assert row.uid is unknown
    assert row.logins[0] is unknown


def test_same_compares_unknown_values_by_identity_only() -> None:
    one = Unknown("a")
    assert same({"x": [one]}, {"x": (one,)})
    assert not same(one, Unknown("a"))
    assert not same(one, 5)
    assert not same([one], [])


def test_same_tells_true_from_one() -> None:
    assert not same({"a": True}, {"a": 1})
    assert same({"a": Decimal("1.0")}, {"a": 1})
