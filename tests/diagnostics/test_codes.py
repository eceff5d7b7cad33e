"""Every code that a finding can have is documented, and its examples are what they say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Finding, Severity
from amierules.diagnostics.codes import Code, codes
from amierules.rulebook.configuration import load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.shipped import ROOT
from amierules.templating import Environment

PACKAGE = Path(__file__).parents[2] / "amierules"
WORD = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*")
MAKERS = {
    "Doubt",
    "EvaluationError",
    "Fault",
    "Finding",
    "Problem",
    "Refused",
    "_Refused",
    "_find",
    "_refused",
    "find",
    "problem",
}
EXAMPLES = [pytest.param(code, id=name) for name, code in codes().items() if code.bad is not None]


def test_every_code_that_the_source_names_is_documented() -> None:
    assert {where: code for code, where in _made() if code not in codes()} == {}


def test_no_code_is_documented_that_nothing_makes() -> None:
    texts = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert [name for name in codes() if f'"{name}"' not in texts and not _composed(name, texts)] == []


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_bad_example_has_the_finding_and_the_good_one_has_none(code: Code, tmp_path: Path) -> None:
    good = _findings(code, code.good or "", tmp_path / "good")
    assert [finding for finding in good if finding.severity is not Severity.NOTE] == []
    bad = _findings(code, code.bad or "", tmp_path / "bad")
    if code.found_by == "validate":
        assert (code.name, code.severity) in {(finding.code, finding.severity) for finding in bad}
        assert len(bad) <= 2


def _findings(code: Code, text: str, folder: Path) -> list[Finding]:
    if code.of == "configuration":
        folder.mkdir()
        (folder / "amierules.yaml").write_text(text, encoding="utf-8")
        return load_configuration(folder / "amierules.yaml", {})[1]
    file = folder / ("blocks/example.yaml" if code.of == "block" else "example.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    _, findings = load_rulebook([folder, ROOT / "rules"], kind_schemas(), Environment())
    return [finding for finding in findings if finding.place and finding.place.file == str(file)]


def _made() -> Iterator[tuple[str, str]]:
    """Each code that a call makes, and where."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) in MAKERS:
                yield from ((code, f"{path.name}:{node.lineno}") for code in _codes_in(node))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _codes_in(call: ast.Call) -> Iterator[str]:
    given: list[ast.expr] = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    if not given and _name(call.func) == "EvaluationError":
        given = call.args[1:2]
    elif not given:
        given = list(filter(lambda one: isinstance(one, ast.Constant), call.args[:2]))[:1]
    for one in given:
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and WORD.fullmatch(one.value):
            yield one.value


def _composed(name: str, texts: str) -> bool:
    """Whether it is put together from a fixed beginning: `unreadable-{what}`."""
    beginning, _, _ = name.rpartition("-")
    return f'f"{beginning}-{{' in texts
