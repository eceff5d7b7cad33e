"""Plans and runs packet after packet, and compares what was printed with what was done and with what is then there."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from amierules.database import own_tables, work
from amierules.database.connection import Database
from amierules.engine.plan_json import as_json
from amierules.engine.site import Site
from tests.support.outside import ANYTHING, BackEnd, State
from tests.support.sites import NOW, decision, load, plan, replies_to, run, set_clock, steps_of
from tests.support.traffic import Packet, Traffic

HISTORY = 50
"""So many packets a site gets before another one is made."""
NOT_TAKEN_IN = "not taken in"
"""The status of packets that no run takes up, such as those of a transaction that is over."""
FINAL = ("done", "failed", "ignored")
STAGED = frozenset({"person", "project", "allocation", "account"})
"""The kinds of action that change the registry."""
REGISTRY = (
    "person",
    "person_alias",
    "person_former_global",
    "person_login",
    "person_dn",
    "project",
    "project_resource",
    "allocation",
    "account",
)


def histories(ordinary: int, first: int = 0) -> Sequence[int]:
    """The seeds of as many histories as `ordinary` packets take; AMIERULES_BELIEVE asks for another number."""
    packets = int(os.environ.get("AMIERULES_BELIEVE") or ordinary)
    return range(first, first + -(-packets // HISTORY))


@dataclass
class Tally:
    """What a history came to: without changes and answers, it proves nothing."""

    packets: int = 0
    changes: int = 0
    """Those outside the database."""
    ends: Counter[str] = field(default_factory=Counter)
    """How many packets stand how in the end."""


@dataclass(frozen=True)
class Planned:
    """A packet, and what a dry run printed of it."""

    packet_rec_id: int
    said: dict[str, Any]

    @property
    def changes(self) -> dict[str, list[Any]]:
        """The changes of the steps that would make any."""
        return {one["path"]: one["changes"] for one in self.said["actions"] if one["changes"]}

    def of(self, kinds: frozenset[str]) -> Iterator[dict[str, Any]]:
        """The changes that steps of some kinds would make, in order, with the expected values."""
        for one in self.said["actions"]:
            yield from map(settled, one["changes"]) if one["kind"] in kinds else ()


def planned(site: Site, packet: Packet) -> Planned:
    """Loads the packet, and has a dry run print its plan."""
    (packet_rec_id,) = load(site, packet)
    return plan_of(site, packet_rec_id)


def plan_of(site: Site, packet_rec_id: int) -> Planned:
    """What a dry run prints of a packet."""
    set_clock(site, at=NOW)
    printed = json.loads(json.dumps(as_json(plan(site))))
    said = [one for one in printed["packets"] if one["packet_rec_id"] == packet_rec_id]
    return Planned(packet_rec_id, said[0] if said else _NO_PLAN)


_NO_PLAN = {"actions": [], "outcome": {"kind": "wait"}}


def believe(site: Site, back_ends: Sequence[BackEnd], traffic: Traffic, packets: int = HISTORY) -> Tally:
    """Plans and runs packets of the traffic. Any difference between plan, journal and back end fails."""
    tally, held = Tally(), [back_end.look() for back_end in back_ends]
    for _ in range(packets):
        one = planned(site, traffic.packet())
        tally.changes += sum(len(list(one.of(back_end.kinds))) for back_end in back_ends)
        held = played(site, back_ends, one, held)
        tally.packets += 1
        tally.ends[status(site, one.packet_rec_id)] += 1
        set_aside(site, one.packet_rec_id)
    return tally


def played(site: Site, back_ends: Sequence[BackEnd], one: Planned, held: Sequence[State]) -> list[State]:
    """Runs a packet as it was planned, and compares. Returns what the back ends then hold, which was `held` before."""
    rows = registry_rows(site.database)
    handled = run(site, [one.packet_rec_id])
    done = json.loads(json.dumps(as_json([handled[one.packet_rec_id].report])))["packets"][0] if handled else None
    ended = status(site, one.packet_rec_id) in FINAL
    if done is None:
        assert one.said["outcome"]["kind"] == "wait", one.said
    else:
        _same_decision(one.said, done)
        _same_changes(site, one, back_ends, ended=ended)
        _same_reply(site, one)
    now = [_same_state(back_end, before, one) for back_end, before in zip(back_ends, held, strict=True)]
    staged = [step for step in one.said["actions"] if step["kind"] in STAGED and step["changes"]]
    assert (registry_rows(site.database) != rows) is bool(staged and ended), one.said
    return now


def set_aside(site: Site, packet_rec_id: int) -> None:
    """What stays open would keep all later packets of its project waiting."""
    if status(site, packet_rec_id) not in (*FINAL, NOT_TAKEN_IN):
        decision(site, packet_rec_id, "fail", "the test goes on")


def status(site: Site, packet_rec_id: int) -> str:
    """The packet's status."""
    with site.database.read() as connection:
        item = work.get(connection, packet_rec_id)
    assert item is None or item.status not in ("in_doubt", "retrying"), item
    return NOT_TAKEN_IN if item is None else item.status


def registry_rows(database: Database) -> dict[str, list[Any]]:
    """All rows of the registry, by table."""
    with database.read() as connection:
        tables = {name: getattr(own_tables, name) for name in REGISTRY}
        return {name: sorted(map(repr, connection.execute(select(table)))) for name, table in tables.items()}


def settled(value: Any) -> Any:
    """With expected values in the place of those that are known after apply."""
    if isinstance(value, dict):
        if "unknown" in value and value.keys() <= {"unknown", "expected"}:
            return settled(value["expected"]) if "expected" in value else ANYTHING
        plain = {key: settled(one) for key, one in value.items()}
        return {**plain, "argv": _spelled(plain["argv"])} if "argv" in plain else plain
    return [settled(one) for one in value] if isinstance(value, list) else value


def _same_decision(said: dict[str, Any], done: dict[str, Any]) -> None:
    assert (said["rule"], said["outcome"]["kind"], said["outcome"]["type"]) == (
        done["rule"], done["outcome"]["kind"], done["outcome"]["type"],
    ), (said, done)  # fmt: skip
    assert [(step["path"], step["item"]) for step in said["actions"]] == [
        (step["path"], step["item"]) for step in done["actions"]
    ]
    unknown = [step for step in said["actions"] if step["state"] == "unknown"]
    assert not unknown, unknown
    assert [_done(step["state"]) for step in said["actions"]] == [step["state"] for step in done["actions"]]


def _done(state: str) -> str:
    return "done" if state == "change" else state


def _same_changes(site: Site, one: Planned, back_ends: Sequence[BackEnd], *, ended: bool) -> None:
    """The journal has the changes that were printed; of a packet that did not end, only those outside the database."""
    kinds = {kind for back_end in back_ends for kind in back_end.kinds}
    steps = steps_of(site, one.packet_rec_id)
    recorded = {path: row.changes for path, row in steps.items() if row.changes and (ended or row.kind in kinds)}
    by_path = {step["path"]: step["kind"] for step in one.said["actions"]}
    said = {path: changes for path, changes in one.changes.items() if ended or by_path[path] in kinds}
    before, after = _bare(said), _bare(recorded)
    assert before == after, [(path, before.get(path), after.get(path)) for path in {*before, *after}]


def _bare(changes: dict[str, Any]) -> dict[str, Any]:
    """Summaries and targets may name what is known after apply: for people."""
    kept = {path: [{**change, "summary": "", "target": ""} for change in found] for path, found in changes.items()}
    return {path: _spelled(settled(found)) for path, found in kept.items()}


def _spelled(value: Any) -> Any:
    """With numbers as texts: one that is known after apply may come to stand in a text."""
    if isinstance(value, dict):
        return {key: _spelled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_spelled(one) for one in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _same_reply(site: Site, one: Planned) -> None:
    sent = [dict(reply.packet.body) for reply in replies_to(site, one.packet_rec_id)]
    expected = [one.said["outcome"]["body"]] if one.said["outcome"]["kind"] in ("reply", "fail") else []
    assert sent == [settled(body) for body in expected]


def _same_state(back_end: BackEnd, held: State, one: Planned) -> State:
    foretold = held
    for change in one.of(back_end.kinds):
        foretold = back_end.foretell(foretold, change)
    now = back_end.look()
    wrong = {name for name in {*now, *foretold} if name not in now or name not in foretold}
    wrong |= {name for name in now.keys() & foretold.keys() if now[name] != foretold[name]}
    differing = {name: (foretold.get(name), now.get(name)) for name in wrong}
    assert not differing, (differing, list(one.of(back_end.kinds)))
    return now
