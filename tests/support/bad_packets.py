"""Packets in AMIE's JSON form with something wrong in them, made from good ones by chance."""

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amierules.protocol.catalogue import catalogue
from tests.support.hostile import HOSTILE

CAPTURED: list[dict[str, Any]] = [
    json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[1] / "packets").glob("*.json"))
]
TYPES = sorted(catalogue().types)
WEIRD: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 1e308, -0.0, 10**30, 10**400, "", " ", "x", "0", "-1", "1e5", "NaN", "١٢"),
    *([], {}, [[]], [{}], {"": ""}, [None], ["", ""], [1, 2], [True], {"a": None}, [["x"]], {"a": {"b": "c"}}),
    *([{"Site": "x"}, {"PersonID": "y"}], {"Degree": "x"}, [{"a": ["x"]}], ["x"] * 300, [{"Degree": "x"}, "y"]),
    *("2025-02-30", "2025-10-15T18:03:55", "9999-99-99", "0000-00-00", "2025-10-15T25:00:00Z", "in_progress"),
    *("{{ 7 * 7 }}", "{% for x in range(10**9) %}x{% endfor %}", "${x}", "a" * 500, "a" * 20_000, "é" * 300),
    *("TGCDB", "TestSite", "Elsewhere", "request_project_create", "inform_transaction_complete", "Failure"),
    *("2147483648", "9223372036854775808", "9" * 38, "9" * 39, 2**63, 2**31, "-9223372036854775809", "1" * 5000),
]
STRANGE_KEYS = ("", " ", "a" * 33, "a" * 500, "é", "x\0y", "x\ny", "\x1b[31m", "\ud800", "header", "__class__", "{{x}}")

Edit = Callable[[random.Random, dict[str, Any]], None]


def value(chance: random.Random) -> Any:
    """A value that hardly belongs where it is put."""
    return copy.deepcopy(chance.choice(WEIRD) if chance.random() < 0.6 else chance.choice(HOSTILE))


def _part(chance: random.Random, packet: dict[str, Any]) -> dict[str, Any]:
    """The header or the body, whichever is still a mapping."""
    parts = [part for part in (packet.get("header"), packet.get("body"), packet.get("body")) if isinstance(part, dict)]
    return chance.choice(parts) if parts else packet


def _drop(chance: random.Random, packet: dict[str, Any]) -> None:
    part = _part(chance, packet)
    if part:
        del part[chance.choice(sorted(part))]


def _replace(chance: random.Random, packet: dict[str, Any]) -> None:
    part = _part(chance, packet)
    if part:
        part[chance.choice(sorted(part))] = value(chance)


def _inside(chance: random.Random, packet: dict[str, Any]) -> None:
    part = _part(chance, packet)
    lists = [one for one in part.values() if isinstance(one, list)]
    if lists:
        found = chance.choice(lists)
        found.insert(chance.randrange(len(found) + 1), value(chance))


def _add(chance: random.Random, packet: dict[str, Any]) -> None:
    _part(chance, packet)[chance.choice([*STRANGE_KEYS, *HOSTILE])] = value(chance)


def _rename(chance: random.Random, packet: dict[str, Any]) -> None:
    part = _part(chance, packet)
    if part:
        part[chance.choice(STRANGE_KEYS)] = part.pop(chance.choice(sorted(part)))


def _retype(chance: random.Random, packet: dict[str, Any]) -> None:
    packet["type"] = chance.choice(TYPES) if chance.random() < 0.7 else value(chance)


def _resite(chance: random.Random, packet: dict[str, Any]) -> None:
    if isinstance(packet.get("header"), dict):
        for name in ("originating_site_name", "local_site_name", "remote_site_name"):
            packet["header"][name] = chance.choice(["TestSite", "TGCDB", "Elsewhere", "x" * 17, "", "testsite"])


def _unpart(chance: random.Random, packet: dict[str, Any]) -> None:
    packet[chance.choice(["header", "body", "type", "DATA_TYPE"])] = value(chance)


def _deepen(chance: random.Random, packet: dict[str, Any]) -> None:
    deep: Any = "x"
    for _ in range(chance.choice([1, 2, 3, 10, 200])):
        deep = [deep] if chance.random() < 0.5 else {"a": deep}
    _part(chance, packet)["Deep"] = deep


EDITS: tuple[Edit, ...] = (
    _drop,
    _drop,
    _replace,
    _replace,
    _replace,
    _inside,
    _add,
    _rename,
    _retype,
    _resite,
    _unpart,
    _deepen,
)


_IDS = ("GrantNumber", "ProjectID", "PersonID", "GlobalID", "PiGlobalID", "UserGlobalID", "UserPersonID")


def captured_packet(chance: random.Random, number: int) -> dict[str, Any]:
    """A captured packet of a transaction, a grant and a person of its own, so that it waits for no other."""
    packet = copy.deepcopy(chance.choice(CAPTURED))
    packet["header"] |= {"packet_rec_id": number, "transaction_id": number, "trans_rec_id": number, "packet_id": 1}
    packet["body"] |= {tag: f"{packet['body'][tag]}.{number}" for tag in _IDS if tag in packet["body"]}
    return packet


def bad_packet(chance: random.Random, number: int) -> dict[str, Any]:
    """A captured packet with one to three things changed."""
    packet = captured_packet(chance, number)
    for _ in range(chance.randint(1, 3)):
        chance.choice(EDITS)(chance, packet)
    return packet


def bad_text(chance: random.Random, number: int) -> bytes:
    """A file with a packet whose very text is damaged."""
    text = json.dumps(bad_packet(chance, number) if chance.random() < 0.3 else chance.choice(CAPTURED))
    at = chance.randrange(len(text))
    match chance.randrange(7):
        case 0:
            return text[:at].encode()
        case 1:
            return (text[:at] + chance.choice('"{}[],:\\0x\t\n') + text[at:]).encode()
        case 2:
            return (text[:at] + text[at + chance.randint(1, 20) :]).encode()
        case 3:
            return text.encode(chance.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7"]))
        case 4:
            return text[:at].encode() + bytes(chance.randrange(256) for _ in range(8)) + text[at:].encode()
        case 5:
            # The same key twice, with different values.
            return text.replace('"body": {', '"body": {"ProjectID": "other", "ProjectID": 7, ', 1).encode()
        case _:
            return chance.choice([b"NaN", b"[" * 5000, b'{"result":' * 5000, b"\0", b"1" * 5000, b"-Infinity"])
