"""Some three hundred mistakes, as people make them at two in the morning: each found where the hand must go."""

from pathlib import Path

import pytest

from amierules.cli.rulebook_loading import check_site
from amierules.diagnostics import printable
from amierules.diagnostics.codes import codes
from amierules.engine.site_folder import site_files
from tests.support.mistakes import Mistake, mistakes

CASES = mistakes()
SITE = {name: content for name, content in site_files("TestSite").items() if not name.startswith("schemas/")}
MOST_FINDINGS = 2
LONGEST_MESSAGE = 200


def made(folder: Path, files: dict[str, bytes]) -> Path:
    """A new site with these files, which replace those of the same path."""
    for name, content in (SITE | files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_a_site_without_mistakes_has_no_findings(tmp_path: Path) -> None:
    assert check_site(made(tmp_path, {}) / "amierules.yaml", {}).findings == ()


def test_there_are_many_mistakes_and_each_is_called_otherwise() -> None:
    titles = [case.title for case in CASES]
    assert len(titles) == len(set(titles)) >= 300
    assert all(case.expected for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_a_mistake_is_found_at_its_place_with_its_remedy(
    tmp_path: Path, case: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made(tmp_path, case.files))
    findings = check_site(Path("amierules.yaml"), {}).findings
    assert [str(wanted) for wanted in case.expected if not any(wanted.fits(one, tmp_path) for one in findings)] == []
    assert len(findings) == len(case.expected) <= MOST_FINDINGS
    for finding in findings:
        assert finding.code in codes()
        assert len(finding.message) <= LONGEST_MESSAGE
        assert len(finding.hint) <= LONGEST_MESSAGE
        assert printable(finding.message + finding.hint, 1000) == finding.message + finding.hint
        # What a schema or Python prints of a mapping or an exception is no sentence.
        assert not any(dump in finding.message for dump in ("{'name", "Error", "Traceback", "at 0x"))
