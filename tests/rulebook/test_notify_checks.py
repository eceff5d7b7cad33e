"""What `validate` finds in messages and in the templates that they name."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Finding, Severity
from amierules.rulebook.configuration import Configuration, load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.templating import Environment

HEAD = "packet: request_account_create\nrules:\n  - name: first\n    defer: not yet\n    notify:\n"
CONFIGURATION: dict[str, Any] = {
    "site_name": "TestSite",
    "remote_site_name": "TGCDB",
    "settings": {"staff": "staff@site.example"},
    "secrets": {"slack": {"env": "SLACK"}},
    "mail": {"from": "amie@site.example"},
}


def _check(folder: Path, rules: str, templates: dict[str, str] | None = None, **config: Any) -> list[Finding]:
    return _loaded(folder, rules, templates, **config)[1]


def _loaded(
    folder: Path, rules: str, templates: dict[str, str] | None = None, **config: Any
) -> tuple[Rulebook, list[Finding]]:
    for name, text in {"rules/a.yaml": rules, **{f"templates/{k}": v for k, v in (templates or {}).items()}}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    configuration, findings = _configured(folder, **config)
    assert configuration is not None, findings
    rulebook, found = load_rulebook(configuration.rules, kind_schemas(), Environment(), configuration)
    return rulebook, [one for one in found if one.code not in ("no-rule", "type-without-rule")]


def _configured(folder: Path, **config: Any) -> tuple[Configuration | None, list[Finding]]:
    file = folder / "amierules.yaml"
    file.write_text(yaml.safe_dump({**CONFIGURATION, **config}, sort_keys=False), encoding="utf-8")
    return load_configuration(file, {})


def _told(findings: list[Finding]) -> list[tuple[str, str, int, int]]:
    return [
        (one.code, Path(one.place.file).name, one.place.line, one.place.column)
        for one in findings
        if one.place is not None and one.severity is not Severity.NOTE and one.code != "no-rules-for-type"
    ]


def _only(findings: list[Finding], *files: str) -> list[tuple[str, str, int, int]]:
    return [one for one in _told(findings) if one[1] in files]


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("      - {}\n", "no-channel", 9),
        ("      - {when: project is none}\n", "no-channel", 9),
        ("      - {mial: {to: a@b.example, text: x}}\n", "unknown-key", 10),
        ("      - {slack: {text: x}, mail: {to: a@b.example, text: x}}\n", "several-channels", 28),
        ("      - {slack: {}}\n", "no-text", 10),
        ("      - {slack: {txt: x}}\n", "unknown-key", 18),
        ("      - {slack: {text: x, template: account_created.txt.j2}}\n", "several-texts", 27),
        ("      - {mail: {text: x}}\n", "missing-key", 10),
        ("      - {webhook: {text: x}}\n", "missing-key", 10),
        ("      - {webhook: {url: http://x.example, method: GET, text: x}}\n", "bad-value", 51),
        ("      - {slack: {template: acount_created.txt.j2}}\n", "no-template", 28),
        ("      - {slack: {template: ../x.j2}}\n", "bad-value", 28),
        ("      - {slack: {text: '{{ item }}'}}\n", "unknown-name", 28),
        ("      - {slack: {text: '{{ packet.UserFirstNam }}'}}\n", "unknown-tag", 35),
        ("      - {slack: {text: '{{ packet.UserMiddleName }} x'}}\n", "none-in-text", 28),
        ("      - {slack: {text: '{{ site.nobody }}'}}\n", "unknown-setting", 33),
        ("      - {slack: {text: '{{ secret.slack }}'}}\n", "secret-shown", 24),
        ("      - {slack: {text: '{{ packet.UserDnList }}'}}\n", "wrong-type", 24),
        ("      - {slack: {text: x}, when: packet.UserFirstName > 1}\n", "different-types", 34),
        ("      - {slack: {text: x}, for_each: packet.UserFirstName}\n", "not-a-list", 38),
        ("      - {slack: {text: '{{ packet'}}\n", "template-syntax", 33),
    ],
)
def test_a_mistake_in_a_message_is_found_at_its_place(tmp_path: Path, text: str, code: str, column: int) -> None:
    assert _only(_check(tmp_path, HEAD + text), "a.yaml")[:1] == [(code, "a.yaml", 6, column)]


@pytest.mark.parametrize(
    "text",
    [
        "      - slack: {text: '{{ status }} {{ rule }} {{ reason }}'}\n",
        "      - {slack: {text: '{{ item }}'}, for_each: packet.UserDnList, when: item != ''}\n",
        "      - {slack: {text: '{{ packet.UserMiddleName }} x'}, when: packet.UserMiddleName is not none}\n",
        "      - mail: {to: '{{ site.staff }}', template: please_approve.txt.j2}\n",
        "      - webhook: {url: '{{ secret.slack }}', headers: {A: 'b {{ secret.slack }}'}, json: {a: 1}}\n",
    ],
)
def test_what_is_right_is_left_alone(tmp_path: Path, text: str) -> None:
    assert _only(_check(tmp_path, HEAD + text), "a.yaml", "t.txt.j2") == []


@pytest.mark.parametrize(
    ("template", "line", "column", "code"),
    [
        ("ok\n{{ packet.UserFirstNam }}\n", 2, 11, "unknown-tag"),
        ("ok\n\n  {{ foo }}\n", 3, 6, "unknown-name"),
        ("{% for x in packet.UserDnList %}{{ x }}\n", 1, 40, "template-syntax"),
        ("a\r\nb {{ packet.UserMiddleName }}\r\n", 2, 6, "none-in-text"),
        ("ä {{ 'x' | uper }}\n", 1, 12, "template-syntax"),
        ("{% include 'x' %}\n", 1, 4, "template-syntax"),
    ],
)
def test_a_mistake_in_a_template_is_found_in_the_template(
    tmp_path: Path, template: str, line: int, column: int, code: str
) -> None:
    text = "      - slack: {template: t.txt.j2}\n"
    rulebook, findings = _loaded(tmp_path, HEAD + text, {"t.txt.j2": template})
    assert _only(findings, "a.yaml", "t.txt.j2") == [(code, "t.txt.j2", line, column)]
    assert "request_account_create" in rulebook.by_type, "a template breaks no rule"


def test_a_template_that_several_use_is_told_of_once_with_one_who_uses_it(tmp_path: Path) -> None:
    twice = "      - slack: {template: t.txt.j2}\n" * 2
    findings = _check(tmp_path, HEAD + twice, {"t.txt.j2": "{{ foo }}"})
    (found,) = [one for one in findings if one.code == "unknown-name"]
    assert found.message.endswith("rules/a.yaml:6 uses it")


def test_an_error_in_a_template_hides_nothing_in_the_rules(tmp_path: Path) -> None:
    text = "      - slack: {template: t.txt.j2}\n      - slack: {text: '{{ packet.Nope }}'}\n"
    findings = _check(tmp_path, HEAD + text, {"t.txt.j2": "{{ foo }}"})
    assert {code for code, *_ in _only(findings, "a.yaml", "t.txt.j2")} == {"unknown-name", "unknown-tag"}


def test_templates_that_nothing_names_are_noted(tmp_path: Path) -> None:
    findings = _check(tmp_path, HEAD + "      - slack: {text: x}\n", {"left.txt.j2": "x", "note.md": "x"})
    assert [Path(one.place.file).name for one in findings if one.code == "unused-template" and one.place] == [
        "left.txt.j2"
    ]


@pytest.mark.parametrize(
    ("channel", "section"), [("mail: {to: a@b.example, text: x}", "mail"), ("slack: {text: x}", "secrets")]
)
def test_a_way_that_is_not_configured_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str, section: str
) -> None:
    monkeypatch.delitem(CONFIGURATION, section)
    findings = _check(tmp_path, HEAD + f"      - {channel}\n")
    assert [one.severity for one in findings if one.code == "not-configured"] == [Severity.WARNING]


# ------------------------------------------------------------------ the configuration


@pytest.mark.parametrize(
    ("config", "code", "hint"),
    [
        ({"slack": {"webhook": "https://hooks.example/x"}}, "plain-secret", "{{ secret.NAME }}"),
        ({"slack": {"webhook": "{{ secret.slak }}"}}, "unknown-attribute", "did you mean 'slack'?"),
        ({"slack": {"webhook": "{{ site.x }}"}}, "undefined-name", "secret.NAME"),
        ({"mail": {"from": "a@b.example", "user": "u"}}, "missing-key", "password"),
        ({"mail": {"from": "a@b.example", "password": "{{ secret.slack }}"}}, "missing-key", "user"),
        ({"mail": {"host": "h"}}, "missing-key", "from"),
        (
            {"mail": {"from": "a@b.example", "host": "h", "user": "u", "password": "{{ secret.slack }}"}},
            "bad-value",
            "starttls",
        ),
        ({"http": {"timeout": "10"}}, "bad-value", ""),
        ({"notify": {"parkt": [{"slack": {"text": "x"}}]}}, "unknown-key", "parked"),
        ({"notify": {"parked": [{"when": "status == 'x'"}]}}, "no-channel", "mail"),
        ({"notify": {"parked": [{"slack": {"text": "{{ packet"}}]}}, "template-syntax", ""),
    ],
)
def test_a_mistake_in_the_configuration(tmp_path: Path, config: dict[str, Any], code: str, hint: str) -> None:
    configuration, findings = _configured(tmp_path, **config)
    assert configuration is None
    assert [one.code for one in findings] == [code]
    assert hint in findings[0].hint


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ person.login }}", "unknown-name"),
        ("{{ packet.Nope }}", "unknown-tag"),
        ("{{ rule }} x", "none-in-text"),
        ("{{ find_person() }}", "unknown-name"),
    ],
)
def test_messages_by_status_see_no_rows(tmp_path: Path, text: str, code: str) -> None:
    findings = _check(tmp_path, HEAD + "      - slack: {text: x}\n", notify={"held": [{"slack": {"text": text}}]})
    assert [found[0] for found in _only(findings, "amierules.yaml")] == [code]


def test_a_template_of_the_configuration_is_checked_and_used(tmp_path: Path) -> None:
    notify = {"held": [{"slack": {"template": "t.txt.j2"}}]}
    findings = _check(tmp_path, HEAD + "      - slack: {text: x}\n", {"t.txt.j2": "a\n{{ person }}"}, notify=notify)
    assert _only(findings, "t.txt.j2") == [("unknown-name", "t.txt.j2", 2, 4)]
