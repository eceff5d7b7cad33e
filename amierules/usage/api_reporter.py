"""Reporting to the Usage API: each request is noted before it is made, and what was lost is looked for."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from sqlalchemy import Connection

from amierules.database import usage_reports
from amierules.database.usage_lock import reporting_alone
from amierules.database.usage_reports import (
    DOUBTFUL,
    FAILED,
    LOADED,
    NOT_TAKEN,
    QUEUED,
    REFUSED,
    SENDING,
    TAKEN,
    UNSENT,
    Outcome,
    Record,
)
from amierules.diagnostics import Finding, Invalid, Severity, Unavailable
from amierules.ports.json_service import Patience
from amierules.ports.taking import NotTaken, SendingFault
from amierules.ports.taking import Refused as NeverTaken
from amierules.usage.api import Api, Told, moment_key
from amierules.usage.batching import Batch, batched
from amierules.usage.charging import shown_units, units
from amierules.usage.collecting import CrashPoint, Progress
from amierules.usage.packets import Reported
from amierules.usage.records import api_record
from amierules.usage.site import UsageSite

REMOTE = "usage-api"
_PAGE = 1000
Found = dict[int, Outcome]
"""What was found of records, by their usage_ids."""


class _Noted(NamedTuple):
    """A request, and its number in the database."""

    batch: Batch
    batch_id: int


class ApiReporter:
    """Reports to the Usage API."""

    remote = REMOTE

    def __init__(
        self,
        site: UsageSite,
        progress: Progress,
        crash_point: CrashPoint = lambda name: None,
        patience: Patience | None = None,
    ) -> None:
        """Raises `Invalid` where the configuration does not say where the API is."""
        section = site.configuration.usage.api
        if section is None:
            hint = 'add `usage: {report: api, api: {key: "{{ secret.usage_api }}"}}` to the configuration'
            raise Invalid(Finding("missing-key", "the configuration does not say where the Usage API is", hint=hint))
        self._site = site
        self._section = section
        self._progress = progress
        self._crash_point = crash_point
        self.api = Api(site.configuration, section, patience)

    def follow(self) -> Reported:
        """Looks for what became of lost requests and of what is queued. Raises `Unavailable`."""
        done = Reported()
        try:
            self._reconcile(done)
            self._follow_queued(done)
        except SendingFault as fault:
            raise Unavailable(_unreachable(fault)) from fault
        finally:
            self.api.close()
        return done

    def report(self, limit: int | None) -> Reported:
        """Sends what is unsent, at most so many records. Raises `Unavailable`; what was done before stays."""
        with reporting_alone(self._site.database), self._site.database.kept():
            done = self.follow()
            batches = batched(self._unsent(limit), self._section.records, self._section.size)
            try:
                noted = self._first(next(batches, None))
                while noted is not None:
                    noted = self._send(noted, next(batches, None), done)
            finally:
                self.api.close()
        return done

    def _first(self, batch: Batch | None) -> _Noted | None:
        if batch is None:
            return None
        with self._site.database.begin() as connection:
            return self._note(connection, batch)

    def _note(self, connection: Connection, batch: Batch) -> _Noted:
        return _Noted(batch, usage_reports.begin_batch(connection, REMOTE, batch.records, self._site.now()))

    def _unsent(self, limit: int | None) -> Iterator[Record]:
        after, left = 0, limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            with self._site.database.read() as connection:
                records = usage_reports.unsent(connection, REMOTE, after, size)
            if not records:
                return
            yield from records
            after = records[-1]["usage_id"]
            left = None if left is None else left - len(records)

    def _send(self, noted: _Noted, following: Batch | None, done: Reported) -> _Noted | None:
        """Sends a request. The next one, noted in the commit that records the answer; None where none makes sense.

        Raises `Unavailable`.
        """
        database, now = self._site.database, self._site.now()
        batch, batch_id = noted
        self._crash_point("before a request")
        try:
            refused = self.api.post(batch.body)
        except NeverTaken as fault:
            self._end(batch_id, REFUSED, FAILED, str(fault))
            done.failed += len(batch.records)
            done.notes.append(Finding("usage-refused", f"a request was refused as a whole: {fault}"))
            return None
        except NotTaken as fault:
            self._end(batch_id, NOT_TAKEN, UNSENT, str(fault))
            raise Unavailable(_unreachable(fault)) from fault
        except SendingFault as fault:
            self._end(batch_id, DOUBTFUL, SENDING, str(fault))
            raise Unavailable(_lost(len(batch.records), fault)) from fault
        self._crash_point("after a request")
        found = _matched(batch.records, refused, FAILED)
        with database.begin() as connection:
            usage_reports.settle(connection, REMOTE, found, now)
            usage_reports.set_batch_records(connection, batch_id, QUEUED, None, now)
            usage_reports.end_batch(connection, batch_id, TAKEN, None, now)
            next_one = None if following is None else self._note(connection, following)
            self._crash_point("in the commit of a request's answer")
        if len(found) < len(refused):
            text = f"{len(refused) - len(found)} records that were refused are none of this request"
            done.notes.append(Finding("usage-unknown-record", text, severity=Severity.WARNING))
        done.records += len(batch.records) - len(found)
        done.failed += len(found)
        done.requests += 1
        self._progress(done.records)
        return next_one

    def _end(self, batch_id: int, state: str, records: str, reason: str) -> None:
        now = self._site.now()
        with self._site.database.begin() as connection:
            usage_reports.set_batch_records(connection, batch_id, records, reason, now)
            usage_reports.end_batch(connection, batch_id, state, reason, now)

    def _reconcile(self, done: Reported) -> None:
        """Of requests without an answer: taken, where the API knows any of their records; else they wait.

        A request is taken whole or not at all. What nobody has seen after the time that the configuration gives, by an
        API that tells what is loaded, was not taken.
        """
        with self._site.database.read() as connection:
            lost = usage_reports.batches(connection, REMOTE, (SENDING, DOUBTFUL))
        for batch in lost:
            with self._site.database.read() as connection:
                records = usage_reports.batch_records(connection, batch["batch_id"])
            seen, can_tell = self._seen(records)
            if seen:
                self._end(batch["batch_id"], TAKEN, QUEUED, "the answer was lost; the API has its records")
            elif can_tell and self._site.now() - batch["sent_at"] > self._section.settle:
                self._end(
                    batch["batch_id"], NOT_TAKEN, UNSENT, "the answer was lost; the API knows none of its records"
                )
            else:
                self._end(batch["batch_id"], DOUBTFUL, SENDING, batch["reason"] or "it ended before the answer came")
                done.notes.append(_waiting(batch, can_tell))

    def _seen(self, records: Sequence[Record]) -> tuple[bool, bool]:
        """Whether the API knows any of these records; and whether it tells of all that it has loaded."""
        if _matched(records, [*self.api.failed(), *self.api.errors()], FAILED):
            return True, True
        loaded = self.api.loaded(str(api_record(records[0])["LocalRecordID"])) if records else None
        if loaded is None:
            return False, False
        return bool(_matched(records, loaded, LOADED)), True

    def _follow_queued(self, done: Reported) -> None:
        if not self._is_queued():
            return
        done.refused += self._settled(chain(self.api.failed(), self.api.errors()), FAILED)
        loaded = self.api.loaded()
        if loaded is not None:
            done.loaded += self._settled(loaded, LOADED)

    def _is_queued(self) -> bool:
        with self._site.database.read() as connection:
            return usage_reports.is_any(connection, REMOTE, QUEUED)

    def _settled(self, told: Iterable[Told], state: str) -> int:
        """Gives queued records the state that is told of them, piece by piece; how many."""
        configuration = self._site.configuration
        clusters = {str(one["cluster"]) for one in configuration.resources.values() if "cluster" in one}
        places = sorted({*clusters, *configuration.usage.clusters, *configuration.resources})
        count = 0
        for some in _parts(told):
            ids = [one.usage_id for one in some if one.usage_id is not None]
            jobs = {name for one in some for name in (one.key[1], one.key[1].rpartition(".")[0]) if name}
            with self._site.database.begin() as connection:
                records = usage_reports.on_their_way(connection, REMOTE, ids, places, sorted(jobs))
                found = _matched(records, some, state)
                usage_reports.settle(connection, REMOTE, found, self._site.now())
            count += len(found)
            if not self._is_queued():
                break
        return count


def _parts(told: Iterable[Told]) -> Iterator[list[Told]]:
    rest = iter(told)
    while some := list(islice(rest, _PAGE)):
        yield some


def _matched(records: Iterable[Record], told: Iterable[Told], state: str) -> Found:
    """What is told of these records, by LocalReference, else by resource, id and moment."""
    rest = iter(told)
    first = next(rest, None)
    if first is None:
        return {}
    by_id = {one["usage_id"]: one for one in records}
    by_key = {_key(one): usage_id for usage_id, one in by_id.items()}
    found: Found = {}
    for one in chain([first], rest):
        usage_id = one.usage_id if one.usage_id in by_id else by_key.get(one.key)
        if usage_id is None or (one.usage_id in by_id and one.key[1] != _key(by_id[usage_id])[1]):
            continue
        reason = one.reason if state == FAILED else _other_charge(one, by_id[usage_id])
        found[usage_id] = (state, reason, one.remote_id)
    return found


def _key(record: Record) -> tuple[str, str, str]:
    written = api_record(record)
    moment = written.get("SubmitTime") or written.get("CollectionTime") or written["StartTime"]
    return written["Resource"], written["LocalRecordID"], moment_key(moment)


def _other_charge(told: Told, record: Record) -> str | None:
    if told.charge is None or told.charge == units(record["charge"]):
        return None
    return f"it was loaded with the charge {shown_units(told.charge)} instead of {shown_units(record['charge'])}"


def _unreachable(fault: SendingFault) -> Finding:
    return Finding("usage-api", f"the Usage API did not take it: {fault}", hint="nothing is lost: report again later")


def _lost(records: int, fault: SendingFault) -> Finding:
    message = f"nobody knows whether the Usage API took a request of {records} records: {fault}"
    return Finding(
        "usage-lost-answer", message, hint="the next `usage report` looks for them before they are sent again"
    )


def _waiting(batch: Record, can_tell: bool) -> Finding:
    message = (
        f"the answer to request {batch['batch_id']} of {batch['records']} records was lost, and they are not seen yet"
    )
    hint = "they are looked for by the next `usage report`"
    if not can_tell:
        hint = (
            f"ask the other side, then `amierules usage retry --request {batch['batch_id']} --taken` or `--not-taken`"
        )
    return Finding("usage-lost-answer", message, hint=hint, severity=Severity.WARNING)
