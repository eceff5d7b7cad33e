"""A part of a value is found in the file, however the value is written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.diagnostics import Place
from amierules.rulebook.nodes import MappingNode, ScalarNode
from amierules.rulebook.positions import expression_place, name_place, place_at
from amierules.rulebook.yaml_reader import load_yaml


def scalar(text: str, key: str = "a") -> ScalarNode:
    node, findings = load_yaml(text, "f")
    assert findings == []
    assert isinstance(node, MappingNode)
    value = node.values[key]
    assert isinstance(value, ScalarNode)
    return value


def shown(text: str, place: Place) -> str:
    return text.splitlines()[place.line - 1][place.column - 1 : place.column - 1 + place.length]


TEXTS = {
    "plain": "a: x {{ one }} and {{ two }}\n",
    "plain, folded": "a: x {{ one }}\n   and\n\n   {{ two }}\n",
    "single": "a: 'it''s {{ one }}''{{ two }}'\n",
    "double": 'a: "\\"x\\" \\u0041\\x41 {{ one }} \\\n   cont \\\\ {{ two }}"\n',
    "double, folded": 'a: "x\n\n   {{ one }}  \n  y {{ two }}"\n',
    "literal": "a: |\n  x {{ one }}\n    indented\n\n  {{ two }}\n",
    "literal, stripped": "a: |-\n    x\n    {{ one }}{{ two }}\n",
    "literal, explicit indentation": "a: |2\n    x\n  {{ one }}\n  {{ two }}\n",
    "folded": "a: >\n  x {{ one }}\n  y\n\n  z\n    more {{ two }}\n",
    "flow": "{b: c, a: '{{ one }} {{ two }}'}\n",
    "astral": "a: 😀é {{ one }} ä {{ two }}\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", ["one", "two"])
def test_a_name_is_found_in_every_style(text: str, name: str) -> None:
    assert shown(text, name_place(scalar(text), name)) == name


def test_the_nth_occurrence_of_an_expression_is_found() -> None:
    text = 'a: "{{ x }} {{ y }} {{ x }}"\n'
    assert expression_place(scalar(text), "{{ x }}", 1).column == 21
    assert expression_place(scalar(text), "{{ x }}", 1, name="x") == Place("f", 1, 24, 1)


def test_what_is_not_found_is_placed_at_the_whole_value() -> None:
    node = scalar("a: some text\n")
    assert expression_place(node, "{{ x }}") == node.place
    assert name_place(node, "other") == node.place
    assert place_at(node, None) == node.place


def test_a_name_is_not_taken_from_the_text_around_an_expression() -> None:
    text = "a: user is {{ user }}\n"
    assert name_place(scalar(text), "user").column == 15


def test_a_place_after_the_last_character_is_at_the_last() -> None:
    text = "a: {x: 'a ='}\nb: 'a ='\n"
    assert shown(text, place_at(scalar(text, "b"), 99)) == "="


@given(st.text(alphabet=st.characters(max_codepoint=0xD7FF, exclude_characters="\0"), min_size=1, max_size=40))
def test_every_character_of_a_double_quoted_text_is_found(value: str) -> None:
    text = f"a: {json.dumps(value, ensure_ascii=True)}\n"
    node = scalar(text)
    for offset, character in enumerate(value):
        place = place_at(node, offset)
        written = text[place.column - 1 :]
        assert place.line == 1
        assert written.startswith((character, "\\"))


@given(st.lists(st.sampled_from(["word", "{{ x }}", "it's", "é"]), min_size=1, max_size=12), st.integers(0, 3))
def test_every_word_of_a_literal_text_is_found(words: list[str], indentation: int) -> None:
    body = "".join(f"  {' ' * (indentation if number else 0)}{word}\n" for number, word in enumerate(words))
    text = f"a: |\n{body}"
    node = scalar(text)
    offset = 0
    for number, word in enumerate(words):
        offset = node.text.index(word, offset)
        place = place_at(node, offset, len(word))
        assert place.line == number + 2
        assert shown(text, place) == word
        offset += len(word)
