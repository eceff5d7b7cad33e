"""Every code of the checks is documented, with an example that has it and one that has not."""

import ast
from pathlib import Path
from typing import Any

import pytest

from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Finding
from amierules.rulebook.loader import load_rulebook
from amierules.shipped import ROOT, read_schema
from amierules.templating import Environment
from tests.support.rules import write

CODES: dict[str, dict[str, Any]] = read_schema("diagnostics")["codes"]
CHECKS = [
    *(ROOT / "amierules" / "rulebook" / "checks").glob("*.py"),
    ROOT / "amierules" / "templating" / "inference.py",
    ROOT / "amierules" / "templating" / "complaints.py",
]
ENVIRONMENT = Environment()


def findings(folder: Path, entry: dict[str, Any], which: str) -> list[Finding]:
    text: str = entry[which]
    file = "blocks/example.yaml" if entry["of"] == "block" else "rules.yaml"
    folders = [write(folder / which, {file: text}), ROOT / "rules"]
    found = load_rulebook(folders, kind_schemas(), ENVIRONMENT)[1]
    return [finding for finding in found if finding.place and finding.place.file.endswith(file)]


EXAMPLES = sorted(
    code
    for code, entry in CODES.items()
    if entry["found_by"] == "validate" and entry.get("of") in ("rule file", "block")
)


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_bad_example_has_the_finding_and_the_good_one_has_not(tmp_path: Path, code: str) -> None:
    entry = CODES[code]
    found = {finding.code: str(finding.severity) for finding in findings(tmp_path, entry, "bad")}
    assert found.get(code) == entry["severity"]
    assert code not in {finding.code for finding in findings(tmp_path, entry, "good")}


def test_every_code_of_a_check_is_documented() -> None:
    texts = {
        node.args[0].value
        for path in CHECKS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
        if isinstance(node.func, ast.Name | ast.Attribute)
        if (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) in ("Finding", "Doubt", "doubt")
    }
    assert "at-most-once" in texts
    assert {text for text in texts if isinstance(text, str)} - set(CODES) - {"wrong-type", "unreachable-rule"} == set()
