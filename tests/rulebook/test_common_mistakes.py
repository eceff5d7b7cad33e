"""Mistakes that newcomers make: one finding, on the line where the hand must go, with the remedy."""

from pathlib import Path

import pytest

from amierules.diagnostics import Finding, Severity
from amierules.rulebook.configuration import check_templates, load_configuration
from tests.support.rules import load

GOOD = """\
packet: request_project_inactivate
rules:
  - name: project is unknown here
    when: project is none
    hold: "no project {{ packet.ProjectID }}"
  - name: inactivate
    actions:
      - {name: stop, command: [stop, "{{ packet.ProjectID }}", now]}
    reply: {copy: [ProjectID, ResourceList]}
"""


def findings(folder: Path, text: str) -> list[Finding]:
    (folder / "request_project_inactivate.yaml").write_text(text, encoding="utf-8")
    return load(folder)[1]


def test_the_rules_without_a_mistake_are_good(tmp_path: Path) -> None:
    assert findings(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("right", "wrong", "line", "code", "said"),
    [
        ("when: project", "when project", 4, "yaml-syntax", "a key is followed by"),
        ("when: project", "when:\u00a0project", 4, "odd-space", "U+00A0"),
        ("    when:", "  \u00a0 when:", 4, "odd-space", "U+00A0"),
        ("  - name: inactivate", "    name: inactivate", 6, "duplicate-key", "write '- name:'"),
        ('ProjectID }}"', "ProjectID }}", 5, "yaml-syntax", "close the quotes on this line"),
        ("project is none", "project = none", 4, "template-syntax", "equal is written `==`"),
        ("project is none", "project == null", 4, "unknown-name", "`is none`"),
        ("is none", "is none && resource is none", 4, "template-syntax", "write `and`"),
        ("is none", "is none || resource is none", 4, "template-syntax", "write `or`"),
        ("project is none", '"!project"', 4, "template-syntax", "write `not`"),
        ("ProjectID }}", "ProjectID }", 5, "template-syntax", "ends with `}}`"),
        ("{{ packet.ProjectID", "{ packet.ProjectID", 5, "template-syntax", "begins with `{{`"),
        ("ProjectID }}", "ProjectID", 5, "template-syntax", "'}}' is expected"),
        ("    when:", "    wen:", 4, "unknown-key", "did you mean 'when'?"),
    ],
)
def test_each_is_one_finding_with_its_remedy(
    tmp_path: Path, right: str, wrong: str, line: int, code: str, said: str
) -> None:
    assert GOOD.count(right) >= 1
    (finding,) = findings(tmp_path, GOOD.replace(right, wrong, 1))
    assert (finding.code, finding.place and finding.place.line) == (code, line)
    assert said in f"{finding.message} {finding.hint}"


def test_a_parameter_beside_use_belongs_under_with(tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "stop.yaml").write_text(
        'block: stop\nparams: [active]\nactions: [{name: it, command: [stop, "{{ active }}"]}]\n'
    )
    wrong = GOOD.replace('command: [stop, "{{ packet.ProjectID }}", now]', "use: stop, active: false")
    assert "put it under 'with:'" in " ".join(finding.hint for finding in findings(tmp_path, wrong))


def configured(folder: Path, more: str) -> list[Finding]:
    path = folder / "amierules.yaml"
    path.write_text(f"site_name: A\nremote_site_name: B\n{more}", encoding="utf-8")
    return load_configuration(path, {})[1]


@pytest.mark.parametrize("given", ["[1]", "[1, 2, 3]", "20000-29999", "20000"])
def test_a_range_is_two_numbers(tmp_path: Path, given: str) -> None:
    (finding,) = configured(tmp_path, f"ids: {{uid: {{range: {given}}}}}\n")
    assert finding.hint == "two numbers, the first and the last: [20000, 29999]"


def test_a_folder_of_templates_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    assert configured(tmp_path, "templates: notices\n") == []
    configuration, _ = load_configuration(tmp_path / "amierules.yaml", {})
    assert configuration is not None
    (finding,) = check_templates(configuration)
    assert (finding.code, finding.severity, finding.place and finding.place.line) == (
        "no-templates",
        Severity.WARNING,
        3,
    )
    (tmp_path / "notices").mkdir()
    assert check_templates(configuration) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:amie.db", "sqlite:///amie.db"),
        ("sqlite://amie.db", "three slashes"),
        ("postgres://me:word@host/amie", "write postgresql://me:***@host/amie"),
        ("mysql://host/amie", "sqlite:///amie.db or postgresql://user@host/amiedb"),
    ],
)
def test_a_database_that_cannot_be_says_how_it_is_written(tmp_path: Path, url: str, said: str) -> None:
    (finding,) = configured(tmp_path, f'database: "{url}"\n')
    assert said in finding.hint
    assert "word" not in finding.hint + finding.message


def test_the_value_of_the_environment_is_shown_without_its_password(tmp_path: Path) -> None:
    configured(tmp_path, "")
    path = tmp_path / "amierules.yaml"
    _, (finding,) = load_configuration(path, {"AMIERULES_DATABASE": "//me:word@host/amie"})
    assert finding.message == "AMIERULES_DATABASE: '//me:***@host/amie' is no database URL"
