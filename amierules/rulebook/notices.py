"""The `notify` lists of rules and of the configuration: what a schema cannot say of them, and their compiled form."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from amierules.diagnostics import Finding, printable
from amierules.rulebook.compiler import Compiler, Schema
from amierules.rulebook.model import Notice
from amierules.rulebook.nodes import MappingNode, Node
from amierules.rulebook.structure import mappings_in
from amierules.shipped import read_schema

CHANNELS = ("mail", "slack", "webhook")
NOTICE_NAMES = frozenset({"status", "reason", "rule"})
"""What a message may use beside the names that are in scope where it stands."""
STATUSES = ("arrived", "parked", "in_doubt", "held", "deferred", "failed", "done", "overdue")
"""The statuses by which the configuration sends messages; `arrived` and `overdue` are none, and told of as such."""

_CONTENT = {"mail": ("template", "text"), "slack": ("template", "text"), "webhook": ("template", "text", "json")}


@cache
def channel_schema(channel: str) -> Schema:
    """The schema of a channel's parameters, with what it refers to in its place."""
    definitions = notify_schema()["definitions"]
    schema = definitions[channel]
    properties = {
        name: definitions[given["$ref"].rpartition("/")[2]] if "$ref" in given else given
        for name, given in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def notify_schema() -> Schema:
    """The schema of a `notify` list."""
    return read_schema("notify.schema")


def check_notices(node: Node | None) -> Iterator[Finding]:
    """Whether each message has exactly one channel, and exactly one text."""
    for message in mappings_in(node):
        present = [key for key in message.keys if key in CHANNELS]
        if not present and all(key in notify_schema()["definitions"]["message"]["properties"] for key in message.keys):
            hint = f"give it one of {', '.join(CHANNELS)}"
            yield Finding("no-channel", "this message says not how it is sent", message.place, hint)
        if len(present) > 1:
            hint = "a message has exactly one; make several messages"
            text = f"this message has {len(present)} channels: {', '.join(present)}"
            yield Finding("several-channels", text, message.key_place(present[1]), hint)
        for channel in present:
            given = message.get(channel)
            if isinstance(given, MappingNode):
                yield from _check_content(channel, given, message)


def _check_content(channel: str, given: MappingNode, message: MappingNode) -> Iterator[Finding]:
    choices = _CONTENT[channel]
    present = [key for key in given.keys if key in choices]
    known = channel_schema(channel)["properties"]
    if not present and all(key in known for key in given.keys):
        hint = f"give it one of {', '.join(choices)}"
        yield Finding("no-text", f"this {channel} says nothing", message.key_place(channel), hint)
    if len(present) > 1:
        text = f"this {channel} has {' and '.join(present)}"
        yield Finding("several-texts", text, given.key_place(present[1]), "keep one of them")


def read_notices(node: Node | None, compiler: Compiler) -> tuple[Notice, ...]:
    """The messages of a list. They are only to be used where nothing was found wrong."""
    found = (_notice(message, compiler) for message in mappings_in(node))
    return tuple(notice for notice in found if notice is not None)


def said_of(notice: Notice, finding: Finding) -> Finding:
    """A finding in a template, with the message that names it: other messages may use it without harm."""
    if finding.place is None or finding.place.file == notice.place.file:
        return finding
    where = f"as {notice.place.file}:{notice.place.line} uses it"
    return replace(finding, message=printable(f"{finding.message}, {where}", 400))


def _notice(node: MappingNode, compiler: Compiler) -> Notice | None:
    channel = next((key for key in node.keys if key in CHANNELS), None)
    when, for_each = compiler.condition(node.get("when")), compiler.expression(node.get("for_each"))
    given = node.get(channel) if channel is not None else None
    if channel is None or not isinstance(given, MappingNode):
        return None
    params = compiler.described(given, channel_schema(channel))
    return Notice(node.place, channel, params, when, for_each)
