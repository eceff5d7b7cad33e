"""The rule tests of the shipped rules and of the example sites pass, leave nothing out, and notice what is changed."""

from pathlib import Path

from amierules.diagnostics import ExitStatus
from tests.architecture.source_tree import TOP
from tests.support.command_line import call

SHIPPED = TOP / "tests" / "shipped"
HEAD_NODE = TOP / "examples" / "head-node"


def test_the_shipped_rules_are_tested_on_both_sides_of_each_condition() -> None:
    ended = call("test", SHIPPED, "--config", SHIPPED / "amierules.yaml", "--coverage-threshold", 100)
    assert (ended.status, ended.stderr) == (ExitStatus.OK, ended.stderr), ended.stdout


def test_the_shipped_rule_tests_notice_changes_of_the_rules() -> None:
    ended = call("test", SHIPPED, "--config", SHIPPED / "amierules.yaml", "--mutation-threshold", 95)
    assert ended.status == ExitStatus.OK, ended.stdout


def test_what_the_head_node_site_has_of_its_own_is_tested_on_both_sides_of_each_condition() -> None:
    config = HEAD_NODE / "amierules.yaml"
    ended = call("test", HEAD_NODE / "tests", "--config", config, "--coverage", "--format", "json")
    assert ended.status == ExitStatus.OK, ended.stdout
    gaps = ended.json("test")["coverage"]["missing"]
    own = [gap for gap in gaps if Path(gap["file"]).resolve().is_relative_to(HEAD_NODE)]
    assert own == []
    # Others are those of shipped rules, which have tests of their own.
    assert gaps != own
