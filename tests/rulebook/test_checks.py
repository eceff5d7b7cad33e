"""What would break at night is found by day: where it stands, with its code and a remedy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Finding, Severity
from amierules.rulebook.configuration import load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.shipped import ROOT
from amierules.templating import Environment
from tests.support.rules import marked, write

ENVIRONMENT = Environment()
REPLY = "reply: {copy: [ResourceList], fields: {ProjectID: a, UserPersonID: b, UserRemoteSiteLogin: c}}"
HERE = "  - {name: here, when: project is none or resource is none or person is none, defer: wait}"

CONFIGURATION: Mapping[str, Any] = {
    "site_name": "TestSite",
    "remote_site_name": "TGCDB",
    "settings": {"accounts": "shadow", "limit": 5},
    "resources": {"alpha": {"cluster": "a", "nodes": "n1"}, "beta": {"cluster": "b"}},
    "secrets": {"slack": {"env": "SLACK"}},
}


def check(folder: Path, files: Mapping[str, str], *, at_site: bool = False) -> tuple[Rulebook, list[Finding]]:
    """The rulebook of the files and all findings; `at_site` with the configuration above."""
    write(folder / "rules", files)
    configuration = None
    if at_site:
        (folder / "amierules.yaml").write_text(_yaml(CONFIGURATION), encoding="utf-8")
        configuration, findings = load_configuration(folder / "amierules.yaml", {})
        assert findings == []
    return load_rulebook([folder / "rules"], kind_schemas(), ENVIRONMENT, configuration)


def _yaml(data: Mapping[str, Any]) -> str:
    return "".join(f"{key}: {value!r}\n" for key, value in data.items())


def rule(text: str, head: str = HERE) -> str:
    """A file with one rule that has this condition, action or outcome."""
    lines = text.splitlines()
    if lines[0].startswith("- "):
        body = "    actions:\n" + "".join(f"      {line}\n" for line in lines) + f"    {REPLY}\n"
    else:
        body = "".join(f"    {line}\n" for line in lines)
    return f"packet: request_account_create\nrules:\n{head}\n  - name: tested\n{body}"


# The rule; the code; what the caret stands under; a part of the hint.
ERRORS = [
    ("hold: '{{ packet.UserFirstNam }}'", "unknown-tag", "UserFirstNam", "did you mean 'UserFirstName'?"),
    ("hold: '{{ packet.PiFirstName }}'", "unknown-tag", "PiFirstName", "UserFirstName"),
    ("hold: \"{{ packet['UserFirstNam'] }}\"", "unknown-tag", "UserFirstNam", "did you mean"),
    ("hold: '{{ subject.FirstNam }}'", "unknown-tag", "FirstNam", "did you mean 'FirstName'?"),
    ("hold: '{{ person.logn }}'", "unknown-attribute", "logn", "did you mean 'login'?"),
    ("hold: '{{ project.pi.logn }}'", "unknown-attribute", "logn", "did you mean 'login'?"),
    ("hold: '{{ (person.accounts | first).logn }}'", "unknown-attribute", "logn", "did you mean 'login'?"),
    ("hold: \"{{ person.accounts | map(attribute='logn') | join }}\"", "unknown-attribute", "logn", "'login'?"),
    ("hold: '{{ header.tipe }}'", "unknown-attribute", "tipe", "did you mean 'type'?"),
    ("hold: '{{ packet.UserFirstName.lowr() }}'", "unknown-attribute", "lowr", ""),
    (
        "- {name: x, command: {run: [id], read_only: true}, register: seen, until: seen.rcc == 0}",
        "unknown-attribute",
        "rcc",
        "did you mean 'rc'?",
    ),
    ("hold: '{{ now().yeer }}'", "unknown-attribute", "yeer", "did you mean 'year'?"),
    ("hold: '{{ transaction.data_project_creat }}'", "unknown-attribute", "data_project_creat", "did you mean"),
    ("hold: '{{ transaction.request_project_create.PiFirstNam or 1 }}'", "unknown-tag", "PiFirstNam", "did you mean"),
    ("hold: '{{ record.repli or 1 }}'", "unknown-attribute", "repli", "did you mean 'reply'?"),
    ("hold: '{{ approval.bye }}'", "unknown-attribute", "bye", "did you mean 'by'?"),
    ("hold: {reason: '{{ approval.quta }}', ask: {quota: GB}}", "unknown-attribute", "quta", "mean 'quota'?"),
    ("when: approval.quota > 5\nhold: {reason: x, ask: {quota: GB}}", "different-types", "approval.quota", "x | int"),
    ("hold: {reason: x, ask: {quota: '{{ packet.UserFirstNam }}'}}", "unknown-tag", "UserFirstNam", "'UserFirstName'"),
    ("hold: \"{{ find_person(mail='x') or 1 }}\"", "unknown-argument", "find_person", "did you mean 'email'?"),
    ("hold: 'since {{ now }}'", "not-called", "now", "write now()"),
    ("hold: 'of {{ none }}'", "none-in-text", "none", ""),
    ("hold: 'DNs {{ packet.UserDnList }}'", "not-text", "packet.UserDnList", "join it"),
    ("hold: 'of {{ person }}'", "not-text", "person", "attribute"),
    ("hold: '{{ packet.UserDnList | lower }}'", "not-text", "packet.UserDnList", "take an item"),
    ("hold: '{{ packet.UserFirstName | join }}'", "not-a-list", "packet.UserFirstName", ""),
    ("hold: '{{ packet.GrantNumber + 1 }}'", "different-types", "packet.GrantNumber", "join texts with ~"),
    ("when: packet.GrantNumber == 5\nhold: x", "different-types", "packet.GrantNumber", "number without quotes"),
    ("when: packet.UserDnList == 'a'\nhold: x", "different-types", "packet.UserDnList", "in x"),
    ("when: today() > now()\nhold: x", "different-types", "today", "today() a date"),
    ("when: project.active == 'yes'\nhold: x", "different-types", "project.active", "not x"),
    ("when: 5 in packet.GrantNumber\nhold: x", "different-types", "5", "number without quotes"),
    ("reply: {}", "missing-tag", "reply", "copy: [ResourceList]"),
    ("reply: {copy: [ProjectID, UserPersonID]}", "missing-tag", "reply", "ResourceList"),
    (REPLY.replace("ProjectID: a", "ProjectID: '{{ none }}'"), "missing-tag", "reply", ""),
    (
        REPLY.replace("ProjectID: a", "ProjectID: '{{ person.accounts }}'"),
        "reply-value",
        "'{{ person.accounts }}'",
        "| first",
    ),
    (REPLY.replace("ProjectID: a", "ProjectID: a, StartDate: soon"), "reply-value", "soon", ""),
    (REPLY.replace("ProjectID: a", "ProjectID: a, StartDate: '{{ true }}'"), "reply-value", "'{{ true }}'", ""),
    (
        REPLY.replace("ProjectID: a", "ProjectID: a, AccountActivityTime: '{{ today() }}'"),
        "reply-value",
        "'{{ today() }}'",
        "",
    ),
    (
        REPLY.replace("ProjectID: a", "ProjectID: a, UserPasswordAccessEnable: maybe"),
        "reply-value",
        "maybe",
        "",
    ),
    ("- {name: a, for_each: packet.GrantNumber, project: {title: x}}", "not-a-list", "packet.GrantNumber", ""),
    ("- {name: a, user: {name: '{{ person.logins }}'}}", "wrong-type", "'{{ person.logins }}'", "| first"),
    ("- {name: a, user: {name: x, groups: '{{ person.login }}'}}", "wrong-type", "'{{ person.login }}'", "[...]"),
    ("- {name: a, user: {name: x, locked: \"{{ 'yes' }}\"}}", "wrong-type", "\"{{ 'yes' }}\"", "condition"),
    ("- {name: a, project: {pi: '{{ project }}'}}", "wrong-type", "'{{ project }}'", ""),
    ("- {name: a, person: {add_dns: '{{ person.accounts }}'}}", "wrong-type", "'{{ person.accounts }}'", "attribute"),
    (
        "- {name: a, command: {run: [id], read_only: true}, register: seen}\n"
        "- {name: b, project: {title: '{{ seen.stout }}'}}",
        "unknown-attribute",
        "stout",
        "did you mean 'stdout'?",
    ),
]


@pytest.mark.parametrize(("text", "code", "at", "hint"), ERRORS, ids=[case[0] for case in ERRORS])
def test_what_would_park_a_packet_is_one_error(tmp_path: Path, text: str, code: str, at: str, hint: str) -> None:
    _, findings = check(tmp_path, {"a.yaml": rule(text)})
    assert [(finding.code, finding.severity) for finding in findings] == [(code, Severity.ERROR)]
    assert marked(findings[0]) == at
    assert hint in findings[0].hint
    assert len(findings[0].message) <= 200


WARNINGS = [
    (REPLY.replace("ProjectID: a", "ProjectID: [a, b]"), "reply-value", "[", "| first"),
    ("hold: 'of {{ packet.UserEmail }}'", "none-in-text", "packet.UserEmail", "packet.UserEmail or ''"),
    ("hold: \"{{ packet.UserEmail ~ 'x' }}\"", "none-in-text", "packet.UserEmail", "packet.UserEmail or ''"),
    ("hold: '{{ packet.UserEmail | lower }}'", "may-be-none", "packet.UserEmail", "is not none"),
    ("hold: '{{ account.login }}'", "may-be-none", "account", "ask `account is not none` first"),
    ("when: packet.UserDnList is none\nhold: x", "constant-condition", "packet.UserDnList", "== []"),
    ("when: packet.GrantNumber is none\nhold: x", "constant-condition", "packet.GrantNumber", ""),
    ("when: packet.UserEmail is defined\nhold: x", "constant-condition", "packet.UserEmail", "is not none"),
    ("when: 'true or false'\nhold: x", "constant-condition", "'true or false'", ""),
    ("when: false\nhold: x", "constant-condition", "false", ""),
    ("when: packet.GrantNumber in [1, 2]\nhold: x", "constant-condition", "packet.GrantNumber", ""),
    (
        REPLY.replace("ProjectID: a", "ProjectID: '{{ packet.ProjectID }}'"),
        "may-lack-tag",
        "'{{ packet.ProjectID }}'",
        "or",
    ),
    ("- {name: a, command: [id]}", "at-most-once", "command", "read_only: true"),
    ("- {name: a, command: {run: ls ~/x, read_only: true}}", "looks-like-shell", "~", "quote it"),
    ("- {name: a, command: {run: ls $HOME, read_only: true}}", "looks-like-shell", "$HOME", "quote it"),
    ("- {name: a, command: {run: ls *.txt, read_only: true}}", "looks-like-shell", "*", "quote it"),
    ("- {name: a, command: {run: a | b, read_only: true}}", "looks-like-shell", "|", "quote it"),
    ("- {name: a, command: {run: a && b, read_only: true}}", "looks-like-shell", "&&", "quote it"),
    ("- {name: a, command: {run: a; b, read_only: true}}", "looks-like-shell", ";", "quote it"),
    ("- {name: a, command: {run: a > b, read_only: true}}", "looks-like-shell", ">", "quote it"),
    ("- {name: a, command: {run: a < b, read_only: true}}", "looks-like-shell", "<", "quote it"),
    ("- {name: a, command: {run: [ls, $HOME], read_only: true}}", "looks-like-shell", "$HOME", "quote it"),
    ("- {name: a, command: {run: [a, ;, b], read_only: true}}", "looks-like-shell", ";", ""),
    (
        "- {name: a, command: {run: [id], read_only: true, env: {API_TOKEN: abcdef}}}",
        "plain-secret",
        "abcdef",
        "{{ secret.NAME }}",
    ),
    ("- {name: a, command: {run: x --password=abc, read_only: true}}", "plain-secret", "x --password=abc", "secret"),
    ("- {name: a, project: {data: {big: yes}}}", "yaml-1.1", "yes", "write true"),
    (
        "- {name: a, command: {run: [id], read_only: true}, when: packet.UserEmail is not none, register: seen}\n"
        "- {name: b, project: {title: '{{ seen.stdout }}'}}",
        "may-be-none",
        "seen",
        "ask `seen is not none` first",
    ),
]


@pytest.mark.parametrize(("text", "code", "at", "hint"), WARNINGS, ids=[case[0] for case in WARNINGS])
def test_what_may_go_wrong_is_one_warning(tmp_path: Path, text: str, code: str, at: str, hint: str) -> None:
    book, findings = check(tmp_path, {"a.yaml": rule(text)})
    assert [(finding.code, finding.severity) for finding in findings] == [(code, Severity.WARNING)]
    assert marked(findings[0]) == at
    assert hint in findings[0].hint
    assert set(book.by_type) == {"request_account_create"}


FINE = [
    "hold: \"{{ packet.UserEmail or 'nobody' }} {{ packet.UserEmail | default('x') }}\"",
    "when: packet.UserEmail is not none\nhold: 'of {{ packet.UserEmail }}'",
    "when: packet.UserEmail\nhold: 'of {{ packet.UserEmail }}'",
    "when: packet.UserEmail == 'x'\nhold: 'of {{ packet.UserEmail }}'",
    "when: packet.UserEmail in ['x', 'y']\nhold: 'of {{ packet.UserEmail }}'",
    "when: [packet.UserEmail is not none, packet.UserEmail.endswith('.edu')]\nhold: x",
    "when: packet.UserEmail is none or packet.UserEmail.endswith('.edu')\nhold: x",
    "when: not (packet.UserEmail is none)\nhold: 'of {{ packet.UserEmail }}'",
    "hold: \"{{ packet.UserEmail if packet.UserEmail is not none else 'x' }}\"",
    "hold: '{% if packet.UserEmail %}{{ packet.UserEmail }}{% endif %}x'",
    "hold: '{% for dn in packet.UserDnList %}{{ dn }}{% endfor %}x'",
    "when: account is not none and account.login == person.login\nhold: x",
    "when: account is not none\nhold: '{{ account.login }} {{ project.project_id }} {{ resource.name }}'",
    "when: header.type == 'x' and packet.Nothing\nhold: x",
    "hold: \"{{ person.accounts | selectattr('active') | map(attribute='login') | join(', ') }}\"",
    "hold: '{{ packet.SitePersonId | map(attribute=\"PersonID\") | join }} {{ person.data.anything }}'",
    "hold: \"{{ 'n' ~ header.packet_id }} {{ today().year + 1 }} {{ (now() - now()).days }}\"",
    "when: site.anything == 5 and resource.anything\nhold: x",
    "- {name: a, command: {run: \"echo '*' \\\\$x 'a|b' {{ 1 < 2 or 'a' }}\", read_only: true}}",
    "- {name: a, command: {run: [echo, '*', '$HOME', a~b], read_only: true}}",
    "- {name: a, command: {run: [touch, x], unless: {run: [ls, x]}}}",
    "- {name: a, command: {run: [x], read_only: true, stdin: '{{ secret.token }}', env: {TOKEN: '{{ secret.a }}'}}}",
    "when: approval is none or approval.quota | int > 5\nhold: {reason: x, ask: {quota: GB}}",
    "- {name: a, account: {}}\n- {name: b, project: {title: '{{ account.login }}'}}",
    "- {name: a, assert: {that: packet.UserEmail is not none, message: x}}\n"
    "- {name: b, project: {title: 'of {{ packet.UserEmail }}'}}",
    "- {name: a, command: {run: [id], read_only: true}, when: packet.UserEmail is not none, register: seen}\n"
    "- {name: b, when: packet.UserEmail  is not none, project: {title: '{{ seen.stdout }}'}}",
    "- {name: a, for_each: packet.UserDnList, command: {run: [id], read_only: true}, register: seen}\n"
    "- {name: b, project: {title: '{{ (seen | first).rc }}'}}",
    "- {name: a, command: {run: [id], read_only: true}, on_error: continue, register: seen}\n"
    "- {name: b, when: seen.failed, project: {title: '{{ seen.error }}'}}",
]


@pytest.mark.parametrize("text", FINE)
def test_what_is_fine_has_no_findings(tmp_path: Path, text: str) -> None:
    assert check(tmp_path, {"a.yaml": rule(text)})[1] == []


def test_the_shipped_rules_have_no_findings(tmp_path: Path) -> None:
    (tmp_path / "amierules.yaml").write_text("site_name: TestSite\nremote_site_name: TGCDB\n", encoding="utf-8")
    configuration, _ = load_configuration(tmp_path / "amierules.yaml", {})
    assert load_rulebook([ROOT / "rules"], kind_schemas(), ENVIRONMENT, configuration)[1] == []


AT_SITE = [
    ("when: site.acounts == 'x'\nhold: x", "unknown-setting", "acounts", "did you mean 'accounts'?"),
    ("when: site.limit == '5'\nhold: x", "different-types", "site.limit", "number without quotes"),
    ("hold: '{{ resource.clustr }}'", "unknown-attribute", "clustr", "cluster"),
    ("hold: '{{ resource.nodes }}'", "sometimes-missing", "nodes", "everywhere"),
    (
        "- {name: a, command: {run: [id], read_only: true, stdin: '{{ secret.slak }}'}}",
        "unknown-attribute",
        "slak",
        "slack",
    ),
    ("- {name: a, project: {title: '{{ secret.slack }}'}}", "secret-shown", "'{{ secret.slack }}'", ""),
]


@pytest.mark.parametrize(("text", "code", "at", "hint"), AT_SITE, ids=[case[0] for case in AT_SITE])
def test_settings_resources_and_secrets_are_those_of_the_site(
    tmp_path: Path, text: str, code: str, at: str, hint: str
) -> None:
    found = [one for one in check(tmp_path, {"a.yaml": rule(text)}, at_site=True)[1] if one.code != "type-without-rule"]
    assert [finding.code for finding in found] == [code]
    assert marked(found[0]) == at
    assert hint in found[0].hint


def test_packet_types_without_a_rule_are_one_warning_of_a_whole_site(tmp_path: Path) -> None:
    _, findings = check(tmp_path, {"a.yaml": rule("hold: x")}, at_site=True)
    (finding,) = findings
    assert (finding.code, finding.severity) == ("type-without-rule", Severity.WARNING)
    assert "request_project_create" in finding.message
    assert "request_account_create" not in finding.message


def test_a_rule_with_the_condition_of_an_earlier_one_is_never_asked(tmp_path: Path) -> None:
    head = "  - {name: a, when: packet.UserEmail == 'x', ignore: x}\n  - {name: b, when: project is none, hold: x}"
    _, findings = check(tmp_path, {"a.yaml": rule("when: packet.UserEmail  ==  'x'\nhold: x", head)})
    assert [(finding.code, finding.place.line if finding.place else 0) for finding in findings] == [
        ("unreachable-rule", 5)
    ]
    again = rule("when: project is  none\nhold: x", head)
    assert check(tmp_path / "held", {"a.yaml": again})[1] == []


def test_names_that_nothing_uses_are_notes(tmp_path: Path) -> None:
    rules = "packet: request_user_modify\nvars: {a: x, b: '{{ c }}', c: '1'}\nrules:\n  - {name: r, hold: '{{ b }}'}\n"
    block = "block: b\nparams: {x: {}, y: {}}\nactions:\n  - {name: a, project: {title: '{{ x }}'}}\n"
    _, findings = check(tmp_path, {"a.yaml": rules, "blocks/b.yaml": block}, at_site=True)
    notes = [(one.code, marked(one)) for one in findings if one.severity is Severity.NOTE]
    assert sorted(notes) == [("unused-block", "block"), ("unused-parameter", "y"), ("unused-variable", "a")]


def test_a_block_is_checked_as_it_is_used(tmp_path: Path) -> None:
    title = "{{ packet.UserFirstName }} {{ who.login }}"
    block = f"block: b\nparams: {{who: {{}}}}\nactions:\n  - {{name: a, project: {{title: '{title}'}}}}\n"
    use = "- {{name: a, use: b, with: {{who: '{}'}}}}"
    assert check(tmp_path / "good", {"a.yaml": rule(use.format("{{ person }}")), "blocks/b.yaml": block})[1] == []
    book, findings = check(tmp_path / "bad", {"a.yaml": rule(use.format("{{ project }}")), "blocks/b.yaml": block})
    assert [(finding.code, marked(finding)) for finding in findings] == [("unknown-attribute", "'{{ project }}'")]
    assert "blocks/b.yaml:4: a project has no attribute 'login'" in findings[0].message
    assert set(book.blocks) == {"b"}
    other = rule(use.format("{{ person }}")).replace("request_account_create", "request_user_modify")
    _, findings = check(tmp_path / "other", {"a.yaml": other, "blocks/b.yaml": block})
    assert "request_user_modify has no tag 'UserFirstName'" in findings[0].message


def test_a_block_sees_what_the_holds_of_its_rule_file_ask_for(tmp_path: Path) -> None:
    block = "block: b\nactions:\n  - {name: a, project: {title: 'of {{ approval.quota }}'}}\n"
    used = rule("- {name: a, use: b}", HERE + "\n  - {name: ask, hold: {reason: x, ask: {%s: GB}}}")
    assert check(tmp_path / "good", {"a.yaml": used % "quota", "blocks/b.yaml": block})[1] == []
    _, findings = check(tmp_path / "bad", {"a.yaml": used % "quotas", "blocks/b.yaml": block})
    assert [(finding.code, marked(finding)) for finding in findings] == [("unknown-attribute", "b")]
    assert "did you mean 'quotas'?" in findings[0].hint


def test_a_file_of_several_types_is_checked_for_each(tmp_path: Path) -> None:
    head = "packet: [data_project_create, data_account_create]\nrules:\n  - name: a\n    hold: {}\n"
    good = "\"{{ packet.ProjectID }} {{ packet.PersonID if header.type == 'data_account_create' else '' }}\""
    assert check(tmp_path / "good", {"a.yaml": head.format(good)})[1] == []
    _, findings = check(tmp_path / "bad", {"a.yaml": head.format("'{{ packet.UserEmail }}'")})
    assert [finding.code for finding in findings] == ["unknown-tag"]


@pytest.mark.parametrize(
    ("outcome", "codes"),
    [
        ("hold: '{{ packet.UserEmail }} x'  # amierules: ignore[none-in-text]", []),
        ("hold: '{{ packet.UserEmal }} x'  # why not  # amierules: ignore[unknown-tag]", []),
        ("hold: >-  # amierules: ignore[none-in-text]\n  of\n  {{ packet.UserEmail }}", []),
        ("hold: '{{ packet.UserEmail }} x'  # amierules: ignore[may-be-none, none-in-text]", ["unused-ignore"]),
        ("hold: '{{ packet.UserEmail }} x'  # amierules: ignore[may-be-none]", ["none-in-text", "unused-ignore"]),
        ("holt: x  # amierules: ignore[unknown-key]", ["unknown-key", "unused-ignore"]),
    ],
)
def test_a_comment_silences_a_finding_on_its_line(tmp_path: Path, outcome: str, codes: list[str]) -> None:
    _, findings = check(tmp_path, {"a.yaml": rule(outcome)})
    assert sorted(finding.code for finding in findings) == codes


def test_a_broken_rule_says_nothing_more_and_the_others_are_checked(tmp_path: Path) -> None:
    head = "  - {name: a, when: project is none, repli: {}}\n  - {name: b, when: packet.Nme == 'x', hold: x}"
    _, findings = check(tmp_path, {"a.yaml": rule("reply: {}", head)})
    assert [finding.code for finding in findings] == ["unknown-key", "unknown-tag", "missing-tag"]


def test_blocks_that_use_each_other_many_times_are_read_in_reasonable_time(tmp_path: Path) -> None:
    uses = "block: b{0}\nactions:\n" + "".join(f"  - {{{{name: a{at}, use: b{{1}}}}}}\n" for at in range(4))
    files = {f"blocks/b{depth}.yaml": uses.format(depth, depth + 1) for depth in range(12)}
    files["blocks/b12.yaml"] = "block: b12\nactions: [{name: a, project: {title: x}}]\n"
    assert check(tmp_path, {"a.yaml": rule("- {name: a, use: b0}"), **files})[1] == []


def test_a_misspelt_attribute_is_found_in_a_block_that_gets_its_row_from_another_block(tmp_path: Path) -> None:
    inner = "block: inner\nparams: {who: {}}\nactions:\n  - name: x\n    command: [x, '{{ who.logn or 1 }}']\n"
    outer = (
        "block: outer\nparams: {who: {default: '{{ person }}'}}\n"
        "actions: [{name: in, use: inner, with: {who: '{{ who }}'}}]\n"
    )
    rules = rule("{actions: [{name: out, use: outer}], complete: x}")
    files = {"a.yaml": rules, "blocks/outer.yaml": outer, "blocks/inner.yaml": inner}
    found = [one for one in check(tmp_path, files)[1] if one.code == "unknown-attribute"]
    assert [(one.place.file, one.place.line, one.hint) for one in found if one.place is not None] == [
        (str(tmp_path / "rules" / "blocks" / "inner.yaml"), 5, "did you mean 'login'?")
    ]
