"""What is said of steps of a directory, and of braces, and of what nothing is said."""

import re
from pathlib import Path

import pytest

from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Finding, Severity
from amierules.engine.site_folder import configuration_text
from amierules.rulebook.braces import half_open, stray_brace
from amierules.rulebook.configuration import load_configuration
from amierules.rulebook.directory_words import beginnings, secret_attributes, usual
from amierules.rulebook.loader import load_rulebook
from amierules.templating import Environment
from tests.support.states import shipped_rules

RULE = """\
packet: request_user_modify
rules:
  - name: answer
    actions:
      - name: entry
        ldap_entry: {{dn: "uid={{{{ packet.PersonID }}}}", {more}}}
    reply: {{}}
"""
LDAP = """\
ldap:
  uri: ldapi:///
  sasl: external
  base: dc=site,dc=example
  bases: {robots: "ou=robots,dc=site,dc=example"}
"""


def findings(folder: Path, more: str) -> list[Finding]:
    (folder / "request_user_modify.yaml").write_text(RULE.format(more=more), encoding="utf-8")
    return load_rulebook((folder,), kind_schemas(), Environment())[1]


@pytest.mark.parametrize(
    "more",
    [
        "base: machines",
        "base: '{{ packet.PersonID }}'",
        "object_classes: [inetOrgPerson, sitePerson]",
        "object_classes: '{{ [packet.PersonID] }}'",
        "attributes: {siteQuota: '1', homeServer: alpha, 1.3.6.1.4.1.4203.666: a}",
        "attributes: {MAIL: '{{ packet.Email or [] }}', description;lang-en: x}",
        "create_only: {loginShell: /opt/site/shell, homeDirectory: '/gpfs/u/{{ packet.PersonID }}'}",
        "create_only: {loginShell: /bin/bash, homeDirectory: '/home/{{ packet.PersonID }}'}",
        "create_only: {userPassword: '{{ packet.PersonID }}'}",
        "create_only: {userPassword: '{CRYPT}*'}",
    ],
)
def test_nothing_is_said_of_what_may_be_a_sites_own(tmp_path: Path, more: str) -> None:
    assert findings(tmp_path, more) == []


def test_a_comment_silences_a_name_that_is_right(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "attributes: {mails: x}")
    assert (found.code, found.severity) == ("unusual-name", Severity.WARNING)
    assert findings(tmp_path, "attributes: {mails: x}}  # amierules: ignore[unusual-name]\n        #") == []


@pytest.mark.parametrize("attribute", ["userPassword", "userpassword", "sambaNTPassword"])
def test_a_password_in_plain_text_is_told(tmp_path: Path, attribute: str) -> None:
    (found,) = findings(tmp_path, f"create_only: {{{attribute}: [welcome]}}")
    assert (found.code, found.severity) == ("plain-secret", Severity.WARNING)
    assert "secret.NAME" in found.hint


@pytest.mark.parametrize(
    ("settings", "base", "told"),
    [
        ("none", "people", []),
        ("ldap", "people", [("unknown-base", Severity.ERROR)]),
        ("none", "peolpe", [("unknown-base", Severity.ERROR)]),
        ("ldap", "robots", []),
    ],
)
def test_a_base_is_one_of_the_configuration_or_one_that_no_rule_comes_to(
    tmp_path: Path, settings: str, base: str, told: list[tuple[str, Severity]]
) -> None:
    text = configuration_text("TestSite").replace("accounts: none", f"accounts: {settings}")
    (tmp_path / "amierules.yaml").write_text(text + LDAP, encoding="utf-8")
    configuration, wrong = load_configuration(tmp_path / "amierules.yaml", {})
    assert wrong == []
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "request_user_modify.yaml").write_text(RULE.format(more=f"base: {base}"), encoding="utf-8")
    found = [
        one
        for one in load_rulebook((folder,), kind_schemas(), Environment(), configuration)[1]
        if one.code != "type-without-rule"
    ]
    assert [(one.code, one.severity) for one in found] == told


def test_the_shipped_rules_ask_for_the_usual_bases() -> None:
    texts = "\n".join(shipped_rules().values())
    assert set(re.findall(r"\bbase: (\w+)", texts)) == usual("bases")


def test_what_is_looked_up_in_any_case_is_found() -> None:
    assert beginnings("LOGINSHELL") == beginnings("loginShell")
    assert {name.lower() for name in usual("attributes")} >= secret_attributes()


@pytest.mark.parametrize(
    ("text", "half", "stray"),
    [
        ("{ x }}", 0, None),
        ("a { 1 if x }} b", 2, None),
        ("{{ x }}}", None, 7),
        ("{{ x }} }", None, 8),
        ("{ {{ x }}", None, 0),
        ("{{ x }} and { y }}", 12, None),
        ('{"a": {"b": 1}}', None, None),
        ("if (x) {print {{ n }}}", None, None),
        ("{{ {'a': {'b': 1}}}}", None, None),
        ("{{ x | replace('{', '') }}", None, None),
        ("no brace", None, None),
        ("}}", None, None),
    ],
)
def test_braces_that_come_in_pairs_are_no_slip(text: str, half: int | None, stray: int | None) -> None:
    assert (half_open(text), stray_brace(text) if half is None else None) == (half, stray)
