"""A mistake is found once: what would follow from it is not said."""

from pathlib import Path

import pytest

from tests.support.rules import load

GOOD = """\
packet: request_project_inactivate
rules:
  - name: project is unknown here
    when: project is none
    hold: "no project {{ packet.ProjectID }}"
  - name: inactivate
    actions:
      - name: look
        command: {run: [getent, group, "{{ project.group }}"], read_only: true}
        register: seen
        until: seen.rc == 0
    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "{{ seen.stdout }}"}}
"""
BLOCK = """\
block: look
actions:
  - {name: look, command: {run: [date], read_only: true}, register: seen, until: seen.rc == 0}
  - {name: use it, command: {run: [echo, "{{ seen.stdout }}"], read_only: true}}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "code", "line"),
    [
        ("register:", "regsiter:", "unknown-key", 10),
        ("command:", "comand:", "unknown-key", 9),
        ("when: project is none", "when: project is none and", "template-syntax", 4),
        ('hold: "no project {{ packet.ProjectID }}"', "description: none", "no-outcome", 3),
        ("when: project is none", "wen: project is none", "unknown-key", 4),
    ],
)
def test_in_a_rule(tmp_path: Path, right: str, wrong: str, code: str, line: int) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    assert load(tmp_path)[1] == []
    (tmp_path / "a.yaml").write_text(GOOD.replace(right, wrong, 1), encoding="utf-8")
    (finding,) = load(tmp_path)[1]
    assert (finding.code, finding.place and finding.place.line) == (code, line)


@pytest.mark.parametrize(("right", "wrong"), [("register:", "regsiter:"), ("command:", "comand:")])
def test_in_a_block(tmp_path: Path, right: str, wrong: str) -> None:
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "look.yaml").write_text(BLOCK.replace(right, wrong, 1), encoding="utf-8")
    assert [finding.code for finding in load(tmp_path)[1] if finding.code != "unused-block"] == ["unknown-key"]


def test_what_has_nothing_to_do_with_it_is_still_said(tmp_path: Path) -> None:
    text = GOOD.replace("register:", "regsiter:").replace("{{ seen.stdout }}", "{{ sene.stdout }}")
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert [finding.code for finding in load(tmp_path)[1]] == ["unknown-key", "unknown-name"]
