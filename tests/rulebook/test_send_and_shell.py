"""What is found in actions that send packets, and in commands that run a shell, with the kinds that are shipped."""

from pathlib import Path

import pytest

from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Severity
from amierules.rulebook.loader import load_rulebook
from tests.support.rules import ENVIRONMENT, marked, write

RULE = "packet: request_user_modify\nrules:\n  - name: it\n    actions:\n      - name: a\n        {}\n    reply: {{}}\n"
IDS = "type: notify_person_ids, fields: {PersonID: '7', PrimaryPersonID: '8'"

# The action; the code; the text pointed at; a part of the message and hint.
CASES = [
    ("send_packet: {" + IDS + "}}", None, "", ""),
    ("send_packet: {" + IDS + "}}\n        until: 'true'", "until-not-allowed", "until", "cannot have"),
    ("send_packet: {type: notify_person_ids, fields: '{{ record.reply }}'}", None, "", ""),
    ("send_packet: {type: notify_person_idz, fields: {}}", "unknown-packet-type", "notify_person_idz", "did you mean"),
    ("send_packet: {type: request_user_modify, fields: {}}", "cannot-be-sent", "request_user_modify", "like notify_"),
    ("send_packet: {type: notify_person_ids, fields: {PersonID: x}}", "missing-tag", "fields", "PrimaryPersonID"),
    ("send_packet: {" + IDS + ", PersonIdLst: x}}", "unknown-tag", "PersonIdLst", "did you mean 'Person"),
    ("send_packet: {type: notify_person_ids}", "missing-key", None, "fields"),
    ("command: {run: 'echo {{ packet.PersonID }} *', shell: true}", "shell-use", "shell", "safer"),
    ("command: {run: \"echo '{{ packet.PersonID }}'\", shell: true}", "shell-quoting", "{{ packet.PersonID }}", "word"),
    ("command: {run: 'echo `x {{ now() }}`', shell: true}", "shell-quoting", "{{ now() }}", "in backticks"),
    ("command: {run: [echo, x], shell: true}", "shell-quoting", "[", "one text"),
    ("command: {run: 'echo {{ nobody }}', shell: true}", "unknown-name", "nobody", ""),
    ("command: {run: 'echo {{ packet.PersonID | nofilter }}', shell: true}", "template-syntax", "nofilter", ""),
    ("command: {run: 'echo \"x', shell: true}", "shell-quoting", None, "not closed"),
    ("command: {run: 'echo {{ packet.PersonID }}', shell: false}", None, "", ""),
]


@pytest.mark.parametrize(("action", "code", "at", "said"), CASES, ids=[case[0] for case in CASES])
def test_a_mistake_is_found_where_it_stands(
    tmp_path: Path, action: str, code: str | None, at: str | None, said: str
) -> None:
    folder = write(tmp_path, {"a.yaml": RULE.format(action)})
    found = load_rulebook([folder], kind_schemas(), ENVIRONMENT)[1]
    findings = [one for one in found if one.code == code or one.severity is Severity.ERROR]
    assert [one.code for one in findings] == ([code] if code else [])
    if code:
        assert at is None or marked(findings[0]) == at
        assert said in f"{findings[0].message} {findings[0].hint}"


def test_a_block_is_not_repeated(tmp_path: Path) -> None:
    block = "block: b\nparams: {}\nactions: [{name: x, command: {run: 'true', read_only: true}}]\n"
    folder = write(tmp_path, {"a.yaml": RULE.format("use: b\n        until: 'true'"), "blocks/b.yaml": block})
    (finding,) = load_rulebook([folder], kind_schemas(), ENVIRONMENT)[1]
    assert (finding.code, marked(finding)) == ("until-not-allowed", "until")
