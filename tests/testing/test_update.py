"""`--update` writes into the test file what came, and leaves all else as it is."""

import re
from pathlib import Path

import pytest

from tests.support.command_line import call
from tests.testing.conftest import STOPPED

COMMENTS = re.findall(r"#.*", STOPPED)


def _update(site: Path, text: str) -> str:
    file = site / "tests" / "case.yaml"
    file.write_text(text, encoding="utf-8")
    ended = call("test", "--update")
    assert ended.status == 0, ended.stdout + ended.stderr
    assert call("test").status == 0
    return file.read_text(encoding="utf-8")


def test_what_passes_stays_as_it_is(site: Path) -> None:
    assert _update(site, STOPPED) == STOPPED


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("rule: stop ", "rule: other "),
        ("modify: project P-1 on", "modify: project P-2 on"),
        ("before: {active: true}", "before: {active: false, more: [1, two]}"),
        ("body: {ProjectID: P-1, ResourceList: [alpha.site.example]}\n  - name", "body: {ProjectID: P-3}\n  - name"),
        ("hold: no project P-2}", "defer: later}"),
        ("- step: inactive ", "- step: other "),
    ],
)
def test_only_what_differs_is_rewritten(site: Path, right: str, wrong: str) -> None:
    assert right in STOPPED
    assert _update(site, STOPPED.replace(right, wrong)) == STOPPED


@pytest.mark.parametrize(
    ("cut", "instead"),
    [
        (r"      # what is done\n      changes:\n(.+\n){4}", ""),
        (r"changes:\n(.+\n){4}", "changes: []\n"),
        (r"(      reply:\n)(.+\n){2}", "      park: no rule\n"),
        (r"(      reply:\n)(.+\n){2}", "      park: |\n        no\n        rule\n"),
        (r"(        - step: inactive)", r"        - {step: x, run: [a, b]}  # gone\n\1"),
        (r"(          after: .+\n)", r"\1        - {step: y, run: a b}\n"),
        (
            r"expect: \{rule: not yet, hold: no project P-2\}",
            "expect: {defer: what is long enough to have lines of its own "
            "when it is written as all of what is expected here}",
        ),
    ],
)
def test_whole_parts_are_rewritten(site: Path, cut: str, instead: str) -> None:
    text, number = re.subn(cut, instead, STOPPED)
    assert number == 1
    kept = [comment for comment in COMMENTS if comment in text]
    after = _update(site, text)
    assert [comment for comment in kept if comment not in after] == []
    assert "gone" not in after


def test_a_list_of_which_nothing_came_becomes_empty(site: Path) -> None:
    text = STOPPED.replace("no project P-2}", "no project P-2, messages: [{slack: {text: x}}]}")
    assert _update(site, text) == STOPPED.replace("no project P-2}", "no project P-2, messages: []}")


def test_later_turns_are_rewritten_too(site: Path) -> None:
    turns = "    then: [{later: 1h, expect: {park: x}}, {later: 1h, expect: {rule: y, park: x}}]\n"
    text = STOPPED.replace("  - name: unknown", turns + "  - name: unknown")
    after = _update(site, text)
    assert "park" not in after
    assert after.count("notify_project_inactivate") == 3


def test_what_is_partial_stays_partial(site: Path) -> None:
    text = STOPPED.replace("rule: stop ", "partial: true\n      rule: start ").replace(
        "[alpha.site.example]}\n  -", "[x]}\n  -"
    )
    after = _update(site, text)
    assert "partial: true\n      rule: stop " in after


def test_the_difference_is_shown(site: Path) -> None:
    (site / "tests" / "case.yaml").write_text(STOPPED.replace("rule: stop ", "rule: other "), encoding="utf-8")
    ended = call("test", "--update")
    assert "-      rule: other   # and no other" in ended.stdout.splitlines()
    assert "+      rule: stop   # and no other" in ended.stdout.splitlines()


def test_what_cannot_be_updated_goes_on_failing(site: Path) -> None:
    text = STOPPED.replace("    packet: stop\n", "    given: {world: {commands: [{run: ls}]}}\n    packet: stop\n")
    file = site / "tests" / "case.yaml"
    file.write_text(text, encoding="utf-8")
    ended = call("test", "--update")
    assert ended.status == 1
    assert "nobody runs `ls`" in ended.stdout
    assert file.read_text(encoding="utf-8") == text
