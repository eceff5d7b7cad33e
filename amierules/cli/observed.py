"""What `run --observe` and `status --observed` print: our plans beside another program's answers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from amierules.cli.console import paint, say, tell
from amierules.cli.opening import open_site, packet_ids
from amierules.cli.plan_text import value_text
from amierules.database.observed import Observation
from amierules.diagnostics import ExitStatus, printable
from amierules.engine.observing import observe

_STYLES = {"agrees": "good", "differs": "bad", "waits": "wait"}


def observe_packets(config: Path | None, ids: list[str] | None) -> ExitStatus:
    """Plan packets and compare what has been answered; say what is new."""
    with open_site(config, create=False) as site:
        found = observe(site, packet_ids(site, ids) if ids else None)
    say_observations(found)
    return ExitStatus.OK


def say_observations(found: Sequence[Observation]) -> None:
    """A line for each packet, and one for each tag that differs."""
    width = max((len(str(one.packet_rec_id)) for one in found), default=0)
    for one in found:
        standing = _standing(one)
        head = f"{one.packet_rec_id:>{width}} {printable(one.type)}: {_said(one.plan['outcome'])}"
        say(paint(f"{standing:<8}", _STYLES[standing]) + f" {head}")
        for differs in one.differences or ():
            ours, theirs = (_value(differs[side]) for side in ("ours", "theirs"))
            say(f"{'':<{9 + width}}  {printable(differs['tag'])}: {ours} here, {theirs} there")
    tell(_summary(found))


def observations_as_json(found: Iterable[Observation]) -> dict[str, Any]:
    """The document that `status --observed --format json` prints."""
    return {
        "format_version": 1,
        "observed": [
            {
                "packet_rec_id": one.packet_rec_id,
                "type": one.type,
                "observed_at": f"{one.observed_at:%Y-%m-%dT%H:%M:%SZ}",
                "standing": _standing(one),
                "answered_by": one.answered_by,
                "differences": one.differences,
                "plan": one.plan,
            }
            for one in found
        ],
    }


def _standing(one: Observation) -> str:
    if one.differences is None:
        return "waits"
    return "differs" if one.differences else "agrees"


def _said(outcome: dict[str, Any]) -> str:
    """What we would do with the packet."""
    if outcome["type"]:
        return f"would be answered by {outcome['type']}"
    reason = printable(outcome["reason"] or "", 200)
    return f"would {outcome['kind']}" + (f": {reason}" if reason else "")


def _value(value: Any) -> str:
    if isinstance(value, dict) and "unknown" in value:
        known = f"(known after {printable(value['unknown'], 80)})"
        return f"{value_text(value['expected'])} {known}" if "expected" in value else known
    return "nothing" if value is None else value_text(value)


def _summary(found: Sequence[Observation]) -> str:
    counts = Counter(_standing(one) for one in found)
    words = {"agrees": "answered alike", "differs": "answered otherwise", "waits": "not answered yet"}
    listed = ", ".join(f"{counts[standing]} {word}" for standing, word in words.items() if counts[standing])
    return f"{len(found)} packet{'s' * (len(found) != 1)}: {listed}. Nothing was done." if found else "nothing new"
