"""A value that is known only after a step is passed on whole; every other use makes the expression unknown."""

import copy
import json
import math
import operator
import pickle
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest

from amierules.templating import Environment, EvaluationError, Secret, Unknown, UnknownUsed

ENVIRONMENT = Environment()
U = Unknown("user/Unix account", expected="bsample")


def scope() -> dict[str, object]:
    return {
        "u": U,
        "other": Unknown("group"),
        "row": {"login": U, "state": "active", "dns": ["a", U]},
        "row2": {"login": Unknown("user/Unix account")},
        "listed": ["a", U],
        "texts": ["a", "b"],
        "text": "abc",
        "number": 5,
        "day": date(2025, 1, 2),
        "nothing": None,
        "secret": Secret("pw"),
        "find": lambda value: f"found {value}",
    }


UNKNOWN_BECAUSE_OF_THE_ACCOUNT = """
u == 1 | u == u | u != u | u == none | none == u | u != none | u == 'bsample' | 'bsample' == u | u < 1 | u <= 1
u > 1 | u >= 1 | 1 < u | 1 < u < 3 | u in texts | u not in texts | 'a' in u | 'a' in listed | 'z' in listed
listed == ['a', 'b'] | listed != listed | listed < ['b'] | row == row | [[u]] == [[1]] | {'a': u} == {'a': 1}
{'a': [u]} == none | u + 1 | 1 + u | u - 1 | 1 - u | u * 2 | 2 * u | u / 2 | 2 / u | u // 2 | u % 2 | u ** 2 | 2 ** u
-u | +u | not u | u and true | u or true | true and not u | (u or 1) == 1 | 1 if u else 2 | u.login | u['login'] | u[0]
u[1:] | text[u] | text[u:] | texts[u] | text[:u] | row[u] | u() | find(u) | u ~ 'x' | 'x' ~ u | text.replace('a', u)
text.startswith(u) | text.split(u) | row.login.upper() | row.login.x | row.dns.1 + 'x' | range(u) | range(0, u)
""" + "\n".join(
    [
        "u is none",
        "u is not none",
        "u is defined",
        "u is undefined",
        "u is string",
        "u is number",
        "u is integer",
        "u is float",
        "u is boolean",
        "u is true",
        "u is false",
        "u is mapping",
        "u is sequence",
        "u is iterable",
        "u is odd",
        "u is even",
        "u is divisibleby 2",
        "u is lower",
        "u is upper",
        "u is eq 1",
        "u is equalto u",
        "u is ne 1",
        "u is lt 1",
        "u is ge 1",
        "u is in texts",
        "1 is eq u",
        "4 is divisibleby u",
    ]
)

UNKNOWN_THROUGH_FILTERS = [
    "u | default('x')",
    "u | d('x', true)",
    "nothing | default(u) | upper",
    "u | lower",
    "u | upper",
    "u | string",
    "u | int",
    "u | int(0)",
    "u | float(default=1)",
    "u | abs",
    "u | length",
    "u | count",
    "u | first",
    "u | last",
    "u | list",
    "u | join(',')",
    "texts | join(u)",
    "listed | join(',')",
    "u | replace('a', 'b')",
    "text | replace('a', u)",
    "u | trim",
    "u | title",
    "u | capitalize",
    "u | tojson",
    "listed | tojson",
    "row | tojson",
    "u | map('upper')",
    "listed | map('upper')",
    "listed | map('default', 'x')",
    "u | select",
    "listed | select",
    "listed | reject",
    "listed | select('none')",
    "listed | reject('defined')",
    "[row] | selectattr('login')",
    "[row] | selectattr('login', 'eq', 'x')",
    "[row] | rejectattr('login', 'in', texts)",
    "[row, row2] | sort(attribute='login')",
    "[row] | map(attribute='login') | join",
    "listed | sort",
    "listed | unique",
    "listed | max",
    "listed | min",
    "[u, 1] | sum",
    "u | sum",
    "u | sort",
    "u | unique",
    "u | reverse",
    "u | batch(2)",
    "texts | batch(u)",
    "u | slice(2)",
    "u | items",
    "u | dictsort",
    "u | round",
    "1.5 | round(u)",
    "u | format(1)",
    "'%s' | format(u)",
    "u | truncate",
    "u | urlencode",
    "u | wordcount",
    "u | wordwrap",
    "u | indent",
    "u | option",
    "[row, row2] | groupby('login')",
]


@pytest.mark.parametrize(
    "source",
    [
        *(part.strip() for line in UNKNOWN_BECAUSE_OF_THE_ACCOUNT.splitlines() for part in line.split(" | ") if part),
        *UNKNOWN_THROUGH_FILTERS,
    ],
)
def test_a_use_makes_the_whole_expression_unknown(source: str) -> None:
    value = ENVIRONMENT.expression(source).evaluate(scope())
    assert isinstance(value, Unknown), source
    assert value.step == "user/Unix account"
    assert isinstance(ENVIRONMENT.expression(source).condition(scope()), Unknown)
    assert isinstance(ENVIRONMENT.template(f"text {{{{ {source} }}}}").evaluate(scope()), Unknown)


@pytest.mark.parametrize("source", ["u", "row.login", "row['login']", "listed[1]", "row.dns[-1]", "listed | last"])
def test_it_is_passed_on_whole_with_what_is_expected(source: str) -> None:
    value = ENVIRONMENT.template(f"{{{{ {source} }}}}").evaluate(scope())
    assert isinstance(value, Unknown)
    assert value.expected == "bsample"


def test_containers_hold_it() -> None:
    value = ENVIRONMENT.expression("{'login': u, 'all': [u, 1], 'made': dict(a=u)}").evaluate(scope())
    assert isinstance(value, Mapping)
    assert value["login"] is value["all"][0] is value["made"]["a"] is U


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("nothing is none or u", True),
        ("false and u", False),
        ("number == 6 and u == 1", False),
        ("text if number else u", "abc"),
        ("1 > 2 > u", False),
        ("listed | length", 2),
        ("row.state == 'active' or row.login == 'x'", True),
    ],
)
def test_what_does_not_need_it_is_known(source: str, expected: object) -> None:
    assert ENVIRONMENT.expression(source).evaluate(scope()) == expected


def test_the_first_one_reached_is_the_reason() -> None:
    value = ENVIRONMENT.expression("other == 1 and u == 1").evaluate(scope())
    assert isinstance(value, Unknown)
    assert value.step == "group"


def test_a_text_tells_what_is_expected_of_it_where_its_expressions_do() -> None:
    value = ENVIRONMENT.template("-{{ u }}-{{ 1 + 1 }}-").evaluate(scope())
    assert isinstance(value, Unknown)
    assert (value.step, value.expected) == ("user/Unix account", "-bsample-2-")


@pytest.mark.parametrize(
    "source", ["-{{ other }}-", "-{{ u }}{{ other }}", "-{{ u | upper }}-", "{% if u %}a{% endif %}"]
)
def test_of_any_other_text_nothing_is_expected(source: str) -> None:
    value = ENVIRONMENT.template(source).evaluate(scope())
    assert isinstance(value, Unknown)
    assert not value.has_expected


def test_a_word_of_a_command_tells_what_is_expected_of_it() -> None:
    (_, value) = ENVIRONMENT.command("x /home/{{ u }}").evaluate(scope())
    assert isinstance(value, Unknown)
    assert (value.step, value.expected) == ("user/Unix account", "/home/bsample")


OPERATIONS: list[Callable[[Any], object]] = [
    str, repr, bool, int, float, complex, len, iter, list, hash, abs, round, math.floor, math.ceil, math.trunc, bytes,
    reversed, next, operator.index, operator.neg, operator.pos, operator.invert, operator.length_hint, format,
    lambda u: f"{u}", lambda u: f"{u:>5}", lambda u: "%s" % u,  # noqa: UP031
    lambda u: u == u, lambda u: u != 1, lambda u: u < 1,
    lambda u: u <= 1, lambda u: u > 1, lambda u: u >= 1, lambda u: 1 in u, lambda u: u[0], lambda u: u.x, lambda u: u(),
    lambda u: u + 1, lambda u: 1 + u, lambda u: u - 1, lambda u: 1 - u, lambda u: u * 2, lambda u: 2 * u,
    lambda u: u / 2, lambda u: 2 / u, lambda u: u // 2, lambda u: u % 2, lambda u: u**2, lambda u: 2**u,
    lambda u: u & 1, lambda u: u | 1, lambda u: u ^ 1, lambda u: u << 1, lambda u: u >> 1, lambda u: divmod(u, 2),
    lambda u: "a" + u, lambda u: [1] + u,  # noqa: RUF005
    lambda u: "abc"[u], lambda u: {u: 1}, lambda u: {1: 2}[u],
    lambda u: setattr(u, "x", 1), lambda u: delattr(u, "step"), lambda u: range(u), lambda u: "".join(u),
]  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_use_in_python_raises(operation: Callable[[Any], object]) -> None:
    with pytest.raises(UnknownUsed) as caught:
        operation(U)
    assert caught.value.step == "user/Unix account"


def test_json_refuses_it() -> None:
    with pytest.raises((UnknownUsed, TypeError)):
        json.dumps({"a": U})


def test_copies_and_pickles_keep_it() -> None:
    assert copy.copy(U) is U
    assert copy.deepcopy({"a": [U]})["a"][0] is U
    without = pickle.loads(pickle.dumps(Unknown("step")))
    assert (without.step, without.has_expected) == ("step", False)
    assert pickle.loads(pickle.dumps(U)).expected == "bsample"


def test_an_expected_none_is_something_expected() -> None:
    assert Unknown("step", None).has_expected


UNDEFINED = [
    *("missing", "missing.x", "missing['x']", "missing[0]", "missing == 1", "missing is defined", "missing is none"),
    *("missing is undefined", "missing | default('x')", "missing | d('x', true)", "not missing", "missing or 1"),
    *("missing and 1", "1 if missing else 2", "missing ~ 'a'", "'a' ~ missing", "missing + 1", "-missing"),
    *("missing in texts", "'a' in missing", "[missing]", "{'a': missing}", "missing()", "missing | length"),
    *("missing | list", "missing | string", "missing | tojson", "texts | join(missing)", "find(missing)"),
    *("text.replace('a', missing)", "range(missing)", "missing[1:]", "text[missing:]", "number < missing"),
    *("missing ** 2", "1 < 2 < missing"),
]  # fmt: skip
UNDEFINED_ATTRIBUTES = [
    *("row.missing", "row['missing']", "row.missing.x", "row.missing == 1", "row.missing is defined"),
    *("row.missing or 1", "row.missing and 1"),
    *("row.missing | default('x')", "row.missing is none", "not row.missing", "[row.missing]", "row.missing ~ 'x'"),
    *("row.items", "row.keys", "row.get", "row.pop", "row.__class__", "row['__class__']", "row.values()", "row.copy"),
    *("text.missing", "text.format", "text.format_map", "text.encode", "text.translate", "text.__class__", "text.join"),
    *("texts.append", "texts.index", "texts.missing", "texts[9]", "texts[-3]", "number.real", "number.bit_length"),
    *("day.replace", "day.strftime", "day.__class__", "nothing.x", "nothing['x']", "nothing[0]", "find.__globals__"),
    *("secret.reveal", "secret._text", "number[0]", "[row] | map(attribute='missing')"),
    "[row] | selectattr('missing')",
    *("[row] | sort(attribute='missing')", "[row] | map(attribute='state.missing')", "range.__self__", "dict.fromkeys"),
]  # fmt: skip


@pytest.mark.parametrize("source", UNDEFINED)
def test_a_name_that_is_not_there_is_an_error(source: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        ENVIRONMENT.expression(source).evaluate(scope())
    assert (caught.value.code, caught.value.name) == ("undefined-name", "missing")
    assert "missing" in ENVIRONMENT.expression(source).names


@pytest.mark.parametrize("source", UNDEFINED_ATTRIBUTES)
def test_an_attribute_that_is_not_there_is_an_error(source: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        ENVIRONMENT.expression(source).evaluate(scope())
    assert caught.value.code == "undefined-attribute"
    assert caught.value.name
