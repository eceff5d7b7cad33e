"""Rendered parameters are checked strictly, and each problem names its parameter."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from amierules.actions.parameters import check_params
from amierules.actions.schemas import kind_schema, kind_schemas
from amierules.diagnostics import printable
from amierules.templating import Secret, Unknown


def checked(of: dict[str, Any], value: object) -> Any:
    """The value as a parameter of this schema, or the text of the problem."""
    params, problems = check_params({"properties": {"p": of}}, {"p": value})
    assert len(problems) <= 1
    assert not problems or problems[0].startswith("p: ")
    return problems[0].removeprefix("p: ") if problems else params["p"]


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        ("text", "abc", "abc"),
        ("text", "", ""),
        ("text", date(2026, 3, 1), "2026-03-01"),
        ("text", datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC), "2026-03-01T12:00:00Z"),
        ("text", Decimal("10.50"), "10.50"),
        ("integer", 12, 12),
        ("integer", "12", 12),
        ("integer", "0012", 12),
        ("integer", "-3", -3),
        ("integer", Decimal("12"), 12),
        ("boolean", True, True),
        ("boolean", False, False),
        ("list", ["a", "b"], ["a", "b"]),
        ("list", (), []),
        ("words", ["a", ""], ["a", ""]),
        ("mapping", {"a": "1"}, {"a": "1"}),
        ("date", date(2026, 3, 1), date(2026, 3, 1)),
        ("date", "2026-03-01", date(2026, 3, 1)),
        ("datetime", "2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("decimal", "10.50", Decimal("10.50")),
        ("decimal", 3, Decimal(3)),
        ("decimal", 0.1, Decimal("0.1")),
        ("duration", "10m", 600),
        ("duration", "2d", 172800),
    ],
)
def test_values_of_the_right_type_pass(kind: str, given: object, wanted: object) -> None:
    found = checked({"x-type": kind}, given)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("text", 12, "must be a text, not the number 12"),
        ("text", True, "must be a text, not true"),
        ("text", ["a"], "must be a text, not a list"),
        ("text", {"a": 1}, "must be a text, not a mapping"),
        ("integer", "12x", "must be an integer, not the text '12x'"),
        ("integer", "", "must be an integer, not the text ''"),
        ("integer", " 12", "must be an integer, not the text ' 12'"),
        ("integer", "12\n", "must be an integer, not the text '12\\n'"),
        ("integer", "1_000", "must be an integer, not the text '1_000'"),
        ("integer", "١٢", "must be an integer, not the text '١٢'"),
        ("integer", "1e3", "must be an integer, not the text '1e3'"),
        ("integer", 1.0, "must be an integer, not the number 1.0"),
        ("integer", True, "must be an integer, not true"),
        ("integer", Decimal("1.5"), "must be an integer, not the number 1.5"),
        ("boolean", "true", "must be true or false, not the text 'true'"),
        ("boolean", 1, "must be true or false, not the number 1"),
        ("list", "a", "must be a list, not the text 'a'"),
        ("words", "ls -l", "must be a list, not the text 'ls -l'"),
        ("mapping", ["a"], "must be a mapping, not a list"),
        ("mapping", {1: "a"}, "must be a mapping, not a mapping"),
        ("date", datetime(2026, 3, 1, tzinfo=UTC), "must be a date (yyyy-mm-dd), not the date 2026-03-01T00:00:00Z"),
        ("date", "2026-02-30", "must be a date, not the text '2026-02-30'"),
        ("date", "20260301", "must be a date (yyyy-mm-dd), not the text '20260301'"),
        ("datetime", "2026-03-01T12:00:00", "must be a date and time with a zone, not the text '2026-03-01T12:00:00'"),
        ("decimal", "1e5", "must be a number, not the text '1e5'"),
        ("decimal", "NaN", "must be a number, not the text 'NaN'"),
        ("decimal", Decimal("NaN"), "must be a number, not the number NaN"),
        ("decimal", float("inf"), "must be a number, not the number inf"),
        ("duration", "10", "must be a duration (an integer and one of s, m, h, d), not the text '10'"),
        ("row", "alice", "must be a row of the registry, not the text 'alice'"),
        ("person", 3, "must be a row of the registry, not the number 3"),
    ],
)
def test_values_of_another_type_are_a_problem(kind: str, given: object, said: str) -> None:
    assert checked({"x-type": kind}, given) == said


def test_items_are_checked_one_by_one() -> None:
    schema = {"properties": {"p": {"x-type": "list"}}}
    _, problems = check_params(schema, {"p": ["a", None, 3, Unknown("s")]})
    assert problems == ["p[1]: must not be none", "p[2]: must be a text, not the number 3"]


def test_unknown_values_pass_whole_and_inside() -> None:
    unknown = Unknown("user", expected=12)
    schema = {"required": ["p"], "properties": {"p": {"x-type": "integer", "minimum": 100}, "q": {"x-type": "list"}}}
    params, problems = check_params(schema, {"p": unknown, "q": ["a", unknown]})
    assert problems == []
    assert params["p"] is unknown
    assert params["q"][1] is unknown


def test_what_is_none_is_not_given() -> None:
    schema = {"required": ["p", "q"], "properties": {name: {"x-type": "text"} for name in "pqr"}}
    params, problems = check_params(schema, {"p": None, "r": None})
    assert params == {}
    assert problems == ["p: is required, and its value is none", "q: is required"]


def test_an_expression_that_is_none_is_kept() -> None:
    params, problems = check_params(kind_schema("assert"), {"that": None, "message": "no"})
    assert (params["that"], problems) == (None, [])


def test_a_parameter_that_does_not_exist_is_a_problem() -> None:
    _, problems = check_params(kind_schema("group"), {"name": "g", "gidd": 3})
    assert problems == ["gidd: there is no such parameter"]


def test_secrets_go_only_where_they_may() -> None:
    schema = kind_schema("command")
    secret = Secret("x")
    params, problems = check_params(schema, {"run": ["a", secret], "stdin": secret, "env": {"A": secret}})
    assert (params["run"][1], params["stdin"], params["env"]["A"], problems) == (secret, secret, secret, [])
    assert check_params(kind_schema("user"), {"name": secret})[1] == ["name: must not be a secret"]
    guard = {"run": ["a"], "unless": {"run": ["b"], "contains": secret}}
    assert check_params(schema, guard)[1] == ["unless.contains: must not be a secret"]


@pytest.mark.parametrize(
    ("of", "value", "said"),
    [
        ({"x-type": "text", "x-values": ["a", "b"]}, "c", "must be one of a, b, not 'c'"),
        ({"x-type": "integer", "minimum": 1}, "0", "must be at least 1"),
        ({"x-type": "integer", "maximum": 9}, 10, "must be at most 9"),
        ({"x-type": "text", "minLength": 1}, "", "must have at least 1 characters"),
        ({"x-type": "text", "maxLength": 3}, "abcd", "must have at most 3 characters"),
        ({"x-type": "words", "minItems": 1}, [], "must have at least 1 items"),
    ],
)
def test_limits_hold_after_rendering(of: dict[str, Any], value: object, said: str) -> None:
    assert checked(of, value) == said


def test_nested_parameters_are_named_by_their_path() -> None:
    schema = kind_schema("command")
    assert check_params(schema, {"run": ["a"], "unless": {"contains": 3, "x": 1}})[1] == [
        "unless.contains: must be a text, not the number 3",
        "unless.x: there is no such parameter",
        "unless.run: is required",
    ]
    assert check_params(schema, {"run": ["a"], "env": {"A": 3}})[1] == ["env.A: must be a text, not the number 3"]


@given(
    st.text()
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.lists(st.text())
    | st.dictionaries(st.text(), st.text())
)
def test_no_value_breaks_the_check(value: object) -> None:
    for schema in kind_schemas().values():
        for name in schema.get("properties", {}):
            _, problems = check_params(schema, {name: value})
            assert all(problem == printable(problem, 10_000) for problem in problems)


@pytest.mark.parametrize("kind", ["command", "user", "group"])
def test_the_schemas_describe_everything(kind: str) -> None:
    schema = kind_schema(kind)
    assert schema["title"] == kind
    assert schema["additionalProperties"] is False
    assert schema["examples"]
    assert schema["x-result"]
    assert schema["x-doubt"]
    for name, of in schema["properties"].items():
        assert of["description"].endswith("."), name
        assert of["x-type"], name
    Draft7Validator.check_schema(schema)
    for example in schema["examples"]:
        Draft7Validator(schema).validate(example)
        if isinstance(example, dict):
            assert set(schema["required"]) <= set(example) <= set(schema["properties"])
