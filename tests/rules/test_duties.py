"""docs/duties.md names rules and tests that are there, and every rule that is."""

import re
from collections import Counter
from pathlib import Path

import pytest

from amierules.actions.schemas import kind_schemas
from amierules.protocol.catalogue import catalogue
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.shipped import ROOT
from amierules.templating import Environment

TOP = Path(__file__).parents[2]
TEXT = (TOP / "docs" / "duties.md").read_text(encoding="utf-8")
DUTIES = [
    [cell.strip() for cell in line.strip("|").split(" | ")] for line in TEXT.splitlines() if line.startswith("| `")
]
"""Of each duty: id, what it is, rules, tests."""
RULE = re.compile(r"`([\w/]+\.yaml)`: ([^;]+)")
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
IDS = [row[0].strip("`") for row in DUTIES]


def _shipped() -> Rulebook:
    rulebook, findings = load_rulebook([ROOT / "rules"], kind_schemas(), Environment())
    assert findings == []
    return rulebook


RULEBOOK = _shipped()
RULES = {(Path(file.path).name, rule.name) for file in RULEBOOK.by_type.values() for rule in file.rules}
BLOCKS = {f"blocks/{Path(block.path).name}" for block in RULEBOOK.blocks.values()}
ACTIONS = {
    (f"blocks/{Path(block.path).name}", action.name) for block in RULEBOOK.blocks.values() for action in block.actions
}


def named_rules(cell: str) -> list[tuple[str, str]]:
    return [(file, name.strip()) for file, name in RULE.findall(cell)]


def test_ids_are_unique_and_every_row_has_its_four_cells() -> None:
    assert [one for one, often in Counter(IDS).items() if often > 1] == []
    assert [row for row in DUTIES if len(row) != 4 or not all(row)] == []
    assert len(DUTIES) > 80


@pytest.mark.parametrize("duty", DUTIES, ids=IDS)
def test_the_rules_and_tests_that_are_named_exist(duty: list[str]) -> None:
    _, _, rule_cell, test_cell = duty
    found = named_rules(rule_cell)
    assert found or rule_cell == "-"
    assert set(found) - RULES - ACTIONS == set()
    tests = TEST.findall(test_cell)
    assert tests
    for file, function in tests:
        assert f"\ndef {function}(" in (TOP / "tests" / file).read_text(encoding="utf-8"), (file, function)


def test_every_rule_and_every_block_carries_a_duty() -> None:
    named = {one for duty in DUTIES for one in named_rules(duty[2])}
    assert sorted(RULES - named) == []
    assert BLOCKS - {file for file, _ in named} == set()


def test_every_type_that_is_sent_to_a_site_has_duties() -> None:
    incoming = [one.name for one in catalogue().types.values() if one.direction in ("to_site", "both")]
    headings = " ".join(line for line in TEXT.splitlines() if line.startswith("## "))
    assert [name for name in incoming if name not in headings] == []
