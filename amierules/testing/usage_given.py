"""What a usage test gives, as the lines of a file that `usage collect` would read: with all that a job has."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from amierules.diagnostics import Finding, Place
from amierules.rulebook.configuration import Configuration
from amierules.testing.model import CannotBePlayed
from amierules.usage.fields import RAW
from amierules.usage.fields import STORAGE as STORAGE_FIELDS
from amierules.usage.jobs import JobReader, whole
from amierules.usage.problem import Refusal
from amierules.usage.sources import Rows, json_rows

_HOUR = 3600
_MORE = "more"


class Filler:
    """Fills in what a test does not say; `place` is the test's."""

    def __init__(self, configuration: Configuration, now: datetime, place: Place) -> None:
        self._configuration = configuration
        self._now = int(now.timestamp())
        self._place = place
        self._reader = JobReader((), 0, self._now, zone=configuration.usage.zone)

    def jobs(self, given: Sequence[Mapping[str, Any]]) -> Rows:
        """Jobs as a source's rows. Raises `CannotBePlayed`."""
        filled = [self._job(number, one) for number, one in enumerate(given, 1)]
        return _rows(filled, [raw.name for raw in RAW], self._configuration.usage.fields, "jobs")

    def storage(self, given: Sequence[Mapping[str, Any]]) -> Rows:
        """Storage measurements as a source's rows. Raises `CannotBePlayed`."""
        filled = [
            {"time": self._now, **one, "resource": one["resource"] if "resource" in one else self.resource()}
            for one in given
        ]
        return _rows(filled, list(STORAGE_FIELDS), (), "storage")

    def resource(self) -> str:
        """The resource of what names none. Raises `CannotBePlayed`."""
        return self._only([*self._configuration.resources], "resource")

    def moment(self, text: object) -> int:
        """The moment that a test writes, else the clock. Raises `CannotBePlayed`."""
        if text is None:
            return self._now
        try:
            return self._reader.moment(str(text))
        except Refusal as refusal:
            raise CannotBePlayed([Finding("bad-value", refusal.reason, self._place)]) from refusal

    def _job(self, number: int, given: Mapping[str, Any]) -> dict[str, Any]:
        started, ended = (self._seconds(given.get(name)) for name in ("started", "ended"))
        ran = self._ran(given.get("elapsed"))
        if ended is None:
            ended = self._now if started is None else started + ran
        if started is None:
            started = ended - ran
        job = {
            "job_id": number,
            "partition": "main",
            "qos": "normal",
            "state": "COMPLETED",
            "submitted": given.get("started", started),
            "started": started,
            "ended": ended,
            "time_limit": "UNLIMITED",
            "nodes": 1,
            "cpus": 1,
            "exit_code": "0:0",
            "name": "job",
            **given,
            "tres": _tres(given),
        }
        return job if "cluster" in given else {**job, "cluster": self._cluster()}

    def _cluster(self) -> str:
        named = {str(one["cluster"]): None for one in self._configuration.resources.values() if "cluster" in one}
        return self._only([*named], "cluster")

    def _only(self, names: Sequence[str], what: str) -> str:
        if len(names) == 1:
            return names[0]
        message = f"the configuration has {len(names)} {what}s" if names else f"the configuration has no {what}"
        raise CannotBePlayed([Finding("missing-key", message, self._place, f"say which with '{what}'")])

    def _seconds(self, text: object) -> int | None:
        """A moment; None where there is none: what is wrong with it, collecting says."""
        try:
            return None if text is None else self._reader.moment(str(text))
        except Refusal:
            return None

    def _ran(self, text: object) -> int:
        try:
            return _HOUR if text is None else whole(str(text), "elapsed", clock=True)
        except Refusal:
            return _HOUR


def _tres(job: Mapping[str, Any]) -> str:
    given = job.get("tres", {})
    if isinstance(given, str):
        return given
    cpus, nodes = (str(job.get(name, 1)) for name in ("cpus", "nodes"))
    had = {"billing": cpus, "cpu": cpus, "mem": "0M", "node": nodes}
    usual = {name: amount for name, amount in had.items() if amount.isdecimal() or name == "mem"}
    return ",".join(f"{name}={amount}" for name, amount in {**usual, **given}.items())


def _rows(given: Sequence[Mapping[str, Any]], names: Sequence[str], named: Sequence[str], where: str) -> Rows:
    further = list(dict.fromkeys([*named, *(name for one in given for name in one.get(_MORE, {}))]))
    lines = "".join(json.dumps({**one.get(_MORE, {}), **one}) + "\n" for one in given)
    return json_rows([lines.encode()], {}, names, further, where)
