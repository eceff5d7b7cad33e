"""Checked nodes to rule files and blocks. What the schema refused is read as if it were not there."""

import json
from collections.abc import Collection, Mapping

from amierules.rulebook.compiled import Constant
from amierules.rulebook.compiler import Compiler
from amierules.rulebook.durations import duration_seconds
from amierules.rulebook.literals import moment
from amierules.rulebook.model import (
    Action,
    Block,
    BlockParameter,
    Compiled,
    Defer,
    Ending,
    Outcome,
    Repetition,
    Reply,
    Rule,
    RuleFile,
)
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode, to_plain
from amierules.rulebook.notices import read_notices
from amierules.rulebook.structure import OUTCOMES, mappings_in

_RETRIES, _DELAY = 60, 60
"""How often a step with `until` is done again, and after how many seconds, where its action does not say."""


def read_rule_file(root: MappingNode, path: str, compiler: Compiler) -> RuleFile:
    """A rule file. It is only to be used where nothing was found wrong."""
    return RuleFile(
        path=path,
        packet_types=packet_types(root),
        description=_text(root.get("description")),
        variables=_values(root.get("vars"), compiler),
        rules=tuple(rule for node in mappings_in(root.get("rules")) if (rule := _rule(node, compiler)) is not None),
    )


def packet_types(root: MappingNode) -> tuple[str, ...]:
    """The packet types that a rule file names, known or not."""
    named = root.get("packet")
    items = named.items if isinstance(named, ListNode) else (named,)
    texts = (item.value for item in items if isinstance(item, ScalarNode))
    return tuple(dict.fromkeys(text for text in texts if isinstance(text, str)))


def read_block(root: MappingNode, path: str, compiler: Compiler) -> Block:
    """A block. It is only to be used where nothing was found wrong."""
    return Block(
        name=_text(root.get("block")),
        path=path,
        description=_text(root.get("description")),
        parameters=_parameters(root.get("params"), compiler),
        variables=_values(root.get("vars"), compiler),
        actions=_actions(root.get("actions"), compiler),
        source=_source(root, leaving_out=("block", "description", "actions")),
    )


def _parameters(node: Node | None, compiler: Compiler) -> Mapping[str, BlockParameter]:
    if not isinstance(node, MappingNode):
        return {}
    return {name: _parameter(name, value, compiler) for name, value in node.values.items()}


def _parameter(name: str, node: Node, compiler: Compiler) -> BlockParameter:
    given = node if isinstance(node, MappingNode) else MappingNode(node.place)
    default = given.get("default")
    value = compiler.value(default) if default is not None else None
    return BlockParameter(name, _text(given.get("description")), required=default is None, default=value)


def _rule(node: MappingNode, compiler: Compiler) -> Rule | None:
    actions = _actions(node.get("actions"), compiler)
    when = compiler.condition(node.get("when"))
    outcomes = [_outcome(key, node.values[key], compiler) for key in OUTCOMES if key in node.values]
    notify = read_notices(node.get("notify"), compiler)
    if not outcomes:
        return None
    return Rule(_text(node.get("name")), node.place, when, actions, outcomes[0], notify)


def _outcome(kind: str, node: Node, compiler: Compiler) -> Outcome:
    if kind == "reply":
        return _reply(node, compiler)
    given = node if isinstance(node, MappingNode) else MappingNode(node.place)
    reason = given.get("reason") or node
    text = compiler.value(reason) if isinstance(reason, ScalarNode) else Constant(reason.place, "")
    if kind != "defer":
        return Ending(kind, text, node.place, _values(given.get("ask"), compiler))
    not_before = given.get("not_before")
    return Defer(
        reason=text,
        not_before=_moment(not_before, compiler) if not_before is not None else None,
        at_most=_seconds(given.get("at_most")),
        place=node.place,
    )


def _moment(node: Node, compiler: Compiler) -> Compiled:
    compiled = compiler.typed(node, "datetime")
    written = moment(node.value) if isinstance(node, ScalarNode) and isinstance(node.value, str) else None
    return compiled if written is None else Constant(node.place, written)


def _reply(node: Node, compiler: Compiler) -> Reply:
    given = node if isinstance(node, MappingNode) else MappingNode(node.place)
    fields = given.get("fields")
    copied = given.get("copy")
    tags = copied.items if isinstance(copied, ListNode) else ()
    return Reply(
        type=_text(given.get("type")) or None,
        copy=tuple(_text(tag) for tag in tags),
        fields=_fields(fields, compiler) if fields is not None else None,
        place=node.place,
    )


def _fields(node: Node, compiler: Compiler) -> Compiled:
    if isinstance(node, ScalarNode) and node.value is not None and not compiler.is_one_expression(node):
        message = "the fields are a mapping, or one expression that yields one"
        compiler.find("not-a-mapping", message, node.place, 'like "{{ record.reply }}"')
    return compiler.value(node)


def _actions(node: Node | None, compiler: Compiler) -> tuple[Action, ...]:
    return tuple(action for item in mappings_in(node) if (action := _action(item, compiler)) is not None)


def _action(node: MappingNode, compiler: Compiler) -> Action | None:
    kind = next((key for key in node.keys if key in compiler.kinds), None)
    parameters = compiler.parameters(kind, node.values[kind]) if kind is not None else None
    when, for_each = compiler.condition(node.get("when")), compiler.expression(node.get("for_each"))
    repetition = _repetition(node, compiler)
    with_ = _values(node.get("with"), compiler)
    if kind is None or parameters is None:
        return None
    return Action(
        name=_text(node.get("name")),
        place=node.place,
        kind=kind,
        params=parameters,
        source=_source(node, leaving_out=("description",)),
        when=when,
        register=_text(node.get("register")) or None,
        for_each=for_each,
        on_error=_text(node.get("on_error")) or "park",
        repetition=repetition,
        timeout=_seconds(node.get("timeout")),
        with_=with_,
    )


def _repetition(node: MappingNode, compiler: Compiler) -> Repetition | None:
    until, retries = compiler.condition(node.get("until")), node.get("retries")
    if until is None:
        return None
    given = retries.value if isinstance(retries, ScalarNode) else None
    times = given if isinstance(given, int) else _RETRIES
    return Repetition(until, times, _seconds(node.get("delay")) or _DELAY)


def _source(node: MappingNode, leaving_out: Collection[str]) -> str:
    """Canonical JSON without what does not change what is done, above all the description."""
    plain = {key: to_plain(value) for key, value in node.values.items() if key not in leaving_out}
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _values(node: Node | None, compiler: Compiler) -> dict[str, Compiled]:
    if not isinstance(node, MappingNode):
        return {}
    return {name: compiler.value(value) for name, value in node.values.items()}


def _text(node: Node | None) -> str:
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else ""


def _seconds(node: Node | None) -> int | None:
    try:
        return duration_seconds(_text(node))
    except ValueError:
        return None
