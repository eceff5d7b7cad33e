"""Sums of the ledger: what was collected and what became of it, by project, resource and day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from amierules.database.usage_reports import UNSENT
from amierules.database.usage_tables import usage, usage_problem, usage_report

DAY = 86400


@dataclass(frozen=True)
class Chosen:
    """Which records: of jobs that ended from `start` until before `end` (seconds since 1970)."""

    project: str | None = None
    resource: str | None = None
    start: int | None = None
    end: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as conditions."""
        given = [
            None if self.project is None else usage.c.project_id == self.project,
            None if self.resource is None else usage.c.resource == self.resource,
            None if self.start is None else usage.c.ended >= self.start,
            None if self.end is None else usage.c.ended < self.end,
        ]
        return [one for one in given if one is not None]


def sums(connection: Connection, remote: str, by: Sequence[str], chosen: Chosen) -> list[Mapping[str, Any]]:
    """Number and charge of records by `project`, `resource` or `day` (of its end, in days since 1970), and state."""
    columns: dict[str, ColumnElement[Any]] = {
        "project": usage.c.project_id,
        "resource": usage.c.resource,
        "day": usage.c.ended.op("/")(DAY),
        "kind": usage.c.kind,
    }
    state = func.coalesce(usage_report.c.state, UNSENT)
    keys = [columns[name].label(name) for name in by]
    mine = and_(usage_report.c.remote == remote, usage_report.c.usage_id == usage.c.usage_id)
    grouped = [*(columns[name] for name in by), state]
    query = (
        select(*keys, state.label("state"), func.count().label("records"), func.sum(usage.c.charge).label("charge"))
        .select_from(usage.outerjoin(usage_report, mine))
        .where(*chosen.conditions())
        .group_by(*grouped)
        .order_by(*grouped)
    )
    return [{**row, "charge": int(row["charge"])} for row in connection.execute(query).mappings()]


def job_sums(connection: Connection, clusters: Sequence[str], chosen: Chosen) -> dict[str, tuple[int, int]]:
    """Of jobs: their number and CPU seconds, by account."""
    seconds = func.sum(usage.c.elapsed * usage.c.cpus)
    query = (
        select(usage.c.account, func.count(), seconds)
        .where(usage.c.kind == "job", usage.c.cluster.in_(clusters), *chosen.conditions())
        .group_by(usage.c.account)
    )
    return {account: (int(count), int(total)) for account, count, total in connection.execute(query)}


def problem_counts(connection: Connection) -> dict[str, int]:
    """How many rows could not be taken, by code."""
    query = select(usage_problem.c.code, func.count()).group_by(usage_problem.c.code).order_by(usage_problem.c.code)
    return {code: int(count) for code, count in connection.execute(query)}


def problems(connection: Connection, limit: int | None = None) -> list[Mapping[str, Any]]:
    """The rows that could not be taken, the newest first."""
    query = select(usage_problem).order_by(usage_problem.c.seen_at.desc(), usage_problem.c.key).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]
