"""A command's words: expressions make no word boundaries, and values become no options."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.templating import Environment, EvaluationError, Secret, TemplateSyntaxProblem, Unknown

ENVIRONMENT = Environment()
SCOPE = {
    "login": "bsample",
    "spaced": "Bob B. \"S' $HOME `x` | > * ~ \\",
    "dashed": "-rf",
    "empty": "",
    "nothing": None,
    "names": ["a b", "-c", ""],
    "no_names": [],
    "number": 42,
    "u": Unknown("account"),
    "secret": Secret("-pw"),
}


def words_of(source: str | list[str]) -> list[str | Unknown | Secret]:
    return ENVIRONMENT.command(source).evaluate(SCOPE)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("getent passwd {{ login }}", ["getent", "passwd", "bsample"]),
        ("x {{ spaced }} y", ["x", SCOPE["spaced"], "y"]),
        ("x a{{ login }}b{{ number }}", ["x", "absampleb42"]),
        ("x '{{ spaced }}' \"{{ login }} 1\"", ["x", SCOPE["spaced"], "bsample 1"]),
        ("x {{ nothing | default('a b') }}", ["x", "a b"]),
        ("x {{ '\"' ~ \"'\" }}", ["x", "\"'"]),
        ("x {{ empty }} {{ empty }}{{ empty }} ''", ["x", "", "", ""]),
        ("x {{ no_names }} y", ["x", "y"]),
        ("x {{ ['a b', ''] }}", ["x", "a b", ""]),
        ("x -{{ login }} --user={{ dashed }}", ["x", "-bsample", "--user=-rf"]),
        ("x -- {{ dashed }} {{ names }}", ["x", "--", "-rf", "a b", "-c", ""]),
        ("x {{ dashed | option }} {{ names | option }}", ["x", "-rf", "a b", "-c", ""]),
        ("x # no comment \\  $HOME ~ *", ["x", "#", "no", "comment", " ", "$HOME", "~", "*"]),
        ("x\n  y\r\n  z\n", ["x", "y", "z"]),
        ("x {{ number }} {{ true }}", ["x", "42", "true"]),
        ("x \ue0000\ue001{{ login }}", ["x", "\ue0000\ue001bsample"]),
        (["x y", "{{ spaced }}", "a {{ login }}", ""], ["x y", SCOPE["spaced"], "a bsample", ""]),
        (["x", "{{ no_names }}", "'q' \\", "{{ ['1', '2'] }}"], ["x", "'q' \\", "1", "2"]),
    ],
)
def test_words(source: str | list[str], words: list[str]) -> None:
    assert words_of(source) == words


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("x {{ dashed }}", "option-injection"),
        ("x {{ empty }}{{ dashed }}", "option-injection"),
        ("x '{{ dashed }}'", "option-injection"),
        ('x ""{{ dashed }}', "option-injection"),
        ("x {{ names }}", "option-injection"),
        ("x {{ dashed }} --", "option-injection"),
        ("x {{ '--' }} {{ dashed }}", "option-injection"),
        ("x {{ (dashed | option) ~ '' }}", "option-injection"),
        ("x {{ secret }}", "option-injection"),
        (["x", "{{ dashed }}"], "option-injection"),
        ("x {{ nothing }}", "none-word"),
        ("x {{ [nothing] }}", "none-word"),
        ("x {{ nothing | option }}", "none-word"),
        ("x a{{ nothing }}", "none-in-text"),
        ("x a{{ names }}", "not-text"),
        ("x {{ {'a': 1} }}", "not-text"),
        ("x {{ [['a']] }}", "not-text"),
        ("{{ no_names }}", "empty-command"),
        ("x {{ 'a\\x00b' }}", "nul-character"),
        ("x \0", "nul-character"),
        ("x {{ '\\ud800' }}", "evaluation"),
        ("x {{ missing }}", "undefined-name"),
    ],
)
def test_what_is_no_word_is_an_error(source: str | list[str], code: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        words_of(source)
    assert caught.value.code == code
    assert "pw" not in caught.value.message


@pytest.mark.parametrize(
    ("source", "offset"),
    [
        ("x {% if a %}y{% endif %}", 2),
        ("x {# no #}", 2),
        ("x {% raw %}{% endraw %}", 2),
        ("x {{ a", 2),
        ("x {{- a }}", 2),
        ("x {{ a -}} y", 7),
        ("x 'y {{ a }}", 2),
        ("x {{ a b }}", 7),
        ("x {{ a | uper }}", 9),
        ("x \\", 2),
        ("", 0),
        ("  \n", 0),
    ],
)
def test_a_command_has_only_expressions(source: str, offset: int) -> None:
    with pytest.raises(TemplateSyntaxProblem) as caught:
        ENVIRONMENT.command(source)
    assert caught.value.offset == offset


def test_an_empty_list_is_no_command() -> None:
    with pytest.raises(TemplateSyntaxProblem):
        ENVIRONMENT.command([])


@pytest.mark.parametrize("source", ["x {{ dashed }}", "x {{ nothing }}", "x a{{ nothing }}", "x a{{ names }}"])
def test_an_error_names_its_expression(source: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        words_of(source)
    assert caught.value.name in {"dashed", "nothing", "names"}


def test_a_problem_in_a_list_names_its_word() -> None:
    with pytest.raises(TemplateSyntaxProblem) as caught:
        ENVIRONMENT.command(["x", "y {{ a b }}"])
    assert (caught.value.item, caught.value.offset) == (1, 7)


def test_an_unknown_value_makes_its_word_unknown_and_no_other() -> None:
    words = words_of("x {{ u }} a{{ u }} {{ u | upper }} {{ login }} {{ [login, u] }}")
    unknown = [word.step if isinstance(word, Unknown) else word for word in words]
    assert unknown == ["x", "account", "account", "account", "bsample", "bsample", "account"]


def test_names_of_all_expressions() -> None:
    assert ENVIRONMENT.command("x {{ a.b }} {{ c | default(d) }}{{ range(1) }}").names == {"a", "c", "d"}


ANY_TEXT = st.text().filter(lambda text: "\0" not in text)


@given(ANY_TEXT)
def test_a_value_of_any_characters_stays_one_word(value: str) -> None:
    scope = {"v": value}
    assert ENVIRONMENT.command("x -- {{ v }} y").evaluate(scope) == ["x", "--", value, "y"]
    assert ENVIRONMENT.command("x 'a {{ v }}'b y").evaluate(scope) == ["x", f"a {value}b", "y"]
    assert ENVIRONMENT.command('x "a{{ v }}" y').evaluate(scope) == ["x", f"a{value}", "y"]
    assert ENVIRONMENT.command(["x", "=", "a{{ v }}"]).evaluate(scope) == ["x", "=", f"a{value}"]


@given(st.lists(ANY_TEXT))
def test_a_list_becomes_as_many_words(values: list[str]) -> None:
    assert ENVIRONMENT.command("x -- {{ v }}").evaluate({"v": values}) == ["x", "--", *values]


@given(st.lists(ANY_TEXT, min_size=1))
def test_a_text_without_expressions_is_split_as_a_shell_splits(words: list[str]) -> None:
    source = shlex.join(words).replace("\r", " ")
    if not any(mark in source for mark in ("{{", "{%", "{#")):
        assert ENVIRONMENT.command(source).evaluate({}) == shlex.split(source)


@given(ANY_TEXT | ANY_TEXT.map("-{}".format))
def test_a_value_is_never_an_option_by_accident(value: str) -> None:
    command = ENVIRONMENT.command("x {{ v }}")
    if value.startswith("-"):
        with pytest.raises(EvaluationError) as caught:
            command.evaluate({"v": value})
        assert caught.value.code == "option-injection"
    else:
        assert command.evaluate({"v": value}) == ["x", value]


def test_a_number_that_is_expected_is_expected_as_the_text_of_a_word() -> None:
    names = {"number": Unknown("account", 20001), "names": Unknown("account", ["a", "b"]), "secret": Unknown("account")}
    words = Environment().command(["{{ number }}", "{{ names }}", "{{ secret }}"]).evaluate(names)
    assert [isinstance(word, Unknown) for word in words] == [True] * 3
    number, listed, nothing = (word for word in words if isinstance(word, Unknown))
    assert (number.expected, listed.expected, nothing.has_expected) == ("20001", ["a", "b"], False)
