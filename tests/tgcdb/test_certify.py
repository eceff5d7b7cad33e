"""The shipped rules are held to the protocol, on both fronts and both databases."""

import os
from pathlib import Path

import pytest
import yaml

from amierules.database.connection import Database
from amierules.diagnostics import Invalid
from amierules.shipped import ROOT
from amierules.tgcdb.scenarios import scenarios
from tests.support.certifying import a_bench, a_site, said

ALL = [name for name, one in scenarios().items() if not one.lasting]
SOME = ["request_person_merge", "request_account_reactivate", "repeated_record"]
"""What is played on the slower fronts, unless AMIERULES_CERTIFY asks for all."""
PLAYED = ALL if os.environ.get("AMIERULES_CERTIFY") == "all" else SOME


def test_the_shipped_rules(tmp_path: Path) -> None:
    with a_bench(a_site(tmp_path / "site")) as bench:
        found = bench.certify(ALL)
    assert said(found) == []
    assert [one.scenario.name for one in found if one.unsent or not one.report.lines] == []
    assert bench.scratch.script.programs() == []


@pytest.mark.parametrize("front", ["database", "rest"])
def test_the_shipped_rules_on_each_front_and_database(tmp_path: Path, front: str, database: Database) -> None:
    with a_bench(a_site(tmp_path / "site"), front=front, database=database) as bench:
        found = bench.certify(PLAYED)
    assert said(found) == []


@pytest.mark.parametrize("front", ["database", "rest"])
def test_the_example_with_a_head_node(front: str) -> None:
    with a_bench(ROOT / "examples" / "head-node" / "amierules.yaml", front=front) as bench:
        found = bench.certify(PLAYED)
    assert said(found) == []
    assert bench.scratch.script.programs() != []


def test_what_a_person_is_asked_is_told_and_approved(tmp_path: Path) -> None:
    path = a_site(tmp_path / "site", {"amierules.yaml": ("approve_accounts: false", "approve_accounts: true ")})
    with a_bench(path) as bench:
        (found,) = bench.certify(["known_person"])
    assert found.passed
    assert [one.type for one in found.asked] == ["request_account_create"] * 3


def test_a_packet_that_waits_for_a_person_who_must_answer_is_no_violation(tmp_path: Path) -> None:
    path = a_site(tmp_path / "site")
    file = path.parent / "rules" / "request_account_create.yaml"
    rule = yaml.safe_load(file.read_text(encoding="utf-8"))
    rule["rules"].insert(
        0, {"name": "ask", "when": "approval is none", "hold": {"reason": "which?", "ask": {"shell": "which"}}}
    )
    file.write_text(yaml.safe_dump(rule, sort_keys=False), encoding="utf-8")
    with a_bench(path) as bench:
        (found,) = bench.certify(["request_account_reactivate"])
    assert found.passed
    assert [one.status for one in found.waiting] == ["held"]
    assert found.unsent == 2


def test_rules_that_do_not_load_are_not_played(tmp_path: Path) -> None:
    file = "rules/request_account_create.yaml"
    path = a_site(tmp_path / "site", {file: ("rules:\n", "rulez:\n")})
    with pytest.raises(Invalid, match="rulez"), a_bench(path):
        pass
