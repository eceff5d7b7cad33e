"""Values of one type are compared; different types are an error, not simply unequal."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.protocol.values import TagDate, TagDateTime, TagDecimal
from amierules.templating import Environment, EvaluationError

ENVIRONMENT = Environment()
SCOPE = {
    "units": TagDecimal.parse("10.00"),
    "day": TagDate.parse("2025-01-02T00:00:00"),
    "time": TagDateTime.parse("2025-01-02T00:00:00Z"),
    "naive": datetime(2025, 1, 2),
    "plain_day": date(2025, 1, 2),
    "plain_time": datetime(2025, 1, 2, tzinfo=UTC),
    "names": ("a", "b"),
    "mixed": ["a", 1, None, True],
    "row": {"a": 1, "b": [1, 2]},
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 == 1.0", True),
        ("units == 10", True),
        ("units > 9.5", True),
        ("1.1 == '1.1'|float", True),
        ("units / 100 == 0.1", True),
        ("day == plain_day", True),
        ("time == plain_time", True),
        ("'a' < 'b' < 'c'", True),
        ("1 < 3 < 2", False),
        ("names == ['a', 'b']", True),
        ("names != ['a']", True),
        ("['a', 1] == ['a', '1']", False),
        ("row == {'b': [1, 2], 'a': 1}", True),
        ("row == {'a': 1}", False),
        ("[1, 2] < [1, 3]", True),
        ("none == none", True),
        ("units == none", False),
        ("none != 'a'", True),
        ("true == true", True),
        ("'a' in names", True),
        ("1 in mixed", True),
        ("none in mixed", True),
        ("'1' in mixed", False),
        ("2 not in mixed", True),
        ("[1] in [[1], [2]]", True),
        ("'b' in 'abc'", True),
        ("'a' in row", True),
        ("'z' not in row", True),
        ("3 in range(5)", True),
        ("5 is eq 5", True),
        ("'a' is in names", True),
    ],
)
def test_values_of_one_type_are_compared(source: str, expected: bool) -> None:
    assert ENVIRONMENT.expression(source).evaluate(SCOPE) is expected


@pytest.mark.parametrize(
    "source",
    [
        "1 == '1'",
        "'1' != 1",
        "units == '10.00'",
        "true == 1",
        "false < 1",
        "day == time",
        "day < '2025-01-03'",
        "time == naive",
        "naive < time",
        "names == 'a'",
        "row == names",
        "none < 1",
        "1 >= none",
        "true < false",
        "row < row",
        "1 in 'abc'",
        "none in 'abc'",
        "'a' in none",
        "'a' in 5",
        "'a' in day",
        "1 < 2 < 'a'",
        "1 is eq '1'",
        "[1] | select('eq', 'a')",
        "'a' < 1",
    ],
)
def test_different_types_are_an_error(source: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        ENVIRONMENT.expression(source).evaluate(SCOPE)
    assert caught.value.code == "different-types"


SCALARS = st.one_of(
    st.integers(-100, 100), st.text(max_size=3), st.booleans(), st.decimals(-9, 9, places=2), st.dates()
)


def sort_of(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, Decimal)) else type(value).__name__


@given(SCALARS, SCALARS)
def test_equality_is_symmetric_and_as_in_python_within_a_type(left: object, right: object) -> None:
    scope = {"a": left, "b": right}
    forth, back = ENVIRONMENT.expression("a == b"), ENVIRONMENT.expression("b == a")
    if sort_of(left) == sort_of(right):
        assert forth.evaluate(scope) is back.evaluate(scope) is (left == right)
    else:
        for expression in (forth, back):
            with pytest.raises(EvaluationError):
                expression.evaluate(scope)
