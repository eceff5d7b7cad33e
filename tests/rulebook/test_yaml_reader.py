"""YAML is read strictly: every mistake has its place, and nothing is guessed."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from amierules.rulebook import yaml_reader
from amierules.rulebook.nodes import MappingNode, ScalarNode, to_plain
from amierules.rulebook.yaml_reader import MAX_BYTES, MAX_DEPTH, load_yaml


def plain(text: str) -> Any:
    node, findings = load_yaml(text, "a.yaml")
    assert findings == []
    assert node is not None
    return to_plain(node)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-17", -17),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("0032425", "0032425"),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2025-10-01", "2025-10-01"),
        ("yes", "yes"),
        ("off", "off"),
        ("'true'", "true"),
        ('"5"', "5"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(written: str, meant: object) -> None:
    value = plain(f"a: {written}")["a"]
    assert value == meant
    assert type(value) is type(meant)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: 1\nb: 2\na: 3", "duplicate-key", (3, 1)),
        ("a: &x 1", "anchor", (1, 4)),
        ("a: *x", "alias", (1, 4)),
        ("a: 1\n<<: {b: 2}", "merge-key", (2, 1)),
        ("a: !!str 5", "tag", (1, 4)),
        ("a: !python/object:os.system x", "tag", (1, 4)),
        ("a: 1\n---\nb: 2", "several-documents", (2, 1)),
        ("? [a]\n: b", "bad-key", (1, 3)),
        ("a:\n\tb: c", "tab", (2, 1)),
        ("a: |\n\tb", "tab", (2, 1)),
        ("a: [" + "[" * 60, "too-deep", (1, 4 + MAX_DEPTH - 1)),
        ("a: x\x01", "control-character", (1, 5)),
        ("a: x\0", "nul-character", (1, 5)),
        ('a: "\\0"', "nul-character", (1, 4)),
        ("", "empty-file", (0, 0)),
        ("# nothing\n", "empty-file", (0, 0)),
        ("a: 'x", "yaml-syntax", (1, 4)),
        ("a: b: c", "yaml-syntax", (1, 5)),
        ("a: @x", "yaml-syntax", (1, 4)),
        ("a: [x", "yaml-syntax", (1, 6)),
        ("- a\nb: c", "yaml-syntax", (2, 1)),
        ("a: \ud800", "not-utf-8", (1, 4)),
    ],
)
def test_a_mistake_is_one_finding_at_its_place(text: str, code: str, place: tuple[int, int]) -> None:
    _, findings = load_yaml(text, "a.yaml")
    assert [finding.code for finding in findings] == [code]
    found = findings[0].place
    assert found is not None
    assert (found.file, found.line, found.column) == ("a.yaml", *place)
    assert "\n" not in findings[0].message
    assert len(findings[0].message) <= 200


def test_a_file_over_one_megabyte_is_refused() -> None:
    _, findings = load_yaml("a: " + "é" * (MAX_BYTES // 2), "a.yaml")
    assert [finding.code for finding in findings] == ["too-large"]


def test_all_mistakes_that_leave_the_text_readable_are_found_at_once() -> None:
    _, findings = load_yaml("a: &x 1\nb: *x\na: !t 3\n", "a.yaml")
    assert [finding.code for finding in findings] == ["anchor", "alias", "tag", "duplicate-key"]


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ("a: {{ x }}", ['write "{{ x }}"']),
        ("a: {{ x }} and more # why", ['write "{{ x }} and more"']),
        ('a: {{ x | default("b") }}', ["write '{{ x | default(\"b\") }}'"]),
        ("a: [{{ x }}, {{ y }}]", ['write "{{ x }}"', 'write "{{ y }}"']),
        ("a: {b: {{ x }}}", ['write "{{ x }}"']),
        ("- {{x}}\n- b: {{ y }}", ['write "{{x}}"', 'write "{{ y }}"']),
        ("a: {{ x", ["put the whole value into quotes"]),
        ("a: {{ %x }}", ['write "{{ %x }}"']),
    ],
)
def test_each_unquoted_template_is_found_with_its_remedy(text: str, hints: list[str]) -> None:
    _, findings = load_yaml(text, "a.yaml")
    assert [finding.code for finding in findings] == ["unquoted-template"] * len(hints)
    assert [finding.hint for finding in findings] == hints


@pytest.mark.parametrize(
    "text", ["a: |\n  {{ x }}\n", "a: 'b\n  {{ x }}'", "a: # {{ x }}\n  b", "a: b\n  {{ x }}", "a: >\n  {{x}}"]
)
def test_braces_in_text_blocks_comments_and_continued_lines_are_no_mistake(text: str) -> None:
    assert plain(text)["a"]


@pytest.mark.parametrize("text", ["\ufeffa: 1", "a: 1\r\n", "%YAML 1.2\n---\na: 1\n...\n"])
def test_a_byte_order_mark_other_line_ends_and_a_document_start_are_fine(text: str) -> None:
    assert plain(text) == {"a": 1}


def test_places_count_characters_in_files_with_any_line_ends() -> None:
    node, _ = load_yaml("é😀: x\r\nb: y\rc: zz\n", "a.yaml")
    assert isinstance(node, MappingNode)
    places = [(value.place.line, value.place.column, value.place.length) for _, value in node.items()]
    assert places == [(1, 5, 1), (2, 4, 1), (3, 4, 2)]


def test_a_value_that_is_not_there_is_placed_at_its_key() -> None:
    node, _ = load_yaml("a:\n\n\nb: 1\n", "a.yaml")
    assert isinstance(node, MappingNode)
    assert node.values["a"].place.line == 1


def test_the_parser_in_python_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'a: [1, "x", {b: ~}]\nc: |\n  y\n  {{ z }}\n'
    with_c = load_yaml(text, "a.yaml")
    monkeypatch.setattr(yaml_reader, "_LOADER", yaml.SafeLoader)
    assert load_yaml(text, "a.yaml") == with_c
    assert [finding.code for finding in load_yaml("a: {{ x }}\n", "a.yaml")[1]] == ["unquoted-template"]
    assert [finding.code for finding in load_yaml("a: x\x01", "a.yaml")[1]] == ["control-character"]


_TEXTS = st.text(st.characters(max_codepoint=0xD7FF, exclude_characters="\0"), max_size=20)
_SCALARS = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | _TEXTS
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES)
def test_json_is_read_as_what_it_says(value: Any) -> None:
    node, findings = load_yaml(json.dumps(value), "a.yaml")
    assert findings == []
    assert node is not None
    assert to_plain(node) == value


@given(st.text(alphabet=st.sampled_from("ab:-[]{}'\"|>&*!%@# \t\n\r,?0.~{{}}\\é\x00\x85"), max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    node, findings = load_yaml(text, "a.yaml")
    assert node is not None or findings
    lines = text.count("\n") + text.count("\r") + 1
    for finding in findings:
        assert finding.place is not None
        assert 0 <= finding.place.line <= lines
        assert "\n" not in finding.message + finding.hint


def test_scalars_say_whether_they_need_quotes() -> None:
    node, _ = load_yaml("[1, 1.10, 1E5, 0032425, 2025-10-01, true, null, text, '1', 1.2.3, 10m, yes]", "a.yaml")
    needing = [item.text for item in getattr(node, "items", ()) if isinstance(item, ScalarNode) and item.needs_quotes]
    assert needing == ["1", "1.10", "1E5", "0032425", "2025-10-01", "true", "null"]
