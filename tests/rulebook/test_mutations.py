"""Six hundred and fifty slips of the hand in the shipped rules: told on the line that they break, or harmless.

Each slip belongs to exactly one class, asked in the order of `CLASSES`; the last three say nothing, and so are bounded
and have a reason each.
"""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml

from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Finding, Severity
from amierules.engine.site_folder import configuration_text
from amierules.rulebook.configuration import Configuration, load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.nodes import to_plain
from amierules.rulebook.yaml_reader import load_yaml
from amierules.templating import Environment
from tests.support import states
from tests.support.mutations import KINDS, Mutation, mutations

EACH, SEED = 65, 1
TEXTS = states.shipped_rules()
BLOCKS = sorted(name for name in TEXTS if "/" in name)
ALL = list(mutations(TEXTS, EACH, SEED))
ENVIRONMENT = Environment()

FREE_TEXTS = re.compile(r"/(?:name|description|hold|fail|complete|defer|ignore|reason|message)$")
SETTING = re.compile(r"site\.\w+ [!=]= '|selectattr\('Site', 'in', \['")
"""What is compared with a text that only the site, or the other side, can know to be right."""
LACKING = frozenset({"missing-key", "missing-tag", "missing-parameter", "no-kind", "no-outcome", "no-value"})


@cache
def blocks_of(file: str) -> frozenset[str]:
    """The blocks that a file uses as it is, and those that these use."""
    used = [name for name in BLOCKS if f"use: {Path(name).stem}" in TEXTS[file]]
    return frozenset(used).union(*map(blocks_of, used))


@pytest.fixture
def site(tmp_path: Path) -> Configuration:
    """A new site without rules."""
    (tmp_path / "rules" / "blocks").mkdir(parents=True)
    (tmp_path / "amierules.yaml").write_text(configuration_text("TestSite"), encoding="utf-8")
    configuration, _ = load_configuration(tmp_path / "amierules.yaml", {})
    assert configuration is not None
    return configuration


def check(site: Configuration, file: str, text: str) -> list[Finding]:
    """Errors and warnings in a file, in the blocks that it uses, and in the files that use it where it is a block."""
    rules = site.rules[0]
    users = [name for name in TEXTS if f"use: {Path(file).stem}" in TEXTS[name]] if file in BLOCKS else []
    for name in {block for one in (file, *users) for block in blocks_of(one)} | {*users}:
        (rules / name).write_text(TEXTS[name], encoding="utf-8")
    (rules / file).write_text(text, encoding="utf-8")
    _, findings = load_rulebook((rules,), kind_schemas(), ENVIRONMENT, site)
    for written in rules.rglob("*.yaml"):
        written.unlink()
    told = (one for one in findings if one.severity is not Severity.NOTE and one.place is not None)
    return [one for one in told if one.code != "type-without-rule"]


def test_nothing_is_told_of_the_rules_as_they_are(site: Configuration) -> None:
    assert [check(site, file, text) for file, text in TEXTS.items()] == [[]] * len(TEXTS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_slip_is_told_on_its_line_or_is_none(site: Configuration, kind: str) -> None:
    classes: Counter[str] = Counter()
    unclear = []
    for mutation in (one for one in ALL if one.kind == kind):
        found = class_of(mutation, check(site, mutation.file, mutation.text), site.rules[0] / mutation.file)
        classes[found] += 1
        unclear += [str(mutation)] if found == "unclear" else []
    print(f"{kind}: {dict(classes)}")
    assert unclear == []
    assert sum(classes.values()) == EACH
    # Of a deleted line nothing is left to point at; of a dropped letter in a sentence nobody can tell; a variable that
    # is called otherwise is missed where it is used.
    at_the_place = classes["on its line"] + classes["means the same"] + classes["another text for people"]
    assert at_the_place >= EACH * {"line deleted": 0.3, "key renamed": 0.9}.get(kind, 0.95)
    assert classes["where the parser stumbles"] <= EACH * 0.05
    assert classes["another value of a setting"] <= EACH * 0.05
    assert classes["fewer words"] <= (EACH * 0.35 if kind == "line deleted" else 0)


def class_of(mutation: Mutation, findings: list[Finding], path: Path) -> str:
    """Which class a slip belongs to, by what was told of it."""
    lines = {one.place.line for one in findings if one.place is not None and Path(one.place.file) == path}
    before, _ = load_yaml(TEXTS[mutation.file], "")
    after, _ = load_yaml(mutation.text, "")
    changed = None if before is None or after is None else differences(to_plain(before), to_plain(after))
    if mutation.line in lines:
        return "on its line"
    if findings:
        return _told_elsewhere(mutation, findings, lines)
    if changed is None:
        return "unclear"
    if not changed:
        return "means the same"
    return _silent(mutation, changed)


def _told_elsewhere(mutation: Mutation, findings: list[Finding], lines: set[int]) -> str:
    if lines & parser_line(mutation.text):
        return "where the parser stumbles"
    # What is missing is told at the key or item that lacks it, which stands above and less deep.
    above = _ancestors(mutation)
    if any(one.code in LACKING and one.place is not None and one.place.line in above for one in findings):
        return "at what lacks it"
    # A name that is no longer given is told where it is used.
    if mutation.word and any(f"'{mutation.word}'" in one.message for one in findings):
        return "where its name is used"
    # A condition or step that is gone is told by what follows from it, in the same file or block.
    return "by what follows" if mutation.kind == "line deleted" else "unclear"


def _ancestors(mutation: Mutation) -> set[int]:
    lines = TEXTS[mutation.file].split("\n")
    depth, found = _depth(lines[mutation.line - 1]), {1, 2}
    for number in range(mutation.line - 1, 0, -1):
        line = lines[number - 1]
        # An item's first key stands on the line of its dash, as deep as the others.
        if line.strip() and (_depth(line) < depth or line.lstrip().startswith("- ")):
            found.add(number)
            depth = min(depth, _depth(line))
    return found


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def parser_line(text: str) -> set[int]:
    """The line on which PyYAML itself cannot go on: the first that can be known to be wrong."""
    try:
        for _ in yaml.parse(text, Loader=yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        return {error.problem_mark.line + 1} if error.problem_mark is not None else set()
    return set()


def differences(one: object, other: object, path: str = "") -> list[tuple[str, object, object]]:
    """The paths at which two plain values differ, with both values; None stands for what is not there."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        return [found for key in keys for found in differences(one.get(key), other.get(key), f"{path}/{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [found for number, (a, b) in pairs for found in differences(a, b, f"{path}/{number}")]
    return [] if one == other else [(path, one, other)]


def _silent(mutation: Mutation, changed: list[tuple[str, object, object]]) -> str:
    if all(FREE_TEXTS.search(path) and _same_expressions(one, other) for path, one, other in changed):
        return "another text for people"
    if mutation.kind == "line deleted" and all(other is None or _shorter(one, other) for _, one, other in changed):
        return "fewer words"
    if all(SETTING.search(str(one)) and _same_but_for_texts(one, other) for _, one, other in changed):
        return "another value of a setting"
    return "unclear"


def _same_expressions(one: object, other: object) -> bool:
    """Whether two texts differ only outside of their expressions; a name or description may also be gone."""
    if other is None:
        return "{{" not in str(one)
    return re.findall(r"\{\{.*?\}\}", str(one)) == re.findall(r"\{\{.*?\}\}", str(other))


def _same_but_for_texts(one: object, other: object) -> bool:
    return re.sub(r"'[^']*'", "''", str(one)) == re.sub(r"'[^']*'", "''", str(other))


def _shorter(one: object, other: object) -> bool:
    return isinstance(one, list) and isinstance(other, list) and len(other) < len(one)
