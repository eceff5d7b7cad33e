"""`amierules usage report`, `retry` and `adjust`: records to the other side, and what a person decides about them."""

from collections import Counter
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Annotated, Any

import typer

from amierules.cli.console import say, say_json, tell, tell_findings, wrapped
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat
from amierules.cli.usage_collect import progress
from amierules.cli.usage_site import open_usage_site
from amierules.cli.usage_table import table
from amierules.database import usage_reports
from amierules.diagnostics import ExitStatus, Finding, NotAllowed, printable
from amierules.usage.adjusting import Adjustment, adjust, types
from amierules.usage.charging import shown_units
from amierules.usage.packets import Reported, would_fail
from amierules.usage.records import TYPES, api_record, packet_fields
from amierules.usage.reporters import remote_name, reporter_of
from amierules.usage.retrying import Wish, retry_records, settle_request
from amierules.usage.site import UsageSite
from amierules.usage.windows import moment

REPORT = """Send what is unsent: each record once, whatever happens in between.

The configuration says how: as notify_project_usage packets in the AMIE database, or to the Usage API. First it looks
for what became of what was sent before; a request whose answer was lost is looked for before it is sent again.

\b
  amierules usage report --dry-run    totals, and the first records
  amierules usage report
  amierules usage report --limit 10   a few, to see whether all is well
  amierules usage report --follow     what became of what was sent
"""

RETRY = """Send records again that failed: they are charged anew by the present rules, and go with the next report.

\b
  amierules usage status --failed             which, and why
  amierules usage retry 17 18                 these
  amierules usage retry --all                 all that failed
  amierules usage retry --request 4 --taken   it was lost, and arrived
"""

ADJUST = f"""Give a project back what it was charged, or charge it by hand; it goes with the next report.

The type says in which direction: {", ".join(types())}. The amount is positive. --start selects the allocation; of a
refund it is when the job was submitted.

\b
  amierules usage adjust refund --project P-BIO --charge 12.5 \\
      --resource alpha.site.example --start 2026-03-01 \\
      --reason "node failure, job 4711"
"""

_FIRST = 3
_REASONS = 5
"""Reasons that are listed for people."""

DryRunOption = Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be sent; send nothing.")]


def report(
    dry_run: DryRunOption = False,
    follow: Annotated[bool, typer.Option("--follow", help="Send nothing; look what became of what was sent.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="At most so many records.")] = None,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """Send what is unsent."""
    if dry_run and follow:
        raise NotAllowed(Finding("usage", "--dry-run asks nobody, --follow does: give one of them"))
    with open_usage_site(config, create=False) as site:
        if dry_run:
            return _dry_run(site, format)
        with progress("reporting") as told:
            reporter = reporter_of(site, lambda records: told(f"{records:,} records"))
            done = reporter.follow() if follow else reporter.report(limit)
    tell_findings(done.notes)
    if format is OutputFormat.json:
        say_json({"format_version": 1, "remote": reporter.remote, **_counts(done)})
    else:
        _say(done, reporter.remote, follow)
    return ExitStatus.NEEDS_PERSON if done.failed or done.refused or done.notes else ExitStatus.OK


def _counts(done: Reported) -> dict[str, int]:
    return {
        "records": done.records,
        "requests": done.requests,
        "failed": done.failed,
        "loaded": done.loaded,
        "failed_later": done.refused,
    }


def _say(done: Reported, remote: str, follow: bool) -> None:
    earlier = [(done.loaded, "loaded"), (done.refused, "failed")]
    listed = [f"{count:,} {what}" for count, what in earlier if count]
    if listed:
        say(f"of what was sent before: {', '.join(listed)}")
    elif follow:
        say("nothing new of what was sent before")
    if follow:
        return
    if not done.records and not done.failed:
        say("nothing to send")
        return
    requests = f" in {done.requests:,} request{'s' * (done.requests != 1)}" if done.requests else ""
    say(f"sent {done.records:,} record{'s' * (done.records != 1)}{requests} to {remote}")
    if done.failed:
        say(f"{done.failed:,} failed: `amierules usage status --failed` says why")


def _dry_run(site: UsageSite, format: OutputFormat) -> ExitStatus:
    remote = remote_name(site)
    as_api = site.configuration.usage.report == "api"
    with site.database.read() as connection:
        sums = usage_reports.unsent_sums(connection, remote)
        records = usage_reports.unsent(connection, remote, 0, _FIRST)
    failing = Counter[str]()
    if not as_api:  # the API alone knows what it refuses
        with progress("looking") as told:
            failing = would_fail(site, remote, lambda count: told(f"{count:,} records"))
    status = ExitStatus.NEEDS_PERSON if failing else ExitStatus.OK
    shown: list[dict[str, Any]] = [
        {"UsageType": TYPES[one["kind"]], "Records": [api_record(one)]}
        if as_api
        else {"type": "notify_project_usage", "body": packet_fields(one, site.clock.now())}
        for one in records
    ]
    if format is OutputFormat.json:
        totals = [{**one, "charge": shown_units(one["charge"])} for one in sums]
        say_json({"format_version": 1, "remote": remote, "totals": totals, "would_fail": failing, "first": shown})
        return status
    if not sums:
        say("nothing to send")
        return ExitStatus.OK
    rows = [
        [one["project_id"], one["resource"], one["kind"], f"{one['records']:,}", shown_units(one["charge"])]
        for one in sums
    ]
    for line in table(["project", "resource", "kind", "records", "charge"], rows, right=(3, 4)):
        say(line)
    total = sum(one["records"] for one in sums)
    bad = failing.total()
    say(f"{total - bad:,} record{'s' * (total - bad != 1)} would be sent to {remote}")
    for reason, count in failing.most_common(_REASONS):
        say(f"{count:,} would fail: {printable(reason, 200)}")
    if len(failing) > _REASONS:
        say(f"{bad - sum(count for _, count in failing.most_common(_REASONS)):,} would fail for other reasons")
    say("the first of all:")
    for one in islice(shown, _FIRST):
        say_json(one)
    return status


def retry(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]...", help="Records, as `usage status --failed` numbers them.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that failed.")] = False,
    request: Annotated[
        int | None, typer.Option("--request", metavar="N", help="A request whose answer was lost; what is known of it:")
    ] = None,
    taken: Annotated[
        bool | None,
        typer.Option("--taken/--not-taken", help="Whether the other side has its records.", show_default=False),
    ] = None,
    config: ConfigOption = None,
) -> ExitStatus:
    """Send failed records again."""
    chosen = [bool(ids), all_, request is not None]
    if sum(chosen) != 1 or (request is not None) != (taken is not None):
        raise NotAllowed(Finding("usage", "name records, or --all, or --request N with --taken or --not-taken"))
    with open_usage_site(config, create=False) as site:
        if request is not None and taken is not None:
            count = settle_request(site, request, taken=taken)
            say(f"request {request}: {count:,} records {'were taken' if taken else 'go with the next report'}")
            return ExitStatus.OK
        done = retry_records(site, Wish(ids or None))
    tell_findings(done.findings)
    if done.released:
        say(
            wrapped(
                f"{done.released:,} record{'s' * (done.released != 1)}: sent again by the next `amierules usage report`"
            )
        )
    else:
        tell("no record is to be sent again")
    return ExitStatus.USAGE if done.findings else ExitStatus.OK


def adjust_usage(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help=f"One of {', '.join(types())}.")],
    project: Annotated[str, typer.Option("--project", "-p", metavar="ID", help="The project: its id or group.")],
    resource: Annotated[str, typer.Option("--resource", metavar="NAME", help="The resource, by its name in AMIE.")],
    charge: Annotated[str, typer.Option("--charge", metavar="UNITS", help="The amount, positive.")],
    start: Annotated[str, typer.Option("--start", metavar="WHEN", help="The moment that selects the allocation.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; it is sent as the comment.")],
    login: Annotated[str, typer.Option("--login", metavar="LOGIN", help="Whose; the PI's by default.")] = "",
    config: ConfigOption = None,
) -> ExitStatus:
    """Adjust a project's usage."""
    if not reason.strip():
        raise NotAllowed(Finding("usage", "--reason says why; it cannot be empty"))
    try:
        amount = Decimal(charge)
    except InvalidOperation:
        raise NotAllowed(Finding("usage", "--charge is a number of units, like 12.5")) from None
    with open_usage_site(config, create=True) as site:
        when = moment(start, site.configuration.usage.zone, site.clock.now(), option="--start")
        made = adjust(site, Adjustment(type_, project, resource, amount, when, reason, login))
    say(f"{made}: {type_} of {shown_units(amount)} for {project} on {resource}")
    tell("the next `amierules usage report` sends it")
    return ExitStatus.OK
