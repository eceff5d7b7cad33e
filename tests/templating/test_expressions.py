"""Expressions yield their own value, look names up when they are needed, and fail with a plain message."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.protocol.values import TagDate, TagDateTime, TagDecimal
from amierules.templating import Environment, EvaluationError

ENVIRONMENT = Environment()
SCOPE: dict[str, object] = {
    "packet": MappingProxyType(
        {
            "GrantNumber": "TST1",
            "Middle": None,
            "Logins": ["ann", "bob"],
            "Units": TagDecimal.parse("1.10"),
            "StartDate": TagDate.parse("2025-03-01"),
            "Time": TagDateTime.parse("2025-03-01T10:00:00+02:00"),
            "Evil": "{{ 7*7 }} {% set x = 1 %} '; rm -rf /",
            "items": "an item, no method",
        }
    ),
    "row": {"dns": ["b", "a"], "count": 3, "others": []},
    "today": lambda: date(2025, 3, 1),
    "now": lambda: datetime(2025, 3, 1, 8, 0, tzinfo=UTC),
    "nothing": None,
    "flag": True,
}


def value_of(source: str) -> object:
    return ENVIRONMENT.expression(source).evaluate(SCOPE)


class Watched(Mapping[str, object]):
    """A scope that remembers what it was asked for; `broken` cannot be computed."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> object:
        self.asked.append(name)
        if name == "broken":
            raise ConnectionError("the database is gone")
        return {"person": None, "project": {"active": True}}[name]

    def __contains__(self, name: object) -> bool:
        return name in {"person", "project", "broken"}

    def __iter__(self) -> Iterator[str]:
        return iter(["person", "project", "broken"])

    def __len__(self) -> int:
        return 3


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("packet.GrantNumber", "TST1"),
        ("packet['GrantNumber']", "TST1"),
        ("packet.items", "an item, no method"),
        ("packet.Middle", None),
        ("packet.Middle or 'M'", "M"),
        ("packet.Logins[0]", "ann"),
        ("packet.Logins[-1]", "bob"),
        ("packet.Logins[:1] + ['x']", ["ann", "x"]),
        ("row.dns | sort", ["a", "b"]),
        ("row.dns | map('upper')", ["B", "A"]),
        ("packet.GrantNumber | lower", "tst1"),
        ("packet.GrantNumber.lower()", "tst1"),
        ("packet.GrantNumber[:2] ~ 5 ~ true", "TS5true"),
        ("packet.StartDate.year", 2025),
        ("packet.StartDate <= today()", True),
        ("packet.Time == now()", True),
        ("(now() - packet.Time).days", 0),
        ("packet.Units * 2", Decimal("2.20")),
        ("packet.Units * 0.5", Decimal("0.550")),
        ("(packet.Units * 60) | int", 66),
        ("'17' | int", 17),
        ("'x' | int(0)", 0),
        ("packet.Middle | default('none given')", "none given"),
        ("[packet.GrantNumber, packet.Middle] | select | join(' ')", "TST1"),
        ("{'a': [1, none]}", {"a": [1, None]}),
        ("'%05d of %s' | format(42, packet.GrantNumber)", "00042 of TST1"),
        ("{'b': packet.Units, 'a': today()} | tojson", '{"b": 1.1, "a": "2025-03-01"}'),
        ("[] | length", 0),
        ("range(3) | list", [0, 1, 2]),
        ("namespace(a=1).a", 1),
        ("[{'a': 1}, {'a': 2}] | map(attribute='a') | sum", 3),
        ("[{'s': 'X', 'v': 1}] | selectattr('s', 'in', ['X']) | map(attribute='v') | first", 1),
        ("none", None),
    ],
)
def test_an_expression_yields_its_own_value(source: str, expected: object) -> None:
    value = value_of(source)
    assert value == expected
    assert type(value) is type(expected) or isinstance(value, type(expected))


def test_a_tag_keeps_its_type_and_spelling() -> None:
    assert isinstance(value_of("packet.Units"), TagDecimal)
    assert str(value_of("packet.Units")) == "1.10"


def test_names_are_asked_for_only_when_they_are_needed() -> None:
    scope = Watched()
    assert ENVIRONMENT.expression("person is none or broken").evaluate(scope) is True
    assert ENVIRONMENT.expression("1 if project.active else broken.x").evaluate(scope) == 1
    assert ENVIRONMENT.template("{% if person %}{{ broken }}{% else %}none{% endif %}").evaluate(scope) == "none"
    assert scope.asked == ["person", "project", "person"]


def test_an_error_of_the_world_behind_a_name_is_not_an_error_of_the_rule() -> None:
    with pytest.raises(ConnectionError):
        ENVIRONMENT.expression("broken").evaluate(Watched())


def test_free_names_are_listed_without_locals_and_globals() -> None:
    assert ENVIRONMENT.expression("a.b + range(c)[0] if d else e | default(f)").names == set("acdef")
    text = "{% for x in xs if x != y %}{{ loop.index }}{{ x }}{% endfor %}{{ x }}{% set z = z %}{{ z }}"
    assert ENVIRONMENT.template(text).names == {"xs", "y", "x", "z"}
    assert ENVIRONMENT.template("{% for x in xs %}{{ x }}{% endfor %}").names == {"xs"}
    assert ENVIRONMENT.template("{% with a = b %}{{ a }}{% endwith %}").names == {"b"}


@pytest.mark.parametrize(
    ("source", "held"),
    [("packet.GrantNumber", True), ("''", False), ("row.others", False), ("nothing", False), ("flag", True)],
)
def test_a_condition_is_true_or_false(source: str, held: bool) -> None:
    assert ENVIRONMENT.expression(source).condition(SCOPE) is held


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("1 / 0", "evaluation"),
        ("packet.Units / 0", "evaluation"),
        ("packet.GrantNumber + 1", "different-types"),
        ("1 + none", "different-types"),
        ("'%s' % 1", "different-types"),
        ("-packet.GrantNumber", "different-types"),
        ("true + 1", "different-types"),
        ("none | lower", "none-used"),
        ("none | int", "none-used"),
        ("'x' | int", "evaluation"),
        ("none ~ 'x'", "none-in-text"),
        ("['a', none] | join", "none-in-text"),
        ("row ~ ''", "not-text"),
        ("row.dns ~ ''", "not-text"),
        ("[] | first", "no-value"),
        ("[] | max", "no-value"),
        ("today", "not-called"),
        ("today == 1", "not-called"),
        ("packet.GrantNumber.lower", "not-called"),
        ("packet.GrantNumber.lower and true", "not-called"),
        ("packet()", "different-types"),
        ("today(1)", "evaluation"),
        ("packet.GrantNumber.split(1)", "evaluation"),
        ("{[]: 1}", "evaluation"),
        ("row.dns['x']", "undefined-attribute"),
        ("row.dns[true]", "different-types"),
        ("packet.Middle[1:]", "different-types"),
        ("'%r' | format(row)", "evaluation"),
        ("'%d' | format('x')", "evaluation"),
        ("5 | map('upper')", "evaluation"),
        ("['a', 1] | sort", "evaluation"),
        ("'abc' is odd", "evaluation"),
        ("packet.GrantNumber | join('-')", "different-types"),
    ],
)
def test_what_has_no_value_fails_plainly(source: str, code: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        value_of(source)
    message = caught.value.message
    assert caught.value.code == code, message
    assert "\n" not in message
    assert len(message) <= 200
    assert not any(word in message for word in ("object at", "Tag", "<class", "Traceback", "mappingproxy", "NoneType"))


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(EvaluationError, match="did you mean GrantNumber"):
        value_of("packet.GrantNumbr")
    with pytest.raises(EvaluationError, match="did you mean packet"):
        value_of("packt.GrantNumber")


@pytest.mark.parametrize(
    "source",
    [
        "'a' * 10**9",
        "10**9 * 'a'",
        "[1] * 10**9",
        "2 ** 100000",
        "(2 ** 4000) * (2 ** 4000)",
        "range(10**9)",
        "'a'.ljust(10**9)",
        "'a'.zfill(10**9)",
        "('a' * 10**6) | replace('a', 'b' * 10**6)",
        "('a' * 10**6).replace('a', 'b' * 10**6)",
        "'a' | indent(10**9)",
        "['a' * 10**6] * 100 | join",
        "['a' * 10**6, 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'] | join('a' * 10**6)",
        "1.5 | round(10**9)",
        "[1] | batch(10**9, 0)",
        "[1] | slice(10**9)",
        "'a' * 10**7 + 'b'",
        "('a' * 10**7) ~ 'b'",
    ],
)
def test_no_value_grows_without_limit(source: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        value_of(source)
    assert caught.value.code in {"too-large", "different-types"}


@given(st.text())
def test_packet_text_is_data(text: str) -> None:
    scope = {"x": text}
    assert ENVIRONMENT.expression("x").evaluate(scope) == text
    assert ENVIRONMENT.template("<{{ x }}>").evaluate(scope) == f"<{text}>"
    assert ENVIRONMENT.expression("x ~ x").evaluate(scope) == text + text


def test_a_duration_can_be_added_to_a_date() -> None:
    scope = {"start": date(2025, 1, 1), "length": timedelta(days=2)}
    assert ENVIRONMENT.expression("start + length").evaluate(scope) == date(2025, 1, 3)
    assert ENVIRONMENT.expression("(start + length) - start == length").evaluate(scope) is True


def test_filters_and_tests_are_named() -> None:
    assert {"option", "default", "join", "selectattr"} <= ENVIRONMENT.filter_names
    assert not {"random", "attr", "safe", "escape", "xmlattr", "pprint"} & ENVIRONMENT.filter_names
    assert {"none", "defined", "in"} <= ENVIRONMENT.test_names
    assert not {"callable", "sameas", "filter"} & ENVIRONMENT.test_names


def test_each_source_is_compiled_once() -> None:
    assert ENVIRONMENT.expression("packet.Units + 1") is ENVIRONMENT.expression("packet.Units + 1")


def test_a_text_that_is_no_number_is_shown() -> None:
    with pytest.raises(EvaluationError) as caught:
        value_of("'many' | int > 0")
    assert caught.value.message == "'many' is no whole number"
