"""Rule files for tests: kinds of their own, loading from texts, and what a finding points at."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Severity
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.templating import Environment

ENVIRONMENT = Environment()

KINDS: dict[str, dict[str, Any]] = {
    "command": {
        "title": "command",
        "type": ["string", "array", "object"],
        "items": {"type": "string"},
        "additionalProperties": False,
        "required": ["run"],
        "x-short-for": "run",
        "x-until": "read_only",
        "properties": {
            "run": {"type": ["string", "array"], "items": {"type": "string"}, "minLength": 1, "x-compile": "words"},
            "ok": {"type": "array", "items": {"type": "integer"}, "x-compile": "literal"},
            "read_only": {"type": "boolean", "x-compile": "literal"},
            "unless": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "run": {"type": ["string", "array"], "x-compile": "words"},
                    "contains": {"type": "string"},
                },
            },
        },
    },
    "user": {
        "title": "user",
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "x-until": True,
        "properties": {
            "name": {"type": "string"},
            "uid": {"type": ["integer", "string"], "x-type": "integer"},
            "locked": {"type": ["boolean", "string"], "x-type": "boolean"},
            "groups": {"type": ["array", "string"], "items": {"type": "string"}, "x-type": "list"},
            "state": {"type": "string", "x-values": ["present", "absent"]},
            "expires": {"type": "string", "x-type": "date"},
            "owner": {"type": "string", "x-type": "person"},
        },
    },
    "assert": {
        "title": "assert",
        "type": "object",
        "additionalProperties": False,
        "required": ["that", "message"],
        "properties": {
            "that": {"type": ["string", "array"], "items": {"type": "string"}, "x-compile": "expression"},
            "message": {"type": "string"},
            "else": {"enum": ["park", "hold"], "x-compile": "literal"},
        },
    },
    "use": {"title": "use", "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]*$", "x-compile": "literal"},
}

GOOD = """\
packet: request_project_inactivate
rules:
  - name: unknown here
    when: project is none
    hold: "no project {{ packet.ProjectID }}"
  - name: inactivate
    actions:
      - name: lock
        for_each: project.accounts
        user: {name: "{{ item.login }}", locked: true}
    reply: {copy: [ProjectID, ResourceList]}
"""

RULES = """\
packet: request_account_create
vars:
  full: "{{ packet.UserFirstName }} {{ packet.UserLastName }}"
  many: ["{{ packet.UserFirstName }}", 5, {a: "{{ 1 + 1 }}"}]
rules:
  - name: wait
    when: [project is none, "header.packet_id > 3"]
    defer: {reason: "wait for {{ packet.GrantNumber }}", not_before: "{{ today() }}", at_most: 14d}
  - name: do
    when: true
    actions:
      - name: short
        description: anything
        command: "echo {{ packet.UserFirstName }} --x={{ packet.UserLastName }}"
        register: seen
        timeout: 90s
        on_error: continue
      - name: long
        command:
          run: [touch, "{{ packet.UserDnList }}", "{{ packet.UserFirstName }}!"]
          ok: [0, 2]
          unless: {run: "ls -l {{ packet.UserFirstName }}", contains: "{{ full }}"}
      - name: each
        for_each: packet.UserDnList
        when: [item != 'x', "seen.rc == 0"]
        user: {name: "{{ item }}", uid: 5, locked: "{{ header.packet_id > 3 }}"}
      - name: sure
        assert: {that: ["header.packet_id == 4", "seen.rc == 0"], message: "no {{ packet.GrantNumber }}", else: hold}
      - name: block
        use: b
        with: {login: "{{ packet.UserFirstName }}", number: 5}
    reply:
      type: notify_account_create
      copy: [UserFirstName, ResourceList]
      fields:
        ProjectID: "{{ packet.GrantNumber }}"
        UserDnList: "{{ packet.UserDnList }}"
        UserPersonID: "5"
        UserRemoteSiteLogin: ann
"""
BLOCK = """\
block: b
description: a block
params: {login: {description: the login}, number: {default: "{{ 2 + 2 }}"}, nothing: {default: null}}
actions:
  - name: a
    command: ["id", "{{ login }}"]
"""


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Writes texts to files below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


BESIDE_THE_POINT = frozenset({"at-most-once", "unused-variable", "unused-parameter"})
"""Findings that short examples have for the sake of shortness."""


def load(*folders: Path) -> tuple[Rulebook, list[Finding]]:
    """The rulebook of folders, with the kinds of these tests; without findings that are beside the point."""
    book, findings = load_all(*folders)
    return book, [finding for finding in findings if finding.code not in BESIDE_THE_POINT]


def load_all(*folders: Path) -> tuple[Rulebook, list[Finding]]:
    """The rulebook of folders, with the kinds of these tests, and all findings."""
    return load_rulebook(list(folders), KINDS, ENVIRONMENT)


def errors(findings: list[Finding]) -> list[Finding]:
    """The findings that are errors."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def marked(finding: Finding) -> str:
    """The characters of the file that a finding points at."""
    assert finding.place is not None
    place = finding.place
    line = Path(place.file).read_text(encoding="utf-8").splitlines()[place.line - 1]
    return line[place.column - 1 : place.column - 1 + place.length]
