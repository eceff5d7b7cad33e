"""Whatever stands in a rule file, a block or a configuration: findings, never an exception."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amierules.diagnostics import Finding, printable
from amierules.rulebook.configuration import load_configuration
from amierules.rulebook.model import Rulebook
from amierules.shipped import read_schema
from tests.support.rules import BLOCK, RULES, errors, load, write

FILES = 2000
PIECES = [
    *("{{", "}}", "{%", "%}", "{#", ": ", "- ", "\n", "\t", "'", '"', "[", "]", "{", "}", "|\n", ">\n", "&a ", "*a "),
    *("!!str ", "<<: ", "#", "\\", "\0", "\x1b", "\x85", "\ufeff", "\u202e", "é", "😀", "%", "@", "---\n", "..."),
    *("null", "true", "1e999", "0032", "packet", "reply", "use: b", "with: ", "{{ x }}", "{{ x | y }}", "(" * 500),
    *("a" * 3000, "9" * 5000, "[" * 100, "{{ " + "-" * 2000 + "1 }}", "{{ " + "(" * 300 + "1" + ")" * 300 + " }}"),
]


def broken(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 4)):
        at, until = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        match chance.randrange(4):
            case 0:
                text = text[:at] + chance.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[min(until, at + 30) :]
            case 2:
                text = text[:at] + chance.choice(PIECES) + text[at + 1 :]
            case _:
                lines = text.splitlines(keepends=True) or [""]
                lines.insert(chance.randrange(len(lines)), chance.choice(lines))
                text = "".join(lines)
    return text


def judge(book: Rulebook, findings: list[Finding]) -> None:
    for finding in findings:
        assert len(finding.message) <= 200
        assert printable(finding.message + finding.hint, 500) == finding.message + finding.hint
        assert finding.place is not None
    if not errors(findings):
        assert book.by_type
        assert not book.broken


@pytest.mark.parametrize("part", range(4))
def test_broken_rule_files_and_blocks_are_findings(tmp_path: Path, part: int) -> None:
    chance = random.Random(part)
    for _ in range(FILES // 4):
        rules, block = chance.choice([(broken(RULES, chance), BLOCK), (RULES, broken(BLOCK, chance))])
        write(tmp_path, {"a.yaml": rules, "blocks/b.yaml": block})
        judge(*load(tmp_path))


_KEYS = st.sampled_from(
    [
        *("packet", "rules", "vars", "name", "when", "actions", "reply", "complete", "hold", "defer", "fail", "copy"),
        *("fields", "type", "reason", "at_most", "use", "with", "command", "run", "user", "register", "for_each", "x"),
        *("params", "default", "block", "assert", "that", "message", "unless", "on_error", "timeout", "not_before"),
    ]
) | st.text(max_size=5)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["request_user_modify", "{{ packet.X }}", "{{ person }}", "project is none", "10m", "b", "a"])
    | st.text(max_size=10)
)
_DATA = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6), max_leaves=30
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_DATA, _DATA)
def test_any_data_is_findings(tmp_path: Path, rules: Any, block: Any) -> None:
    rule_file = {
        "packet": "request_user_modify",
        "rules": [{"name": "a", "actions": rules, "reply": block}],
        "vars": block,
    }
    for data in (rules, rule_file):
        write(tmp_path, {"a.yaml": json.dumps(data), "blocks/b.yaml": json.dumps(block)})
        judge(*load(tmp_path))


def test_broken_configurations_are_findings(tmp_path: Path) -> None:
    chance = random.Random(7)
    text = json.dumps(read_schema("configuration.schema")["examples"][0], indent=1)
    path = tmp_path / "amierules.yaml"
    for _ in range(FILES // 2):
        path.write_text(broken(text, chance), encoding="utf-8")
        configuration, findings = load_configuration(path, {})
        assert (configuration is None) == bool(findings)


def test_a_file_of_many_small_things_is_read_in_reasonable_time(tmp_path: Path) -> None:
    actions = "".join(f"      - {{name: a{number}, command: x, register: r{number}}}\n" for number in range(4000))
    text = f"packet: request_user_modify\nrules:\n  - name: a\n    actions:\n{actions}    reply: {{}}\n"
    assert load(write(tmp_path, {"a.yaml": text}))[1] == []
