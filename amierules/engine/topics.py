"""What `explain` knows of words: packet types, tags, kinds, keys, blocks, codes, statuses, exit statuses, pages.

A topic is a JSON object as `schemas/output/explain.schema.json` describes it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from amierules.actions.schemas import kind_schemas
from amierules.actions.table import COMPOSED
from amierules.diagnostics.codes import Code, codes
from amierules.diagnostics.exit_status import MEANINGS, ExitStatus
from amierules.engine import pages
from amierules.engine.key_topics import Topic, key_topics, key_words, parameter
from amierules.engine.statuses import STATUSES
from amierules.protocol.catalogue import ExpectedReply, PacketType, Tag, catalogue
from amierules.rulebook.model import Block, Defer, Ending, Outcome, Rulebook
from amierules.rulebook.schema_keys import as_yaml, schema_keys

AFTER_A_CRASH = {
    "staged": (
        "It changes nothing outside the registry, and the registry is written in one commit with the reply: "
        "a crash leaves nothing half done."
    ),
    "probe": (
        "After a crash in its midst the present state is looked at again; what is provably ours is taken as done."
    ),
    "person": (
        "After a crash in its midst the packet is in doubt until a person says, with `amierules resolve`, "
        "whether it was done."
    ),
}
"""What becomes of a step that a crash interrupts, by the schema's `x-doubt`."""
AFTER_A_CRASH_IN_A_BLOCK = "Each action of the block is recovered by its own kind."


def topics_of(word: str, rulebook: Rulebook | None) -> list[Topic]:
    """All that a word means; empty for an unknown one. Without a rulebook the rules of packet types are null."""
    known, kinds = catalogue(), kind_schemas()
    found: list[Topic] = []
    if word in known.types:
        found.append(_packet_type(known.types[word], rulebook))
    if word in known.tags:
        found.append(_tag(known.tags[word]))
    if word in kinds:
        found.append(_kind(word, kinds[word]))
    found += key_topics(word)
    if rulebook is not None and word in rulebook.blocks:
        found.append(_block(rulebook.blocks[word]))
    if word in codes():
        found.append(_code(codes()[word]))
    if word in STATUSES:
        found.append({"topic": "status", "name": word, "description": STATUSES[word].meaning} | _remedy(word))
    found += [exit_status(status) for status in ExitStatus if word in _names_of(status)]
    if word == "pages":
        found.append(pages.index())
    return found + ([page.topic()] if (page := pages.page_of(word)) is not None else [])


def words(rulebook: Rulebook | None) -> Iterator[str]:
    """All words that `topics_of` knows, but numbers."""
    yield from (*catalogue().types, *catalogue().tags, *kind_schemas(), *key_words(), *codes(), *STATUSES)
    yield from (rulebook.blocks if rulebook is not None else ())
    yield from (name for status in ExitStatus for name in _names_of(status))
    yield from ("pages", *pages.pages())


def exit_status(status: ExitStatus) -> Topic:
    """The topic of an exit status."""
    meaning = MEANINGS[status]
    name = status.name.lower()
    return {"topic": "exit status", "name": name, "number": int(status), "description": _sentence(meaning)}


def _names_of(status: ExitStatus) -> tuple[str, str]:
    return status.name.lower(), f"exit-{int(status)}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _remedy(status: str) -> Topic:
    return {"remedy": STATUSES[status].remedy}


# ------------------------------------------------------------------ packet types and tags


def _packet_type(type_: PacketType, rulebook: Rulebook | None) -> Topic:
    return {
        "topic": "packet type",
        "name": type_.name,
        "description": type_.duty,
        "number": type_.id,
        "direction": type_.direction,
        "expected_replies": [_reply(reply) for reply in type_.expected_replies],
        "tags": [_short(tag, tag.name in type_.required) for tag in type_.tags()],
        "at_least_one_of": [list(group) for group in type_.one_of],
        "required_where": [
            {
                "tags": list(rule.required),
                "where": rule.tag,
                "is": list(rule.values),
                "any_present": list(rule.present),
            }
            for rule in type_.conditional
        ],
        "source": type_.source,
        "rules": None if rulebook is None else _rules(type_.name, rulebook),
    }


def _reply(reply: ExpectedReply) -> Topic:
    answer = catalogue().types[reply.type]
    return {"type": reply.type, "minutes": reply.timeout, "required": list(answer.required_in_reply)}


def _short(tag: Tag, required: bool) -> Topic:
    return {"name": tag.name, "kind": str(tag.kind), "required": required, "description": tag.description}


def _tag(tag: Tag) -> Topic:
    types = [type_ for type_ in catalogue().types.values() if tag.name in type_.allowed]
    return {
        "topic": "tag",
        "name": tag.name,
        "description": tag.description,
        "kind": str(tag.kind),
        "subtags": list(tag.subtags),
        "choices": list(tag.values),
        "constraint": None if tag.values or tag.constraint is None else str(tag.constraint).replace("_", " "),
        "needs": tag.needs,
        "in": [{"type": type_.name, "required": tag.name in type_.required} for type_ in types],
    }


def _rules(packet_type: str, rulebook: Rulebook) -> Topic:
    """Which rules answer the type; `broken` says why none does, where the file has errors."""
    broken = rulebook.broken.get(packet_type)
    file = rulebook.by_type.get(packet_type)
    listed = [
        {
            "name": rule.name,
            "line": rule.place.line,
            "when": rule.when.source if rule.when else None,
            "actions": [action.name for action in rule.actions],
            "outcome": _outcome(rule.outcome),
        }
        for rule in (file.rules if file else ())
    ]
    return {"file": file.path if file else None, "broken": broken, "rules": listed}


def _outcome(outcome: Outcome) -> str:
    if isinstance(outcome, Ending):
        return outcome.kind
    return "defer" if isinstance(outcome, Defer) else "reply"


# ------------------------------------------------------------------ kinds, blocks, codes


def _kind(name: str, schema: dict[str, Any]) -> Topic:
    return {
        "topic": "kind",
        "name": name,
        "description": schema["description"],
        "short_for": schema.get("x-short-for"),
        "parameters": [parameter(key) for key in schema_keys(schema, f"kinds/{name}.schema")],
        "results": dict(schema["x-result"]),
        "after_a_crash": AFTER_A_CRASH_IN_A_BLOCK if name == COMPOSED else AFTER_A_CRASH[schema["x-doubt"]],
        "examples": [_example(name, example) for example in schema["examples"]],
    }


def _example(kind: str, example: object) -> str:
    return as_yaml({"name": "example", kind: example}).replace("name:", "- name:", 1).replace("\n", "\n  ").rstrip(" ")


def _block(block: Block) -> Topic:
    return {
        "topic": "block",
        "name": block.name,
        "description": block.description,
        "file": block.path,
        "parameters": [
            {"name": name, "value": "anything", "required": one.required, "description": one.description, "choices": []}
            for name, one in block.parameters.items()
        ],
        "results": {action.register: f"The result of '{action.name}'." for action in block.actions if action.register},
        "actions": [action.name for action in block.actions],
    }


def _code(code: Code) -> Topic:
    examples: Mapping[str, str | None] = {"of": code.of, "bad": code.bad, "good": code.good}
    return {
        "topic": "code",
        "name": code.name,
        "description": code.meaning,
        "severity": str(code.severity),
        "found_by": code.found_by,
        "remedy": code.remedy,
        **examples,
    }
