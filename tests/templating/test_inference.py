"""What is said of an expression before it has a value agrees with what its evaluation does."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from jinja2 import nodes

from amierules.diagnostics import Severity
from amierules.templating import Doubt, Environment, EvaluationError, Facts, Static
from amierules.templating.static import constant, function_of, of_data

ENVIRONMENT = Environment()
VALUES: Mapping[str, object] = {
    "text": "abc",
    "digits": "15",
    "number": 3,
    "decimal": Decimal("2.5"),
    "yes": True,
    "day": date(2025, 10, 1),
    "moment": datetime(2025, 10, 1, 12, tzinfo=UTC),
    "span": timedelta(days=2),
    "texts": ["a", "b"],
    "numbers": [1, 2],
    "rows": [{"login": "ann", "active": True}],
    "row": {"login": "ann", "uid": 5, "dns": ["/CN=a"]},
    "nothing": None,
    "now": lambda: datetime(2025, 10, 1, 12, tzinfo=UTC),
}


class Names:
    """The values' kinds, as a rule file knows them."""

    def static(self, name: str, _facts: Facts) -> Static:
        value = VALUES.get(name, VALUES)
        if value is VALUES:
            return Static()
        if name == "now":
            return function_of(of_data(VALUES["moment"]), ())
        return constant(None) if value is None else of_data(value)

    def definition(self, _name: str) -> nodes.Expr | None:
        return None


EXPRESSIONS = """
text
text.upper()
text.uper()
text.format
text[0]
text[:1]
text['upper']
number[0]
number.real
decimal + number
number + text
text + text
text + number
text ~ number
text ~ texts
text ~ nothing
text ~ (nothing or 'x')
text * 2
texts + numbers
texts + text
texts * 2
day + span
day - day
day + 1
moment - moment
moment - day
(moment - moment).days
(day - day).hours
day.year + 1
day.hour
moment.hour
span.days
row.login
row.logn
row['login']
row['logn']
row.login.upper()
row.dns[0]
row.dns.first
(row.dns | first).upper()
rows[0].login
rows[0].logn
(rows | first).login
(rows | first).logn
rows | map(attribute='login') | list
rows | map(attribute='logn') | list
rows | selectattr('active') | list
rows | selectattr('activ') | list
rows.login
texts | join(', ')
text | join
number | join
texts | lower
text | lower
text | lower | join
nothing | lower
nothing | default('x') | lower
nothing | length
texts | length > 1
text | length == '1'
digits | int > 5
digits > 5
number > decimal
number == text
text == text
text != nothing
nothing == nothing
nothing < 5
yes == 1
yes == 'true'
day == moment
day < day
row < row
text in 'abcd'
number in 'abcd'
text in texts
text in row
text in number
text is none
nothing is none
now
now()
now().year
now().yeer
now.year
text()
not nothing
nothing.x
nothing or row.login
nothing and nothing.x
text if nothing is none else nothing.x
nothing.x if nothing is not none else text
nothing is not none and nothing.x
nothing is none or nothing.x
(nothing or row).login
[text, number]
[text, number][0]
{'a': text}
'%s' | format(text)
texts | format
text | replace('a', 'b')
-number
-text
number ** 2
range(3) | list
dict(a=1).a
""".strip().splitlines()


@pytest.mark.parametrize("source", EXPRESSIONS)
def test_an_error_is_said_where_the_evaluation_fails_and_nowhere_else(source: str) -> None:
    doubts: list[Doubt] = []
    expression = ENVIRONMENT.expression(source)
    expression.infer_condition(Names(), Facts(), doubts.append)
    try:
        expression.condition(VALUES)
        fails = False
    except EvaluationError:
        fails = True
    assert any(doubt.severity is Severity.ERROR for doubt in doubts) is fails, doubts


@pytest.mark.parametrize("source", EXPRESSIONS)
def test_a_doubt_stands_in_its_source(source: str) -> None:
    doubts: list[Doubt] = []
    ENVIRONMENT.expression(source).infer(Names(), Facts(), doubts.append)
    for doubt in doubts:
        assert 0 <= doubt.offset < doubt.offset + doubt.length <= len(source)
