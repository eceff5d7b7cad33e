"""`amierules usage status`: what was collected, sent, loaded and failed, and how it compares with Slurm."""

import csv
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from amierules.cli.console import paint, say, say_json, tell, terminal_width, wrapped
from amierules.cli.options import ConfigOption
from amierules.cli.usage_collect import progress
from amierules.cli.usage_compare import as_json as comparison_as_json
from amierules.cli.usage_compare import compared, say_comparison
from amierules.cli.usage_site import open_usage_site
from amierules.cli.usage_table import table
from amierules.database import usage_reports, usage_runs
from amierules.database.usage_reports import DOUBTFUL, FAILED, SENDING, STATES
from amierules.database.usage_sums import DAY, Chosen, problem_counts, problems, sums
from amierules.diagnostics import ExitStatus, Finding, NotAllowed, printable
from amierules.diagnostics.suggest import hint_for
from amierules.ports import LocalProcesses
from amierules.usage import drawing
from amierules.usage.charging import shown_units, units
from amierules.usage.charts import bars
from amierules.usage.problem import CODES
from amierules.usage.reporters import remote_name
from amierules.usage.site import UsageSite
from amierules.usage.windows import moment, shown

HELP = """What is collected, sent, loaded and failed, by project and resource.

\b
  amierules usage status                    sums
  amierules usage status --by day           by day
  amierules usage status --problems         what could not be taken
  amierules usage status --failed           what was not accepted
  amierules usage status --compare --start "7 days"
  amierules usage status --chart            bars, day by day
  amierules usage status --plot usage.svg   a picture (.svg or .png)

--compare puts sacct's own sums beside those of the ledger, and says why they differ.

Ends with 3 if something needs a person: records that failed, rows that could not be taken, an answer that was lost.
"""

_BY = ("project", "resource", "day", "kind")


class StatusFormat(StrEnum):
    """How the sums are printed."""

    text = "text"
    json = "json"
    csv = "csv"


def status(
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="WHAT", help=f"{', '.join(_BY)}; repeatable.", show_default=False),
    ] = None,
    project: Annotated[str | None, typer.Option("--project", "-p", metavar="ID", help="Only this ProjectID.")] = None,
    resource: Annotated[str | None, typer.Option("--resource", metavar="NAME", help="Only this resource.")] = None,
    start: Annotated[str | None, typer.Option("--start", "-s", metavar="WHEN", help="What ended from then on.")] = None,
    end: Annotated[str | None, typer.Option("--end", "-e", metavar="WHEN", help="What ended before then.")] = None,
    show_problems: Annotated[bool, typer.Option("--problems", help="List what could not be taken.")] = False,
    show_failed: Annotated[bool, typer.Option("--failed", help="List the records that failed.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Beside what sacct says of the same time.")] = False,
    chart: Annotated[bool, typer.Option("--chart", help="Bars of the charge, day by day.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw usage by project over time: .svg or .png.")
    ] = None,
    config: ConfigOption = None,
    format: Annotated[
        StatusFormat, typer.Option("--format", "-f", help="text for people, json for scripts, csv for spreadsheets.")
    ] = StatusFormat.text,
) -> ExitStatus:
    """What became of usage."""
    keys = [_known(one) for one in by or ("project", "resource")]
    if plot is not None:
        drawing.check_path(plot)
    with open_usage_site(config, create=False) as site:
        remote = remote_name(site)
        chosen = _chosen(site, project, resource, start, end)
        report = _report(site, remote, keys, chosen)
        if show_problems or show_failed:
            listed = _listed(site, remote, show_problems, show_failed)
            _say_listed(listed, format)
            return _ending(report)
        comparison = None
        if compare:
            with progress("comparing") as told:
                comparison = compared(site, chosen, lambda rows: told(f"{rows:,} rows"))
        by_day = _by_day(site, remote, chosen) if chart or plot is not None else []
    if plot is not None:
        drawing.draw(by_day, plot, f"usage of {site.configuration.site_name} by project", LocalProcesses())
        tell(f"drawn: {printable(plot)}")
    if format is StatusFormat.json:
        data = {**report, "comparison": None if comparison is None else comparison_as_json(comparison)}
        say_json({"format_version": 1, **data})
    elif format is StatusFormat.csv:
        _say_csv(keys, report["sums"])
    else:
        _say(keys, report)
        if comparison is not None:
            say_comparison(comparison)
        if chart:
            _say_chart(by_day)
    return _ending(report)


def _known(word: str) -> str:
    if word not in _BY:
        hint = hint_for(word, _BY) or f"possible: {', '.join(_BY)}"
        raise NotAllowed(Finding("usage", f"--by: there is no '{printable(word, 40)}'", hint=hint))
    return word


def _chosen(site: UsageSite, project: str | None, resource: str | None, start: str | None, end: str | None) -> Chosen:
    zone, now = site.configuration.usage.zone, site.clock.now()
    since = None if start is None else moment(start, zone, now, option="--start")
    until = None if end is None else moment(end, zone, now, option="--end")
    return Chosen(project, resource, since, until)


def _report(site: UsageSite, remote: str, keys: Sequence[str], chosen: Chosen) -> dict[str, Any]:
    with site.database.read() as connection:
        rows = sums(connection, remote, keys, chosen)
        lost = usage_reports.batches(connection, remote, (SENDING, DOUBTFUL))
        last = usage_runs.last(connection)
        counts = problem_counts(connection)
    shown_rows = [
        {
            **{key: _day(row["day"]) if key == "day" else row[key] for key in keys},
            "state": row["state"],
            "records": row["records"],
            "charge": shown_units(row["charge"]),
        }
        for row in rows
    ]
    requests = [
        {"request": one["batch_id"], "records": one["records"], "sent_at": shown(one["sent_at"])} for one in lost
    ]
    return {
        "remote": remote,
        "sums": shown_rows,
        "problems": counts,
        "lost_requests": requests,
        "last_collection": None if last is None else _collection(last),
    }


def _collection(last: Mapping[str, Any]) -> dict[str, Any]:
    window = [last["window_start"], last["window_end"]]
    return {
        "source": last["source"],
        "began_at": shown(last["began_at"]),
        "window": None if None in window else [shown(one) for one in window],
        "complete": last["finished_at"] is not None,
    }


def _day(days: int) -> str:
    return shown(int(days) * DAY)[:10]


def _ending(report: Mapping[str, Any]) -> ExitStatus:
    failed = any(row["state"] == FAILED for row in report["sums"])
    return ExitStatus.NEEDS_PERSON if failed or report["problems"] or report["lost_requests"] else ExitStatus.OK


def _say(keys: Sequence[str], report: Mapping[str, Any]) -> None:
    grouped: defaultdict[tuple[str, ...], dict[str, tuple[int, Decimal]]] = defaultdict(dict)
    for row in report["sums"]:
        found = row["records"], Decimal(row["charge"])
        grouped[tuple(row[key] for key in keys)][row["state"]] = found
    if not grouped:
        tell(
            "no record is in the ledger"
            if report["last_collection"]
            else "nothing is collected yet: `amierules usage collect`"
        )
    else:
        states = [state for state in STATES if any(state in found for found in grouped.values())]
        grouped[("total", *[""] * (len(keys) - 1))] = _total(grouped.values())
        rows = [_line(names, found, states) for names, found in grouped.items()]
        for line in table(
            [*keys, "records", "charge", *states], rows, right=range(len(keys), len(keys) + 2 + len(states))
        ):
            say(line)
    for code, count in report["problems"].items():
        say(paint(f"{count:,} not taken: {CODES.get(code, code)}", "bad"))
    if report["problems"]:
        tell("`amierules usage status --problems` lists them")
    for request in report["lost_requests"]:
        text = f"the answer to request {request['request']} of {request['records']:,} records was lost"
        say(paint(wrapped(f"{text}: `amierules usage report` looks for them"), "bad"))
    last = report["last_collection"]
    if last is not None:
        window = f", {last['window'][0]} to {last['window'][1]}" if last["window"] else ""
        unread = "" if last["complete"] else ": not all was read"
        tell(f"last collected from {printable(last['source'], 60)}{window}{unread}")


def _total(found: Any) -> dict[str, tuple[int, Decimal]]:
    total: dict[str, tuple[int, Decimal]] = {}
    for states in found:
        for state, (records, charge) in states.items():
            before = total.get(state, (0, Decimal(0)))
            total[state] = before[0] + records, before[1] + charge
    return total


def _line(names: Sequence[str], found: Mapping[str, tuple[int, Decimal]], states: Sequence[str]) -> list[str]:
    records = sum(count for count, _ in found.values())
    charge = sum((amount for _, amount in found.values()), Decimal(0))
    return [
        *names,
        f"{records:,}",
        shown_units(charge),
        *(f"{found[one][0]:,}" if one in found else "" for one in states),
    ]


def _say_csv(keys: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    columns = [*keys, "state", "records", "charge"]
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _listed(site: UsageSite, remote: str, with_problems: bool, with_failed: bool) -> dict[str, list[dict[str, Any]]]:
    listed: dict[str, list[dict[str, Any]]] = {}
    with site.database.read() as connection:
        if with_problems:
            listed["problems"] = [
                {
                    **{
                        key: one[key]
                        for key in ("source", "place", "code", "reason", "cluster", "job_id", "account", "line")
                    },
                    "seen_at": shown(one["seen_at"]),
                }
                for one in problems(connection)
            ]
        if with_failed:
            listed["failed"] = [
                {
                    "id": one["usage_id"],
                    **{key: one[key] for key in ("cluster", "job_id", "project_id", "resource", "username", "reason")},
                    "charge": shown_units(one["sent_charge"]),
                }
                for one in usage_reports.in_state(connection, remote, (FAILED,))
            ]
    return listed


def _say_listed(listed: Mapping[str, Sequence[Mapping[str, Any]]], format: StatusFormat) -> None:
    if format is StatusFormat.json:
        say_json({"format_version": 1, **listed})
        return
    for what, rows in listed.items():
        if format is StatusFormat.csv and rows:
            writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        elif not rows:
            tell("nothing has failed" if what == "failed" else "all rows could be taken")
        for one in rows if format is StatusFormat.text else ():
            head = f"{one['id']:>6} " if "id" in one else f"{one['source']} {one['place']}"
            about = f" job {one['job_id']}" if one["job_id"] else ""
            say(wrapped(printable(f"{head}{about}: {one['reason']}", 10_000)))


def _by_day(site: UsageSite, remote: str, chosen: Chosen) -> list[Mapping[str, Any]]:
    with site.database.read() as connection:
        return sums(connection, remote, ("project", "day"), chosen)


def _say_chart(rows: Sequence[Mapping[str, Any]]) -> None:
    by_day: defaultdict[int, int] = defaultdict(int)
    for row in rows:
        by_day[int(row["day"])] += row["charge"]
    days = range(min(by_day), max(by_day) + 1) if by_day else ()
    values = {_day(day): units(by_day.get(day, 0)) for day in days}
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    for line in bars(values, terminal_width(), {day: shown_units(value) for day, value in values.items()}, plain=plain):
        say(line)
