"""The loader: folders to a rulebook, broken files beside good ones."""

import os
from pathlib import Path

import pytest

from amierules.diagnostics import Severity
from amierules.rulebook.model import Ending, Reply
from tests.support.rules import GOOD, errors, load, marked, write

COMPLETE = "packet: {}\nrules:\n  - name: done\n    complete: {}\n"


def file_for(packet_type: str, text: str = "x") -> str:
    return COMPLETE.format(packet_type, text)


def test_a_good_file_is_loaded_without_findings(tmp_path: Path) -> None:
    book, findings = load(write(tmp_path, {"a.yaml": GOOD}))
    assert findings == []
    rules = book.by_type["request_project_inactivate"].rules
    assert [rule.name for rule in rules] == ["unknown here", "inactivate"]
    assert isinstance(rules[0].outcome, Ending)
    assert isinstance(rules[1].outcome, Reply)
    assert rules[1].outcome.copy == ("ProjectID", "ResourceList")
    assert rules[1].actions[0].kind == "user"
    assert rules[0].place.line == 3
    assert book.rule_count == 2
    assert not book.broken


def test_a_file_may_be_for_several_types_and_counts_once(tmp_path: Path) -> None:
    text = "packet: [data_account_create, data_project_create]\nrules:\n  - name: a\n    reply: {}\n"
    book, findings = load(write(tmp_path, {"a.yml": text}))
    assert findings == []
    assert set(book.by_type) == {"data_account_create", "data_project_create"}
    assert book.rule_count == 1


def test_a_broken_file_breaks_its_own_packet_types_only(tmp_path: Path) -> None:
    bad = file_for("request_user_modify").replace("complete", "complet")
    book, findings = load(write(tmp_path, {"bad.yaml": bad, "good.yaml": GOOD}))
    assert set(book.by_type) == {"request_project_inactivate"}
    assert set(book.broken) == {"request_user_modify"}
    assert "bad.yaml is invalid, line 4: 'complet'" in book.broken["request_user_modify"]
    assert [finding.code for finding in findings] == ["unknown-key"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.yaml", "packet: request_user_modify\nrules: [\n"),
        ("x.yaml", "packet: [request_account_create,\n  request_user_modify]\nrules: {{ x }}\n"),
        ("x.yaml", "packet:\n  - request_user_modify\nrules: &a [\n"),
        ("request_user_modify.yaml", "rules\n: - ["),
        ("request_user_modify.yaml", ""),
        ("x.yaml", "packet: request_user_modfy\nrules: []\n"),
    ],
)
def test_the_types_of_a_file_that_cannot_be_read_are_guessed(tmp_path: Path, name: str, text: str) -> None:
    earlier = write(tmp_path / "earlier", {name: text})
    later = write(tmp_path / "later", {"request_user_modify.yaml": file_for("request_user_modify")})
    book, _ = load(earlier, later)
    assert "request_user_modify" in book.broken
    assert "request_user_modify" not in book.by_type


def test_a_file_of_an_earlier_folder_replaces_the_one_of_a_later(tmp_path: Path) -> None:
    earlier = write(tmp_path / "site", {"a.yaml": file_for("request_user_modify", "site")})
    both = "packet: [request_user_modify, request_person_merge]\nrules:\n  - name: done\n    complete: x\n"
    later = write(tmp_path / "shipped", {"b.yaml": both})
    book, findings = load(earlier, later)
    assert book.by_type["request_user_modify"].path.endswith("a.yaml")
    assert book.by_type["request_person_merge"].path.endswith("b.yaml")
    assert [(finding.code, finding.severity) for finding in findings] == [("replaced", Severity.NOTE)]
    assert marked(findings[0]) == "request_user_modify"


def test_two_files_for_one_type_in_a_folder_are_an_error(tmp_path: Path) -> None:
    both = "packet: [request_user_modify, request_person_merge]\nrules:\n  - name: done\n    complete: x\n"
    book, findings = load(write(tmp_path, {"a.yaml": both, "b.yaml": file_for("request_user_modify")}))
    assert [finding.code for finding in findings] == ["two-files"]
    assert "request_user_modify" in book.broken
    assert set(book.by_type) == {"request_person_merge"}


def test_two_files_in_a_later_folder_do_not_break_an_earlier_one(tmp_path: Path) -> None:
    text = file_for("request_user_modify")
    site = write(tmp_path / "site", {"a.yaml": text})
    book, findings = load(site, write(tmp_path / "shipped", {"b.yaml": text, "c.yaml": text}))
    assert [finding.code for finding in errors(findings)] == ["two-files"]
    assert set(book.by_type) == {"request_user_modify"}
    assert not book.broken


def test_a_folder_that_is_not_there_keeps_later_ones_from_answering(tmp_path: Path) -> None:
    later = write(tmp_path / "shipped", {"a.yaml": GOOD})
    book, findings = load(tmp_path / "site", later)
    assert [finding.code for finding in findings] == ["unreadable-folder"]
    assert not book.by_type
    assert "site" in book.broken["request_project_inactivate"]


def test_an_empty_folder_and_rules_in_unread_folders_are_warned_of(tmp_path: Path) -> None:
    folder = write(tmp_path, {"more/a.yaml": GOOD, "README.md": "hello", ".hidden.yaml": "["})
    book, findings = load(folder)
    assert [(finding.code, finding.severity) for finding in findings] == [("not-read", Severity.WARNING)]
    assert not book.by_type
    assert [finding.code for finding in load(write(tmp_path / "empty", {"README.md": ""}))[1]] == ["no-rules"]


@pytest.mark.parametrize("content", [b"packet: \xff", b"\x89PNG\r\n\x1a\n\x00", b"a: 1\n" * 300_000, b"packet: x\x00"])
def test_a_file_that_is_no_text_is_one_finding(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, {"good.yaml": GOOD})
    (tmp_path / "request_user_modify.yaml").write_bytes(content)
    book, findings = load(tmp_path)
    assert len(findings) == 1
    assert set(book.by_type) == {"request_project_inactivate"}
    assert set(book.broken) == {"request_user_modify"}


def test_a_bad_byte_is_found_at_its_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("a: 1\né: ".encode() + b"\xff\n")
    _, findings = load(tmp_path)
    assert findings[0].code == "not-utf-8"
    assert findings[0].place is not None
    assert (findings[0].place.line, findings[0].place.column) == (2, 4)


def test_folders_pipes_and_broken_links_called_like_rule_files_are_findings(tmp_path: Path) -> None:
    write(tmp_path, {"good.yaml": GOOD})
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "link.yaml").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.yaml")
    book, findings = load(tmp_path)
    assert [finding.code for finding in findings] == ["unreadable-file"] * 3
    assert set(book.by_type) == {"request_project_inactivate"}


def test_a_file_that_the_system_refuses_to_open_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "a.yaml")
    assert [finding.code for finding in load(tmp_path)[1]] == ["unreadable-file"]


def test_files_below_the_working_folder_are_shown_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"rules/a.yaml": GOOD.replace("packet:", "paket:")})
    monkeypatch.chdir(tmp_path)
    _, findings = load(tmp_path / "rules")
    assert findings[0].place is not None
    assert findings[0].place.file == "rules/a.yaml"


BLOCK = "block: {}\nparams: {}\nactions:\n  - name: a\n    {}\n"


def block(name: str, params: str = "{}", action: str = "command: x") -> str:
    return BLOCK.format(name, params, action)


def using(action: str) -> str:
    head = "packet: request_user_modify\nrules:\n  - name: r\n    reply: {}\n    actions:\n      - name: a\n"
    return f"{head}        {action}\n"


@pytest.mark.parametrize(
    ("action", "code", "at", "hint"),
    [
        ("use: ensure_persn", "unknown-block", "ensure_persn", "did you mean 'ensure_person'?"),
        ("use: ensure_person", "missing-parameter", "ensure_person", "add with: {login: …}"),
        ("{use: ensure_person, with: {login: a, shel: b}}", "unknown-parameter", "shel", "did you mean 'shell'?"),
    ],
)
def test_a_wrong_use_of_a_block_is_found(tmp_path: Path, action: str, code: str, at: str, hint: str) -> None:
    rules = using(action.replace("{use", "use").replace("}}", "}").replace(", with", "\n        with"))
    blocks = {"blocks/ensure_person.yaml": block("ensure_person", "{login: {}, shell: {default: x}}")}
    book, findings = load(write(tmp_path, {"a.yaml": rules, **blocks}))
    assert [finding.code for finding in findings] == [code]
    assert marked(findings[0]) == at
    assert findings[0].hint == hint
    assert set(book.broken) == {"request_user_modify"}
    assert set(book.blocks) == {"ensure_person"}


def test_a_broken_block_breaks_all_that_use_it_through_others_too(tmp_path: Path) -> None:
    files = {
        "a.yaml": using("use: outer"),
        "b.yaml": GOOD,
        "blocks/outer.yaml": block("outer", action="use: inner"),
        "blocks/inner.yaml": block("inner", action="comand: x"),
    }
    book, findings = load(write(tmp_path, files))
    assert [finding.code for finding in findings] == ["unknown-key"]
    assert "inner.yaml" in book.broken["request_user_modify"]
    assert set(book.by_type) == {"request_project_inactivate"}
    assert not book.blocks


def test_blocks_in_a_circle_are_an_error(tmp_path: Path) -> None:
    files = {
        "a.yaml": using("use: one"),
        "blocks/one.yaml": block("one", action="use: two"),
        "blocks/two.yaml": block("two", action="use: one"),
    }
    book, findings = load(write(tmp_path, files))
    assert [finding.code for finding in findings] == ["block-circle"]
    assert "one -> two -> one" in findings[0].message
    assert set(book.broken) == {"request_user_modify"}
    assert not book.blocks


def test_a_block_of_an_earlier_folder_replaces_the_one_of_a_later(tmp_path: Path) -> None:
    site = write(tmp_path / "site", {"blocks/b.yaml": block("b", "{x: {default: 1}}")})
    shipped = write(tmp_path / "shipped", {"a.yaml": using("use: b"), "blocks/b.yaml": block("b", "{y: {}}")})
    book, findings = load(site, shipped)
    assert errors(findings) == []
    assert set(book.blocks["b"].parameters) == {"x"}
    assert "replaced" in [finding.code for finding in findings]


def test_a_block_has_the_name_of_its_file_and_one_file(tmp_path: Path) -> None:
    files = {"a.yaml": GOOD, "blocks/b.yaml": block("c"), "blocks/d.yaml": block("d"), "blocks/d.yml": block("d")}
    _, findings = load(write(tmp_path, files))
    assert sorted(finding.code for finding in findings) == ["block-name", "two-files"]


def test_no_folder_at_all_is_an_empty_rulebook() -> None:
    book, findings = load()
    assert not book.by_type
    assert [finding.code for finding in findings] == ["no-rules"]
