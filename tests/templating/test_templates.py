"""A string is a literal, exactly one expression with its own value, or a text that is rendered segment by segment."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.protocol.values import TagDate, TagDateTime, TagDecimal
from amierules.templating import Environment, EvaluationError, TemplateSyntaxProblem

ENVIRONMENT = Environment()
SCOPE = {
    "time": datetime(2025, 10, 15, 20, 4, 58, 123456, tzinfo=timezone(timedelta(hours=2))),
    "naive": datetime(2025, 10, 15, tzinfo=UTC).replace(tzinfo=None),
    "day": date(2025, 10, 15),
    "tag_time": TagDateTime.parse("2025-10-15T20:04:58.5+02:00"),
    "tag_day": TagDate.parse("2025-10-15T00:00:00"),
    "units": TagDecimal.parse("1.50"),
    "made": Decimal("1E+3"),
    "nothing": None,
    "names": ["a", "b"],
    "row": {"x": 1},
    "text": "abc",
}


def rendered(source: str) -> object:
    return ENVIRONMENT.template(source).evaluate(SCOPE)


@pytest.mark.parametrize(
    ("source", "is_expression", "is_literal"),
    [
        ("{{ text }}", True, False),
        ("{{text}}", True, False),
        ("{{ {'a': {'b': 1}} }}", True, False),
        ("{{ '}}' }}", True, False),
        ("{{ '{{' ~ text }}", True, False),
        (" {{ text }}", False, False),
        ("{{ text }}\n", False, False),
        ("{{ text }}{{ text }}", False, False),
        ("{% if text %}x{% endif %}", False, False),
        ("{{ text }}{# why #}", False, False),
        ("", False, True),
        ("plain } text {", False, True),
        ("100 %", False, True),
    ],
)
def test_the_three_sorts(source: str, is_expression: bool, is_literal: bool) -> None:
    template = ENVIRONMENT.template(source)
    assert (template.is_expression, template.is_literal) == (is_expression, is_literal)


def test_exactly_one_expression_yields_its_own_value() -> None:
    assert rendered("{{ names }}") == ["a", "b"]
    assert rendered("{{ nothing }}") is None
    assert rendered("{{ row.x }}") == 1
    assert rendered("{{ '5' }}") == "5"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("at {{ time }}", "at 2025-10-15T18:04:58Z"),
        ("on {{ day }}", "on 2025-10-15"),
        ("{{ tag_time }} {{ tag_day }} {{ units }}", "2025-10-15T20:04:58.5+02:00 2025-10-15T00:00:00 1.50"),
        ("{{ made }} {{ 1.5 }} {{ 10 }} {{ 0.0000001 }}", "1000 1.5 10 0.0000001"),
        ("{{ true }} {{ row.x == 2 }}", "true false"),
        ("{{ nothing or '' }}|{{ text }}", "|abc"),
        ("{{ names | join(', ') }}.", "a, b."),
        ("{% for n in names %}{{ loop.index }}{{ n }}{% if not loop.last %},{% endif %}{% endfor %}", "1a,2b"),
        ("{% for n in names if n != 'a' %}{{ n }}{% else %}none{% endfor %}", "b"),
        ("{% for n in [] %}{{ n }}{% else %}none{% endfor %}{{ text }}", "noneabc"),
        ("{% set x = text %}{% if row.x %}{% set x = x ~ 1 %}{% endif %}{{ x }}", "abc1"),
        ("{% with a = 1, b = text %}{{ a }}{{ b }}{% endwith %}!", "1abc!"),
        ("{% set ns = namespace(n=0) %}{% for n in names %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "2"),
        ("{% set x | upper %}a{{ text }}{% endset %}{{ x }}", "AABC"),
        ("a {# not shown #}b {{- text -}} c", "a babcc"),
        ("{% raw %}{{ x }}{% endraw %}{{ text }}", "{{ x }}abc"),
        ("line\n{{ text }}\n", "line\nabc\n"),
    ],
)
def test_a_text_is_rendered_segment_by_segment(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("x {{ nothing }}", "none-in-text"),
        ("x {{ names }}", "not-text"),
        ("x {{ row }}", "not-text"),
        ("x {{ naive }}", "not-text"),
        ("x {{ time - time }}", "not-text"),
        ("x {{ 1 == 'a' }}", "different-types"),
        ("x {{ text.lower }}", "not-called"),
        ("{% for n in nothing %}{% endfor %}", "none-used"),
        ("{% for n in 5 %}{% endfor %}", "evaluation"),
        ("{% for a, b in names %}{% endfor %}", "evaluation"),
        ("{% if row.y %}{% endif %}", "undefined-attribute"),
        ("{% if row.x == 2 %}{% set z = 1 %}{% endif %}{{ z }}", "undefined-name"),
        ("{% for n in names %}{{ loop.previtem }}{% endfor %}", "no-value"),
        ("{% for n in names %}{{ loop.__class__ }}{% endfor %}", "undefined-attribute"),
    ],
)
def test_what_is_no_text_is_an_error(source: str, code: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        rendered(source)
    assert caught.value.code == code


@given(st.text())
def test_a_source_without_marks_is_itself(source: str) -> None:
    if not any(mark in source for mark in ("{{", "{%", "{#")):
        assert ENVIRONMENT.template(source).evaluate({}) == source


@given(st.text(alphabet="{}%#-+ \n'\"ab1|.()[]<=\\x", max_size=30))
def test_any_source_compiles_or_is_a_syntax_problem(source: str) -> None:
    for compiled in (ENVIRONMENT.template, ENVIRONMENT.expression, ENVIRONMENT.command):
        said = ""
        offset: int | None = 0
        try:
            compiled(source).evaluate({"a": 1, "b": "x"})
        except TemplateSyntaxProblem as problem:
            said, offset = problem.message, problem.offset
        except EvaluationError as error:
            said = error.message
        assert offset is None or 0 <= offset <= len(source)
        assert "\n" not in said


@pytest.mark.parametrize(
    ("source", "offset", "says"),
    [
        ("{{ a ", 5, "}}"),
        ("{{ a b }}", 5, "b"),
        ("x {{ a }} {{ b + }}", 17, "}}"),
        ("{{ a | uper }}", 7, "did you mean upper?"),
        ("{{ a is defned }}", 8, "did you mean defined?"),
        ("{{ a | map('uper') }}", 12, "did you mean upper?"),
        ("{{ a | select('evn') }}", 15, "did you mean even?"),
        ("{{ 'x' if a }}", 7, "else"),
        ("{{ a is none if b else c }}", 16, "parentheses"),
        ("{{ a ? b }}", 5, "`?` means nothing here"),
        ("{% include 'x' %}", 3, "include"),
        ("{% macro m() %}{% endmacro %}", 3, "macro"),
        ("{% for x in y recursive %}{% endfor %}", 14, "recursive"),
        ("{% nosuch %}", 3, "nosuch"),
        ("{% set q.x = 1 %}", 7, "namespace"),
        ("{{ " + "9" * 5000 + " }}", 3, "too large"),
        ("{{ " + "(" * 500 + "a" + ")" * 500 + " }}", None, "nested too deeply"),
        ("{{ " + " + ".join("a" * 200) + " }}", None, "nested too deeply"),
        ("x {# never closed", 2, "comment"),
    ],
)
def test_a_syntax_problem_has_its_place(source: str, offset: int | None, says: str) -> None:
    with pytest.raises(TemplateSyntaxProblem) as caught:
        ENVIRONMENT.template(source)
    assert says in caught.value.message
    assert caught.value.offset == offset


def test_an_expression_must_be_one() -> None:
    for source in ("", " ", "a b", "{{ a }}", "a }}", "a; b", "a = 1", "\n"):
        with pytest.raises(TemplateSyntaxProblem):
            ENVIRONMENT.expression(source)


def test_an_unknown_escape_is_kept_without_a_warning() -> None:
    assert ENVIRONMENT.expression(r"'\d'").evaluate({}) == r"\d"
