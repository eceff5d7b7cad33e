"""Every hostile value in every tag: programs, files and messages get it as data."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
import yaml

from amierules.actions import command, user
from amierules.actions.accounts_tools import fit_comment
from amierules.actions.mapfile import MapFile, Unfit, dn_bytes
from amierules.actions.parameters import check_params
from amierules.actions.schemas import kind_schemas
from amierules.database.outbox import Queued
from amierules.diagnostics import Severity, readable, visible
from amierules.engine.carrier import Carrier
from amierules.engine.message_content import as_kept, content_of
from amierules.ports.http import Answer
from amierules.protocol.catalogue import Tag, TagKind, catalogue
from amierules.protocol.values import typed_body, typed_value
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Notice, Rule
from amierules.templating import Environment
from tests.support.every_tag import SCALARS, Spot, bodies, newly_seen, spots
from tests.support.harmless import assert_one_mail, assert_plain_in_slack
from tests.support.hostile import VALUES
from tests.support.rules import write
from tests.support.shadow import Runner, ScratchRoot
from tests.support.sites import configure

PLACES = newly_seen()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BETWEEN = "|between|"


def rule_of(folder: Path, packet_type: str, **parts: Any) -> Rule:
    """A rule for packets of a type, which may have no mistakes."""
    rule = {"name": "it", "complete": "done", **parts}
    text = yaml.safe_dump({"packet": packet_type, "rules": [rule]}, sort_keys=False, width=100_000)
    rulebook, findings = load_rulebook([write(folder, {"a.yaml": text})], kind_schemas(), Environment())
    assert [one for one in findings if one.severity is Severity.ERROR] == []
    return rulebook.by_type[packet_type].rules[0]


def scopes(packet_type: str, places: Sequence[Spot]) -> Any:
    """What a template sees of each body, and the texts that stand in it."""
    for body, texts in bodies(places):
        typed, problems = typed_body(catalogue().types[packet_type], body)
        assert problems == []
        yield {"packet": typed}, texts


def _goes_on(packet_type: str, turn: int) -> bool:
    """Whether this turn is one of those in which the type's values go all the way: each turn is one type's."""
    return turn % len(PLACES) == list(PLACES).index(packet_type)


def test_every_value_gets_into_every_tag() -> None:
    places = {(spot.tag.name, spot.subtag) for found in PLACES.values() for spot in found}
    incoming = [one for one in catalogue().types.values() if one.direction != "from_site"]
    assert places == {(spot.tag.name, spot.subtag) for one in incoming for spot in spots(one)}
    assert len(places) > 160
    assert len(VALUES) > 1500
    first = next(iter(PLACES.values()))
    seen = {(at, text) for _, texts in bodies(first) for at, text in enumerate(texts)}
    assert len(seen) == len(first) * len({*VALUES} - {""})


@pytest.mark.parametrize("packet_type", PLACES)
def test_words_input_and_environment_of_a_program(tmp_path: Path, packet_type: str) -> None:
    places = PLACES[packet_type]
    given = {
        "run": ["it", "--", *(f"{{{{ {spot.many} }}}}" for spot in places)],
        "stdin": BETWEEN.join(f"{{{{ {spot.one} }}}}" for spot in places),
        "env": {f"V{at}": f"{{{{ {spot.one} }}}}" for at, spot in enumerate(places)},
        "read_only": True,
    }
    rule = rule_of(tmp_path, packet_type, actions=[{"name": "x", "command": given}])
    runner = Runner(command, "command", None)
    for scope, texts in scopes(packet_type, places):
        rendered: Any = rule.actions[0].params.evaluate(scope)
        assert rendered["run"] == ["it", "--", *texts]
        assert rendered["stdin"] == BETWEEN.join(texts)
        assert list(rendered["env"].values()) == texts
    params, problems = check_params(runner.schema, {**rendered, "read_only": False})
    assert problems == []
    surroundings = runner.surroundings()
    (change,) = command.plan(params, command.probe(params, surroundings), surroundings).changes
    assert change.argv == ("it", "--", *texts)


@pytest.mark.parametrize("packet_type", PLACES)
def test_lines_of_files(tmp_path: Path, packet_type: str) -> None:
    root = ScratchRoot.make(tmp_path / "root")
    places = PLACES[packet_type]
    listed = " + ".join(spot.many for spot in places)
    actions = [
        {"name": "map", "grid_mapfile": {"login": "x", "add": f"{{{{ {listed} }}}}"}},
        *(
            {"name": f"user {at}", "user": {"name": "x", "uid": 20001, "comment": f"{{{{ {spot.one} }}}}"}}
            for at, spot in enumerate(places)
        ),
    ]
    rule = rule_of(tmp_path, packet_type, actions=actions)
    runner = Runner(user, "user", root.path)
    for turn, (scope, texts) in enumerate(scopes(packet_type, places)):
        mapped: Any = rule.actions[0].params.evaluate(scope)
        assert mapped["add"] == texts
        if not _goes_on(packet_type, turn):
            continue
        at = turn % len(places)
        _assert_one_line(texts[at])
        about: Any = rule.actions[1 + at].params.evaluate(scope)
        assert about["comment"] == texts[at]
        _assert_told_as_one_word(runner, about["comment"])


def _assert_one_line(text: str) -> None:
    before = b'# kept\n"/CN=of others" lister\n'
    try:
        dn = dn_bytes(text)
        added = MapFile.of(before).with_entry(dn, b"x").content
    except Unfit:
        assert not text.strip() or len(text) > 200
        return
    assert added.startswith(before)
    line = added.removeprefix(before)
    assert line.count(b"\n") == 1
    assert line.endswith(b'" x\n')
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", line)
    assert MapFile.of(added).without_entry(dn, b"x").content == before


def _assert_told_as_one_word(runner: Runner, comment: str) -> None:
    fit = fit_comment(comment)
    if len(fit) > 200:
        return
    params, problems = check_params(runner.schema, {"name": "x", "uid": 20001, "comment": comment})
    assert problems == []
    surroundings = runner.surroundings()
    (change,) = user.plan(params, user.probe(params, surroundings), surroundings).changes
    assert change.argv is not None
    words = [str(word) for word in change.argv]
    assert [word for word in words if word.startswith("--comment")] == [f"--comment={fit}"]
    assert words[0] == "useradd"
    assert words[-2:] == ["--", "x"]


@dataclass
class Receiver:
    """Stands at the other end of both channels."""

    payloads: list[dict[str, Any]] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.payloads.append(json.loads(body))
        return Answer(200, "")

    def send(self, message: EmailMessage) -> str:
        self.mails.append(message)
        return ""

    def reach(self) -> None:
        raise AssertionError


@dataclass
class Web:
    receiver: Receiver

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        return self.receiver.request(method, url, headers, body)

    def reach(self, url: str) -> None:
        raise AssertionError


@pytest.mark.parametrize("packet_type", PLACES)
def test_messages(tmp_path: Path, packet_type: str) -> None:
    places = PLACES[packet_type]
    text = BETWEEN.join(f"{{{{ {spot.one} }}}}" for spot in places)
    slack = {"slack": {"text": f"a{text}z", "webhook": "http://127.0.0.1/hook"}}
    mails = [
        {
            "mail": {
                "to": "staff@site.example",
                "subject": f"a {{{{ {spot.one} }}}} z",
                "text": f"a{{{{ {spot.one} }}}}z",
            }
        }
        for spot in places
    ]
    rule = rule_of(tmp_path / "rules", packet_type, notify=[slack, *mails])
    configuration = configure(tmp_path / "site", mail={"host": "127.0.0.1", "from": "amie@site.example"})
    receiver = Receiver()
    carrier = Carrier(configuration, Web(receiver), lambda password: receiver)
    for turn, (scope, texts) in enumerate(scopes(packet_type, places)):
        said = f"a{BETWEEN.join(texts)}z"
        rendered: Any = rule.notify[0].params.evaluate(scope)
        assert rendered["text"] == said
        if _goes_on(packet_type, turn):
            _carry(carrier, rule.notify[0], scope)
            assert assert_plain_in_slack(receiver.payloads.pop()) == readable(said)
            at = turn % len(places)
            _carry(carrier, rule.notify[1 + at], scope)
            mail = assert_one_mail(receiver.mails.pop().as_bytes(policy=SMTP), "staff@site.example")
            assert mail["Subject"].startswith("a ")
            assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == readable(f"a{texts[at]}z").rstrip("\n")
    assert not receiver.payloads + receiver.mails


def _carry(carrier: Carrier, notice: Notice, scope: Mapping[str, Any]) -> None:
    content = content_of(notice.channel, notice.params.evaluate(scope), "TestSite: x")
    kept = json.loads(json.dumps(as_kept(content)))
    names = ("rule", "it", "complete", "0", notice.channel, "somebody")
    carrier.carry(Queued(1, 1, *names, kept, "sending", 1, None, None, None, NOW, NOW))


@pytest.mark.parametrize("kind", SCALARS)
def test_numbers_and_dates_are_none_unless_they_are_written_as_such(kind: TagKind) -> None:
    tags = [tag for tag in catalogue().tags.values() if tag.kind is kind]
    shapes = {TagKind.DECIMAL: r"[0-9.eE+-]+", TagKind.DATE: r"[0-9T:.Z+-]+", TagKind.DATETIME: r"[0-9T:.Z+-]+"}
    read = 0
    for tag in tags:
        for value in VALUES:
            typed, said = _read(tag, value)
            assert visible(said) == said
            assert typed is None or re.fullmatch(shapes[kind], str(typed).strip()), (tag, value)
            read += typed is not None
    assert (read > 0) is (kind is TagKind.DECIMAL)


def _read(tag: Tag, value: str) -> tuple[object, str]:
    try:
        return typed_value(tag, value), ""
    except ValueError as error:
        return None, str(error)
