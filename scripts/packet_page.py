"""The page of packet types and tags."""

from collections.abc import Iterable

from amierules.protocol.catalogue import ExpectedReply, PacketType, Tag, catalogue
from scripts.markdown import code, codes, page, table

_DIRECTIONS = {"to_site": "to the site", "from_site": "from the site", "both": "both ways", "unused": "unused"}
_MINUTES_A_DAY = 24 * 60


def packet_page() -> str:
    """`docs/packets.md`."""
    known = catalogue()
    types = list(known.types.values())
    return page(
        "# Packet types and tags",
        "What the AMIE protocol says, as `schemas/packets/` and `schemas/tags.json` hold it.",
        table(["id", "type", "direction", "expected replies"], (_row(type_) for type_ in types)),
        *(_section(type_) for type_ in types),
        "## Tags",
        table(["tag", "kind", "what it is"], (_tag_row(tag) for tag in known.tags.values())),
    )


def _row(type_: PacketType) -> list[str]:
    link = f"[{type_.name}](#{type_.name})"
    return [str(type_.id), link, _DIRECTIONS[type_.direction], _replies(type_.expected_replies)]


def _replies(replies: Iterable[ExpectedReply]) -> str:
    return ", ".join(f"{code(reply.type)}{_within(reply.timeout)}" for reply in replies)


def _within(minutes: int | None) -> str:
    return "" if minutes is None else f" within {minutes / _MINUTES_A_DAY:g} days"


def _section(type_: PacketType) -> str:
    optional = [tag for tag in type_.allowed if tag not in type_.required]
    lines = [
        ("Required", codes(type_.required)),
        *(
            (f"Required {_condition(rule.tag, rule.values, rule.present)}", codes(rule.required))
            for rule in type_.conditional
        ),
        *(("At least one of", codes(group)) for group in type_.one_of),
        ("Required in a reply", _if_other(type_.required_in_reply, type_.required)),
        ("Required from a site that begins", _if_other(type_.required_when_originated, type_.required)),
        ("Also allowed", codes(optional)),
    ]
    facts = "\n".join(f"- {name}: {text}." for name, text in lines if text)
    return f"## {type_.name}\n\n{type_.duty}\n\n{facts}\n\nSource: {type_.source}."


def _condition(tag: str | None, values: Iterable[str], present: Iterable[str]) -> str:
    return f"where {code(tag)} is {codes(values)}" if tag else f"with any of {codes(present)}"


def _if_other(tags: tuple[str, ...], required: tuple[str, ...]) -> str:
    return "" if tags == required else codes(tags) or "nothing"


def _tag_row(tag: Tag) -> list[str]:
    facts = [tag.description]
    if tag.subtags:
        facts.append(f"Subtags: {codes(tag.subtags)}.")
    if tag.values:
        facts.append(f"One of {codes(tag.values)}.")
    elif tag.constraint:
        facts.append(f"{tag.constraint.replace('_', ' ').capitalize()}.")
    if tag.needs:
        facts.append(f"Only beside {code(tag.needs)}.")
    return [code(tag.name), tag.kind, " ".join(fact for fact in facts if fact)]
