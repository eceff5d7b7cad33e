"""Ten thousand damaged rule files, blocks and configurations: findings at places, and the other files stay good."""

import random
import re
import shutil
from pathlib import Path

import pytest

from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Finding, Severity, printable
from amierules.engine.site_folder import configuration_text
from amierules.rulebook.configuration import load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.shipped import ROOT
from amierules.templating import Environment
from tests.support import states
from tests.support.amie_json import rpi
from tests.support.command_line import call

PARTS, LOADS, CONFIGURATIONS, VALIDATIONS = 10, 100, 1500, 200
SHIPPED = states.shipped_rules()
RULE_FILES = sorted(name for name in SHIPPED if "/" not in name)
BLOCKS = sorted(name for name in SHIPPED if "/" in name)
CONFIGURATION = configuration_text("TestSite", ("alpha.site.example", "beta.site.example"))
KEYS = re.compile(
    r"^ *(?:- )?(packet|rules|name|when|actions|reply|use|block|params|defer|hold|fail|complete):", re.MULTILINE
)
BYTES = (
    b"\x00",
    b"\xff\xfe",
    b"\t",
    b"\x1b[31m",
    b"\xe2\x80\xae",
    b"\xf0\x9f",
    b"&a ",
    b"*a",
    b"{{",
    b"}}",
    b"%}",
    b"|",
    b"'",
)


def damaged(text: str, chance: random.Random) -> bytes:
    """The text as a slip of the hand leaves it."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        lines = text.split("\n")
        at = chance.randrange(len(lines))
        place = chance.randrange(len(text) + 1)
        match chance.randrange(9):
            case 0:
                text = text[:place] + text[place + 1 :]
            case 1:
                lines[at] = re.sub(r"(\w)(\w*):", r"\1x\2:", lines[at], count=1)
                text = "\n".join(lines)
            case 2:
                lines[at] = " " * chance.randint(1, 4) + lines[at]
                text = "\n".join(lines)
            case 3:
                lines[at] = lines[at].removeprefix(" " * chance.randint(1, 4))
                text = "\n".join(lines)
            case 4:
                quotes = [found.start() for found in re.finditer("['\"]", text)]
                cut = chance.choice(quotes) if quotes else 0
                text = text[:cut] + text[cut + 1 :]
            case 5:
                text = "\n".join(lines[:at] + lines[at + 1 :])
            case 6:
                text = "\n".join([*lines[: at + 1], *lines[at:]])
            case 7:
                text = text[:place] + chance.choice("{}[]():,'\"|>-#&*!%@`\\~\t\n") + text[place:]
            case _:
                return text[:place].encode() + chance.choice(BYTES) + text[place:].encode()
    return text.encode("utf-8", "surrogatepass")


def judge(findings: list[Finding]) -> None:
    for finding in findings:
        text = finding.message + finding.hint
        assert printable(text, 2000) == text
        assert len(finding.message) <= 300
        assert finding.place is not None


def load(folder: Path, files: dict[str, bytes]) -> tuple[Rulebook, list[Finding]]:
    (folder / "blocks").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    book, findings = load_rulebook((folder,), kind_schemas(), ENVIRONMENT)
    judge(findings)
    return book, findings


ENVIRONMENT = Environment()
GOOD = {name: text.encode() for name, text in SHIPPED.items()}


def in_error(findings: list[Finding]) -> set[str]:
    """The names of the files that have an error."""
    files = [Path(one.place.file) for one in findings if one.place and one.severity is Severity.ERROR]
    return {f"blocks/{file.name}" if file.parent.name == "blocks" else file.name for file in files}


def test_the_shipped_rules_are_good(tmp_path: Path) -> None:
    book, findings = load(tmp_path, GOOD)
    assert findings == []
    assert set(book.broken) == set()
    assert len(book.files) == len(GOOD)


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_rule_files_have_findings_and_the_others_stay_good(tmp_path: Path, part: int) -> None:
    chance = random.Random(part)
    for _ in range(LOADS):
        spared = chance.choice(RULE_FILES)
        files = {name: damaged(SHIPPED[name], chance) for name in RULE_FILES if name != spared}
        book, findings = load(tmp_path, GOOD | files)
        wrong = in_error(findings)
        read = {Path(file.path).name for file in book.by_type.values()}
        # A file with an error answers nothing, one without is there whole; no file is lost without a word.
        assert not read & wrong
        twins = {
            name for one in findings if one.code == "two-files" for name in RULE_FILES if f"/{name}" in one.message
        }
        assert {Path(name).name for name in RULE_FILES} == read | (wrong - set(BLOCKS)) | twins
        # The file that is as it was is good, unless a damaged one claims its types.
        assert spared in read or any(one.code == "two-files" for one in findings)
        for path, reason in book.broken.items():
            assert reason, path


@pytest.mark.parametrize("part", range(3))
def test_a_damaged_block_breaks_only_the_files_that_use_it(tmp_path: Path, part: int) -> None:
    chance = random.Random(part)
    for _ in range(40):
        name = chance.choice(BLOCKS)
        book, findings = load(tmp_path, GOOD | {name: damaged(SHIPPED[name], chance)})
        used_by = {file for file in RULE_FILES if re.search(r"\buse: ", SHIPPED[file])}
        read = {Path(file.path).name for file in book.by_type.values()}
        assert read >= set(RULE_FILES) - used_by
        assert read == set(RULE_FILES) or in_error(findings)
        assert all(reason for reason in book.broken.values())


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_no_misspelt_key_is_passed_over(tmp_path: Path, name: str) -> None:
    keys = list(KEYS.finditer(SHIPPED[name]))
    for found in random.Random(name).sample(keys, min(len(keys), 8)):
        start, end = found.span(1)
        word = found[1]
        for misspelt in (word[:-1], word + "s", word[0] + word):
            content = (SHIPPED[name][:start] + misspelt + SHIPPED[name][end:]).encode()
            _, findings = load(tmp_path, GOOD | {name: content})
            line = SHIPPED[name][:start].count("\n") + 1
            errors = [
                one for one in findings if one.severity is Severity.ERROR and one.place and one.place.line == line
            ]
            assert errors, f"{misspelt} for {word} in line {line}"


@pytest.mark.parametrize("part", range(3))
def test_damaged_configurations_are_findings_or_good(tmp_path: Path, part: int) -> None:
    chance = random.Random(part)
    file = tmp_path / "amierules.yaml"
    for _ in range(CONFIGURATIONS // 3):
        file.write_bytes(damaged(CONFIGURATION, chance))
        configuration, findings = load_configuration(file, {})
        judge(findings)
        assert (configuration is None) == bool(findings)


def test_ten_thousand_were_made() -> None:
    assert PARTS * LOADS * (len(RULE_FILES) - 1) + CONFIGURATIONS + VALIDATIONS >= 10_000
    assert len(RULE_FILES) == 11


def test_validate_ends_with_0_or_1_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(0)
    monkeypatch.chdir(states.make_folder(tmp_path))
    rules = {"rules/request_user_modify.yaml": SHIPPED["request_user_modify.yaml"]}
    for path in Path("rules").rglob("*.yaml"):
        path.unlink()
    Path(next(iter(rules))).write_text(next(iter(rules.values())))
    shutil.copytree(ROOT / "rules" / "blocks", "rules/blocks", dirs_exist_ok=True)
    originals = {**rules, "amierules.yaml": CONFIGURATION}
    seen = set()
    for _ in range(VALIDATIONS):
        name = chance.choice(sorted(originals))
        Path(name).write_bytes(damaged(originals[name], chance))
        ended = call("validate")
        assert ended.status in (0, 1), ended.stderr
        assert ended.stderr == ""
        assert (": error[" in ended.stdout) == (ended.status == 1)
        assert printable(ended.stdout.replace("\n", " "), 100_000) == ended.stdout.replace("\n", " ")
        Path(name).write_text(originals[name])
        seen.add(ended.status)
    assert seen == {0, 1}


def test_packets_of_good_files_are_answered_beside_damaged_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(5)
    monkeypatch.chdir(states.make_folder(tmp_path))
    spoilt = {name: damaged(SHIPPED[name], chance) for name in RULE_FILES if name != "request_user_modify.yaml"}
    for name, content in spoilt.items():
        (tmp_path / "rules" / name).write_bytes(content)
    listed = [*states.packets("done", "failed"), rpi(), *states.packets("ignored")]
    assert call("load", states.write(tmp_path / "packets.json", listed)).status == 0
    ended = call("run")
    assert ended.status == 1
    statuses = re.findall(r" status=(\w+)", ended.stdout)
    assert statuses == ["done", "failed", "parked", "ignored"]
