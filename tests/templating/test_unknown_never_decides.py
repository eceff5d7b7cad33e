"""Over generated expressions: what is known although a name is unknown does not depend on that name."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from amierules.templating import Environment, EvaluationError, Unknown

ENVIRONMENT = Environment()
ATOMS = ["u", "u", "r.x", "r", "l", "'a'", "''", "1", "0", "1.5", "none", "true", "[]", "['a', u]", "{'a': u}", "t"]
JOINED = ["or", "and", "==", "!=", "<", ">=", "in", "not in", "+", "-", "*", "//", "%", "~", "is eq", "is in"]
AFTER = [
    *(" is none", " is not none", " is defined", " is string", " is mapping", " is sequence", " is iterable"),
    *(" | default('z')", " | default('z', true)", " | length", " | list", " | first", " | last", " | upper"),
    *(" | string", " | int(7)", " | sort", " | unique", " | join('-')", " | map('upper')", " | select", " | reverse"),
    *(" | map('default', 1)", " | map(attribute='x')", " | selectattr('x')", " | tojson", " | max", " | sum"),
    *("[0]", "[:1]", ".x", "['a']", ".upper()", ".split('a')", " | items", " | dictsort", " | replace('a', 'b')"),
]


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(JOINED), inner).map(lambda parts: "({} {} {})".format(*parts)),
        st.tuples(inner, st.sampled_from(AFTER)).map(lambda parts: "(({}){})".format(*parts)),
        st.tuples(inner, inner, inner).map(lambda parts: "({} if {} else {})".format(*parts)),
        inner.map("(not {})".format),
        st.tuples(inner, inner).map(lambda parts: "[{}, {}]".format(*parts)),
        inner.map("{{'k': {}}}".format),
        inner.map("find({})".format),
    )


EXPRESSIONS = st.recursive(st.sampled_from(ATOMS), grown, max_leaves=6)


def evaluated(source: str, value: object) -> object:
    scope = {"u": value, "r": {"x": value, "y": 1}, "l": ["a", "b"], "t": "abc", "find": lambda given: [given]}
    return ENVIRONMENT.expression(source).evaluate(scope)


def known(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(map(known, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(known, value))
    return not isinstance(value, Unknown)


@settings(max_examples=1500, deadline=None)
@given(EXPRESSIONS)
def test_what_is_known_does_not_depend_on_the_unknown(source: str) -> None:
    try:
        value = evaluated(source, Unknown("step"))
    except EvaluationError:
        return
    if known(value):
        for concrete in ("a", 5, None, ["a"], {"x": 1}, True):
            assert evaluated(source, concrete) == value


@settings(max_examples=500, deadline=None)
@given(EXPRESSIONS, st.sampled_from(["a", "", 5, None, ["a"], {"x": 1}, True, 1.5, "unknown"]))
def test_an_expression_has_a_value_or_an_evaluation_error(source: str, value: object) -> None:
    try:
        made = evaluated(source, Unknown("step") if value == "unknown" else value)

    except EvaluationError as error:
        message = error.message
    else:
        message = ""
        assert not callable(made) or isinstance(made, Unknown)

    assert "\n" not in message
