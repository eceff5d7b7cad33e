"""Each feature of the rule language is used by an example that is really played; the examples say what comes of it."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from amierules.shipped import read_schema
from tests.support import language_features
from tests.support.language_cases import FOLDER, Case
from tests.support.language_features import features, for_people
from tests.support.language_use import Watch

CASES = sorted(FOLDER.glob("*.yaml"))
SERVERS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "SLURM_CONF": ("slurm_server", lambda server: str(server.conf)),
    "SSH_SECTION": ("sshd", lambda server: json.dumps(server.section())),
}
"""What stands for a real server in an example: the fixture that has it, and what the configuration says of it."""


@cache
def _used(path: Path, servers: tuple[tuple[str, str], ...] = ()) -> frozenset[str]:
    """The features that an example uses; it is played once in a test run."""
    watch = Watch()
    with TemporaryDirectory() as folder:
        Case.read(path, Path(folder), servers).play(watch)
    return frozenset(watch.used)


def _servers(path: Path, request: pytest.FixtureRequest) -> tuple[tuple[str, str], ...]:
    """Where the real servers are that an example names."""
    text = path.read_text(encoding="utf-8")
    found = [(name, *SERVERS[name]) for name in SERVERS if name in text]
    return tuple((name, said(request.getfixturevalue(fixture))) for name, fixture, said in found)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_an_example(path: Path, request: pytest.FixtureRequest) -> None:
    assert _used(path, _servers(path, request))


def test_every_feature_of_the_language_is_used(request: pytest.FixtureRequest) -> None:
    used = frozenset[str]().union(*(_used(path, _servers(path, request)) for path in CASES))
    wanted = {feature for feature in features() if not for_people(feature)}
    assert sorted(wanted - used) == []


NEVER_USED = """
title: What is only written down does not count.
rules: |
  packet: request_project_inactivate
  vars: {unasked: "{{ packet.Comment }}"}
  rules:
    - {name: never, when: packet.ProjectID == 'P-2', defer: {reason: never, at_most: 1d}}
    - name: always
      actions: [{name: skipped, when: false, command: {run: "echo {{ header.packet_id }}", cwd: /, stdin: x}}]
      reply: {copy: [ProjectID, ResourceList]}
turns: [{packet: {type: request_project_inactivate, body: {ProjectID: P-1}}, then: {status: done}}]
"""


def test_what_is_only_written_down_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text(NEVER_USED, encoding="utf-8")
    used = _used(path)
    assert {"rule: when", "name: packet", "rule: reply", "reply: copy", "action: when"} <= used
    never = {"rule file: vars", "rule: defer", "defer: at_most", "action: command", "command: cwd", "name: header"}
    assert not used & never


def test_what_a_schema_gains_is_a_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_a_new_key(name: str) -> dict[str, Any]:
        schema = deepcopy(read_schema(name))
        if name == "kinds/command.schema":
            schema["properties"]["nice"] = {"type": "string", "x-values": ["little", "much"]}
        return schema

    before = features()
    monkeypatch.setattr(language_features, "read_schema", with_a_new_key)
    assert features() - before == {"command: nice", "command: nice=little", "command: nice=much"}
