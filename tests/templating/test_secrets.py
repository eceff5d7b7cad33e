"""Secrets print as `***`, and a text that holds one is one."""

import json

import pytest

from amierules.templating import Environment, EvaluationError, Secret, Withheld, secret_text

ENVIRONMENT = Environment()
SCOPE = {"secret": {"slack": Secret("https://hook/xyz")}, "text": "abc", "texts": ["a"]}


@pytest.mark.parametrize("shown", [str(Secret("xyz")), repr(Secret("xyz")), f"{Secret('xyz')}", f"{[Secret('xyz')]}"])
def test_it_is_never_shown(shown: str) -> None:
    assert "xyz" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("source", "revealed"),
    [
        ("{{ secret.slack }}", "https://hook/xyz"),
        ("POST {{ secret.slack }}!", "POST https://hook/xyz!"),
        ("{{ 'a' ~ secret.slack }}", "ahttps://hook/xyz"),
        ("{{ 'a' + secret.slack }}", "ahttps://hook/xyz"),
        ("{{ ['a', secret.slack] | join('-') }}", "a-https://hook/xyz"),
        ("{{ secret.slack | string }}", "https://hook/xyz"),
        ("{{ secret.slack | default('x') }}", "https://hook/xyz"),
        ("{% set x %}<{{ secret.slack }}>{% endset %}{{ x }}", "<https://hook/xyz>"),
    ],
)
def test_a_text_with_a_secret_is_a_secret(source: str, revealed: str) -> None:
    value = ENVIRONMENT.template(source).evaluate(SCOPE)
    assert isinstance(value, Secret)
    assert value.reveal() == revealed
    assert str(value) == "***"


@pytest.mark.parametrize(
    "source",
    [
        "secret.slack == 'x'",
        "secret.slack < 'x'",
        "secret.slack in texts",
        "'h' in secret.slack",
        "secret.slack | upper",
        "secret.slack | length",
        "secret.slack | list",
        "secret.slack | tojson",
        "[secret.slack] | tojson",
        "secret.slack[0]",
        "secret.slack[1:]",
        "secret.slack.upper()",
        "'%s' | format(secret.slack)",
        "text.replace('a', secret.slack)",
        "text | replace('a', secret.slack)",
        "secret.slack * 2",
    ],
)
def test_nothing_looks_into_a_secret(source: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        ENVIRONMENT.expression(source).evaluate(SCOPE)
    assert "hook" not in caught.value.message


def test_a_command_word_with_a_secret_is_a_secret() -> None:
    words = ENVIRONMENT.command("curl -H x{{ secret.slack }} {{ text }}").evaluate(SCOPE)
    assert words == ["curl", "-H", Secret("xhttps://hook/xyz"), "abc"]


def test_it_is_not_in_json_by_accident() -> None:
    with pytest.raises(TypeError):
        json.dumps([Secret("xyz")])


def test_parts_without_a_secret_are_a_plain_text() -> None:
    assert secret_text(["a", "b"]) == "ab"
    assert secret_text(["a", Secret("b")]) == Secret("ab")


@pytest.mark.parametrize(
    ("source", "printed", "shown"),
    [
        ("{{ secret.slack }}", "got https://hook/xyz twice: https://hook/xyz", "got *** twice: ***"),
        ("Bearer {{ secret.slack }}", "Bearer https://hook/xyz", "Bearer ***"),
        ("{{ ['a', secret.slack] | join('-') }}", "https://hook/xyz", "***"),
        ("{{ secret.slack }}", "nothing", "nothing"),
    ],
)
def test_what_was_printed_of_it_can_be_hidden(source: str, printed: str, shown: str) -> None:
    value = ENVIRONMENT.template(source).evaluate(SCOPE)
    assert isinstance(value, Secret)
    assert value.hide(printed) == shown


def test_each_line_of_it_is_hidden_and_an_empty_one_hides_nothing() -> None:
    assert Secret("ab\n\n  cd\n").hide("ab cd\nef") == "*** ***\nef"
    assert Secret("").hide("ab") == "ab"
    assert Secret("abc\nab").hide("abcd ab") == "***d ***"


def test_what_was_printed_in_secret_can_be_shown_and_not_used() -> None:
    scope = {"out": Withheld()}
    assert str(Withheld()) == "***"
    assert ENVIRONMENT.expression("'some' if out else 'none'").evaluate(scope) == "some"
    for source in ("echo {{ out }}", "echo a{{ out }}"):
        with pytest.raises(EvaluationError, match="not kept"):
            ENVIRONMENT.command(source).evaluate(scope)
    text = ENVIRONMENT.template("a{{ out }}").evaluate(scope)
    assert isinstance(text, Secret)
    with pytest.raises(EvaluationError, match="not kept"):
        text.reveal()
