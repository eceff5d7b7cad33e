"""What a person decides about records: failed ones go again, lost requests were taken or not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from amierules.database import usage_ledger, usage_reports
from amierules.database.usage_lock import reporting_alone
from amierules.database.usage_reports import DOUBTFUL, FAILED, NOT_TAKEN, QUEUED, SENDING, TAKEN, UNSENT, Record
from amierules.diagnostics import Finding, NotAllowed, Unavailable
from amierules.ports.taking import SendingFault
from amierules.usage.api import Api
from amierules.usage.charging import Charger, Ignored
from amierules.usage.collecting import JOB
from amierules.usage.fields import COLUMNS
from amierules.usage.people import Book
from amierules.usage.problem import Refusal
from amierules.usage.reporters import remote_name
from amierules.usage.site import UsageSite
from amierules.usage.values import Functions


@dataclass(frozen=True)
class Wish:
    """Which records; all that failed where none are named."""

    ids: Sequence[int] | None


@dataclass
class Retried:
    """What came of it."""

    released: int = 0
    findings: list[Finding] = field(default_factory=list)


def retry_records(site: UsageSite, wish: Wish) -> Retried:
    """Makes failed records unsent again, charged anew. Raises `Unavailable`."""
    done = Retried()
    remote = remote_name(site)
    with reporting_alone(site.database):
        with site.database.read() as connection:
            failed = usage_reports.in_state(connection, remote, (FAILED,))
            book = Book.read(connection)
        chosen = [one for one in failed if wish.ids is None or one["usage_id"] in wish.ids]
        known = {one["usage_id"] for one in chosen}
        for missing in sorted(set(wish.ids or ()) - known):
            done.findings.append(Finding("not-allowed", f"record {missing} has not failed at {remote}"))
        _forget_there(site, chosen)
        rows = []
        configuration = site.configuration
        functions = Functions(site.rules.variables, configuration.settings, configuration.resources)
        charger = Charger(site.rules.jobs, functions, book, configuration)
        for one in chosen:
            if one["kind"] != JOB:
                continue
            job = tuple(one[name] for name in COLUMNS)
            try:
                rows.append([JOB, *job, *charger.job(job), one["collected_at"]])
            except (Refusal, Ignored) as reason:
                known.discard(one["usage_id"])
                done.findings.append(Finding("not-allowed", f"record {one['usage_id']}: {reason}"))
        with site.database.kept(), site.database.begin() as connection:
            done.released = usage_reports.release(connection, remote, sorted(known), (FAILED,), site.now())
            if rows:
                usage_ledger.LedgerWriter(connection).take(connection, rows)
    return done


def _forget_there(site: UsageSite, chosen: Sequence[Record]) -> None:
    remote_ids = [str(one["remote_id"]) for one in chosen if one["remote_id"] is not None]
    section = site.configuration.usage.api
    if not remote_ids or section is None or site.configuration.usage.report != "api":
        return
    api = Api(site.configuration, section)
    try:
        api.forget_failed(remote_ids)
    except SendingFault as fault:
        message = f"the Usage API cannot clear the failed records: {fault}"
        raise Unavailable(Finding("usage-api", message, hint="nothing is lost: try again later")) from fault
    finally:
        api.close()


def settle_request(site: UsageSite, batch_id: int, *, taken: bool) -> int:
    """Says of a request whose answer was lost whether it was taken; of how many records. Raises `NotAllowed`."""
    remote = remote_name(site)
    with reporting_alone(site.database), site.database.begin() as connection:
        lost = {one["batch_id"] for one in usage_reports.batches(connection, remote, (SENDING, DOUBTFUL))}
        if batch_id not in lost:
            hint = "`amierules usage status` names the requests whose answers were lost"
            raise NotAllowed(Finding("not-allowed", f"there is no request {batch_id} whose answer was lost", hint=hint))
        reason = f"{site.who} says that it was {'' if taken else 'not '}taken"
        count = usage_reports.set_batch_records(connection, batch_id, QUEUED if taken else UNSENT, reason, site.now())
        usage_reports.end_batch(connection, batch_id, TAKEN if taken else NOT_TAKEN, reason, site.now())
    return count
