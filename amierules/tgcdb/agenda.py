"""What the central database is going to send: the steps of its runs, each when its time has come."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from amierules.ports.clock import Clock
from amierules.tgcdb.bodies import build
from amierules.tgcdb.cast import Cast
from amierules.tgcdb.knowledge import Knowledge
from amierules.tgcdb.records import Transaction
from amierules.tgcdb.starting import start
from amierules.tgcdb.store import Store
from amierules.tgcdb.tables import run, step

_WAITING, _READY, _SENT, _SKIPPED = "waiting", "ready", "sent", "skipped"
_BEHAVIOUR = ("answer", "message", "listed_again")


class Agenda:
    """The runs of all sites."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def begin(
        self, site: str, scenario: str, steps: Sequence[Mapping[str, Any]], seed: int, resources: Sequence[str]
    ) -> int:
        """Begins a run of these steps and sends what can be sent at once; returns its number.

        A step waits for the one that it names (`after`, a position from 0; by default the one before it; null for
        none) until `when`: started, replied, over (the default).
        """
        now = self._clock.now()
        with self._store.begin() as connection:
            values = {
                "site": site, "scenario": scenario, "seed": seed, "resources": list(resources), "started_at": now,
            }  # fmt: skip
            run_id: int = connection.execute(insert(run).values(values).returning(run.c.run_id)).scalar_one()
            listed = [_row(run_id, position, one, now) for position, one in enumerate(steps)]
            connection.execute(insert(step), listed)
        self.go_on()
        return run_id

    def go_on(self) -> int:
        """Sends all whose time has come; returns how many transactions were started."""
        started = 0
        while (begun := self._send_one()) is not None:
            started += begun
        return started

    def unfinished(self, site: str) -> int:
        """How many steps of a site are still to come."""
        with self._store.begin() as connection:
            statement = select(func.count()).select_from(step).join(run).where(run.c.site == site)
            return connection.scalar(statement.where(step.c.state.in_((_WAITING, _READY)))) or 0

    def _send_one(self) -> bool | None:
        """Sends the next step, or skips it; None where nothing is due."""
        now = self._clock.now()
        with self._store.begin() as connection:
            statement = (
                select(
                    step.c.run_id,
                    step.c.position,
                    step.c.spec,
                    run.c.site,
                    run.c.seed,
                    run.c.resources,
                    run.c.started_at,
                )
                .join(run)
                .where(step.c.state == _READY, step.c.due_at <= now)
                .order_by(step.c.due_at, step.c.run_id, step.c.position)
                .limit(1)
            )
            due = connection.execute(statement).one_or_none()
            if due is None:
                return None
            cast = Cast(due.run_id, due.seed, due.resources, due.started_at.date())
            content = build(due.spec, due.position, cast, Knowledge(connection, due.site))
            _set(connection, due.run_id, due.position, _SKIPPED if content is None else _SENT)
            if content is None:
                _release(connection, due.run_id, due.position, ("started", "replied", "over"), now)
                return False
            start(
                connection, due.site, due.spec["send"], content, now, run_id=due.run_id, position=due.position,
                expects=due.spec.get("expect", "completed"), timeout=due.spec.get("timeout"),
                behaviour={key: due.spec[key] for key in _BEHAVIOUR if key in due.spec},
            )  # fmt: skip
            _release(connection, due.run_id, due.position, ("started",), now)
            return True


def reached(connection: Connection, within: Transaction, milestone: str, now: datetime) -> None:
    """A transaction has been replied to, or is over: what waited for that may be sent."""
    if within.run_id is not None and within.step is not None:
        milestones = ("replied",) if milestone == "replied" else ("replied", "over")
        _release(connection, within.run_id, within.step, milestones, now)


def _row(run_id: int, position: int, spec: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    after = spec.get("after", position - 1 if position else None)
    due_at = spec.get("at")
    return {
        "run_id": run_id, "position": position, "spec": dict(spec), "after": after,
        "milestone": spec.get("when", "over"), "due_at": datetime.fromisoformat(due_at) if due_at else now,
        "state": _READY if after is None else _WAITING,
    }  # fmt: skip


def _set(connection: Connection, run_id: int, position: int, state: str) -> None:
    connection.execute(update(step).where(step.c.run_id == run_id, step.c.position == position).values(state=state))


def _release(connection: Connection, run_id: int, position: int, milestones: Sequence[str], now: datetime) -> None:
    statement = update(step).where(step.c.run_id == run_id, step.c.after == position, step.c.state == _WAITING)
    connection.execute(statement.where(step.c.milestone.in_(milestones)).values(state=_READY))
