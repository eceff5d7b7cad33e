"""A site folder whose packets end in every status and whose steps are in every state; no server, no root."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from amierules.engine.site_folder import write_site_folder
from amierules.shipped import ROOT
from tests.support.amie_json import ALPHA, rpi, rum

CAPTURED_RESOURCE = "test-resource1.testsite.testorg"
CAPTURED = sorted((Path(__file__).parents[1] / "packets").glob("*.json"))

ESCAPES = "\x1b[31mRED\x1b[0m \x9b2J \u202egnp \x07\x08\x7f\r"
"""What would paint, clear, turn round or ring on a terminal."""

RULES = """\
packet: request_user_modify
rules:
  - name: refuse
    when: packet.PersonID == 'failed'
    fail: "no {{ packet.PersonID }}"
  - name: leave
    when: packet.PersonID == 'ignored'
    ignore: not ours
  - name: ask
    when: packet.PersonID == 'held'
    hold: "{{ packet.PersonID }}?"
  - name: later
    when: packet.PersonID == 'deferred'
    defer: not yet
  - name: breaks
    when: packet.PersonID == 'parked'
    actions:
      - {name: wrong, command: "no-such-program-anywhere"}
    reply: {}
  - name: takes too long
    when: packet.PersonID == 'in_doubt'
    actions:
      - {name: slow, command: "sleep 5", timeout: 1s}
    reply: {}
  - name: is guarded
    when: packet.PersonID == 'retrying'
    actions:
      - {name: slow, command: {run: "sleep 5", unless: {run: "false"}}, timeout: 1s}
    reply: {}
  - name: every step
    when: packet.PersonID == 'steps'
    actions:
      - {name: skipped, when: packet.PersonID == 'x', command: "true"}
      - {name: present, command: {run: "false", unless: {run: "true"}}}
      - {name: change, command: {run: [echo, "{{ packet.PersonID }}", "{{ secret.word }}"]}, register: said}
      - {name: unknown, when: said.rc == 0, command: "true"}
      - {name: each, for_each: "[1, 2]", command: "echo {{ item }} {{ said.rc }}"}
      - {name: error, on_error: continue, command: "echo {{ header.packet_id // 0 }}"}
    reply: {}
  - name: refused by an assert
    when: packet.PersonID == 'conflict'
    actions:
      - {name: sure, assert: {that: "1 == 2", message: "not so", else: hold}}
    reply: {}
  - name: answer
    when: packet.PersonID in ['done', 'escapes']
    actions:
      - {name: say, command: [echo, "{{ packet.FirstName or '' }}"]}
    reply: {}
"""
STATUSES = ("failed", "ignored", "held", "deferred", "parked", "in_doubt", "retrying", "done")
"""Those in which a run leaves `packets()`, beside `waiting`: there is a packet behind the one that is held."""


def packets(*names: str) -> list[dict[str, Any]]:
    """A packet for each name; by default for every status and step, one that waits, and one of an unknown type."""
    listed = [rum({"PersonID": name}) for name in names or (*STATUSES, "steps", "conflict")]
    if names:
        return listed
    held = listed[STATUSES.index("held")]
    behind = rum({"PersonID": "behind"}, transaction_id=held["header"]["transaction_id"], packet_id=2)
    unknown = rpi()
    unknown["type"] = "request_coffee"
    return [*listed, behind, unknown]


def hostile(type_name: str | None = None) -> dict[str, Any]:
    """A packet that brings terminal escapes in every place that takes text."""
    packet = rum({"PersonID": "escapes", "FirstName": ESCAPES, f"X{ESCAPES}"[:32]: ESCAPES, "UserDnList": [ESCAPES]})
    if type_name is not None:
        packet["type"] = type_name
    return packet


def make_folder(folder: Path, rules: Mapping[str, str] | None = None, *, database: str | None = None) -> Path:
    """A site folder with the rules above alone; or with the shipped ones and these, by file name."""
    write_site_folder(folder, "TestSite", (ALPHA, CAPTURED_RESOURCE))
    if rules is None:
        shutil.rmtree(folder / "rules")
        (folder / "rules").mkdir()
    for name, text in (rules if rules is not None else {"request_user_modify.yaml": RULES}).items():
        (folder / "rules" / name).write_text(text, encoding="utf-8")
    configuration = folder / "amierules.yaml"
    text = configuration.read_text(encoding="utf-8") + "\nsecrets: {word: {env: AMIERULES_TEST_WORD}}\n"
    if database is not None:
        text = text.replace("sqlite:///amie.db", database)
    configuration.write_text(text, encoding="utf-8")
    os.environ.setdefault("AMIERULES_TEST_WORD", "hush-hush")
    return folder


def write(file: Path, given: Iterable[Mapping[str, Any]] | Mapping[str, Any]) -> Path:
    """Writes packets to a JSON file."""
    file.write_text(json.dumps(given if isinstance(given, Mapping) else list(given)), encoding="utf-8")
    return file


def shipped_rules() -> dict[str, str]:
    """The texts of the shipped rule files and blocks, by path below `rules/`. Usage rules are of another form."""
    folder = ROOT / "rules"
    files = [path for path in sorted(folder.rglob("*.yaml")) if path.name != "usage.yaml"]
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in files}
