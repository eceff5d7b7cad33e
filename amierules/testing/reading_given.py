"""What a test file gives: settings, the clock, registry rows, and the world outside."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from amierules.actions.own_kinds import own_kinds
from amierules.diagnostics import Finding, Place, printable
from amierules.diagnostics.suggest import hint_for
from amierules.engine.registry.files import entries_of
from amierules.ports import Ending
from amierules.ports.cluster import ClusterNodes
from amierules.ports.nodes import BadNodes
from amierules.ports.scripted import Answer, ScriptedCommand
from amierules.protocol.catalogue import catalogue
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode, to_plain
from amierules.rulebook.structure import mappings_in
from amierules.testing.model import EarlierPacket, Given, ScriptedFailure, ScriptedKind, World
from amierules.testing.reading_packets import check_body, check_type, plain_body

_ANSWER = ("rc", "stdout", "stderr", "timed_out", "not_started", "ending")


class Wrong(Exception):
    """Something that a file gives cannot be used."""

    def __init__(self, code: str, message: str, place: Place, hint: str = "") -> None:
        super().__init__(message)
        self.finding = Finding(code, message, place, hint)


def read_given(node: Node | None, *, shared: bool = False) -> tuple[Given, list[Finding]]:
    """What is given, and what is wrong with its registry rows. Raises `Wrong`."""
    if not isinstance(node, MappingNode):
        return Given(), []
    plain: Any = to_plain(node)
    registry = node.get("registry")
    entries, findings = entries_of(registry) if registry is not None else ([], [])
    given = Given(
        settings=plain.get("settings", {}),
        resources=plain.get("resources", {}),
        clock=_clock(node.get("clock")),
        registry=entries,
        earlier=[_earlier(one, findings) for one in mappings_in(node.get("earlier"))],
        world=read_world(node.get("world"), shared=shared),
    )
    return given, findings


def read_world(node: Node | None, *, shared: bool = False) -> World:
    """The world outside. Raises `Wrong`."""
    if not isinstance(node, MappingNode):
        return World()
    plain: Any = to_plain(node)
    slurm = plain.get("slurm", {})
    return World(
        users=plain.get("users", ()),
        groups=plain.get("groups", ()),
        directory=plain.get("directory", ()),
        slurm_accounts=slurm.get("accounts", ()),
        slurm_users=slurm.get("users", ()),
        grid_mapfile=plain.get("grid_mapfile", ()),
        commands=[_command(one) for one in mappings_in(node.get("commands"))],
        kinds=[_kind(one, shared=shared) for one in mappings_in(node.get("kinds"))],
        failures=[_failure(one, shared=shared) for one in mappings_in(node.get("failures"))],
    )


def words_of(node: Node) -> tuple[str, ...]:
    """The words of a call, which is a text or a list. Raises `Wrong`."""
    if not isinstance(node, ScalarNode):
        listed: Any = to_plain(node)
        return tuple(listed)
    try:
        return tuple(shlex.split(node.text))
    except ValueError as error:
        raise Wrong("bad-value", f"this cannot be read as words: {error}", node.place) from error


def _clock(node: Node | None) -> datetime | None:
    if not isinstance(node, ScalarNode):
        return None
    try:
        moment = datetime.fromisoformat(node.text)
    except ValueError:
        raise Wrong(
            "bad-value", f"'{printable(node.text, 60)}' is no moment", node.place, "like 2026-03-01T12:00:00Z"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _earlier(node: MappingNode, findings: list[Finding]) -> EarlierPacket:
    type_node = node.values["type"]
    assert isinstance(type_node, ScalarNode)  # noqa: S101 - the schema says so
    findings += check_type(type_node)
    body = node.get("body")
    if isinstance(body, MappingNode):
        findings += check_body(type_node.text, body)
    known = catalogue().types.get(type_node.text)
    by_type = known is not None and known.direction == "from_site"
    ours = node.get("ours")
    said = ours.value if isinstance(ours, ScalarNode) else by_type
    return EarlierPacket(type_node.text, plain_body(body), bool(said), node.place)


def _command(node: MappingNode) -> ScriptedCommand:
    plain: Any = to_plain(node)
    where = node.get("nodes")
    nodes = _nodes(where) if isinstance(where, ScalarNode) else None
    own = [name for name in (*_ANSWER, "on") if name in node.keys]
    if "answers" in node.keys and own:
        place = node.key_place(own[0])
        raise Wrong("bad-value", f"'{own[0]}' stands beside 'answers'", place, "write it into each of the answers")
    if nodes is None and (beside := next((name for name in ("on", "ending") if name in node.keys), None)):
        raise Wrong("bad-value", f"'{beside}' is for programs on other nodes", node.key_place(beside), "add 'nodes:'")
    answers = [_answer(one) for one in plain.get("answers", ())]
    always = None if answers else _answer(plain)
    return ScriptedCommand(words_of(node.values["run"]), nodes, always, answers, label=node.place)


def _nodes(node: ScalarNode) -> tuple[str, ...]:
    try:
        return ClusterNodes().expand(node.text)
    except BadNodes as error:
        raise Wrong("bad-node-set", str(error), node.place, "like login[1-2]") from error


def _answer(plain: Mapping[str, Any]) -> Answer:
    given = {name: plain[name] for name in _ANSWER if name in plain}
    if "ending" in given:
        given["ending"] = Ending(given["ending"])
    on = {name: _answer({**given, **one}) for name, one in plain.get("on", {}).items()}
    return Answer(**given, on=on)


def _kind(node: MappingNode, *, shared: bool) -> ScriptedKind:
    plain: Any = to_plain(node)
    brought = own_kinds().kinds
    if plain["kind"] not in brought:
        hint = hint_for(plain["kind"], brought) or "the kinds that amierules has are not scripted: they are played"
        message = f"no package brings a kind '{printable(plain['kind'], 60)}'"
        raise Wrong("unknown-kind", message, node.values["kind"].place, hint)
    return ScriptedKind(
        plain["kind"], plain.get("step"), plain.get("present", False), plain.get("result"), node.place, shared
    )


def _failure(node: MappingNode, *, shared: bool) -> ScriptedFailure:
    plain: Any = to_plain(node)
    says = plain.get("says", "it failed, says the rule test")
    at_probe = plain.get("when", "apply") == "probe"
    return ScriptedFailure(plain["step"], plain["is"], says, at_probe, plain.get("times", 1), node.place, shared)


def several(values: object) -> Sequence[str]:
    """The values of an attribute, as texts: a list, or one alone."""
    return [str(one) for one in values] if isinstance(values, list) else [str(values)]
