"""`amierules dry-run`: what a run would do; nothing is changed."""

from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import paint, say, say_json, tell, tell_findings, terminal_width
from amierules.cli.ending import command
from amierules.cli.load import read_file
from amierules.cli.opening import open_site, packet_ids
from amierules.cli.options import ConfigOption, FormatOption, IdsArgument, OutputFormat
from amierules.cli.plan_text import as_lines
from amierules.diagnostics import ExitStatus, Finding, Severity, first_that_applies
from amierules.engine.decision import PacketReport
from amierules.engine.loading import packets_of
from amierules.engine.plan_json import as_json
from amierules.engine.planning import Planner


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("dry-run", help=_HELP)(command(dry_run))


_HELP = """Show what a run would do with the packets that wait, or with packets in files. Changes nothing.

Each packet is planned against the present state, in the order in which a run would take them. What exists only after
an earlier change is shown as (known after STEP).

\b
  amierules dry-run                       all that waits
  amierules dry-run 17 r:233497907        these packets
  amierules dry-run --packet packet.json  packets in a file
"""


def dry_run(
    ids: IdsArgument = None,
    packet: Annotated[
        list[Path] | None,
        typer.Option("--packet", "-p", metavar="FILE", help="Plan the packets in this JSON file; - is standard input."),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="End with 10 where changes are pending.")
    ] = False,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """Plan packets; invalid if one has no valid plan."""
    with open_site(config, create=False) as site:
        planner = Planner(site, on_packet=_show if format is OutputFormat.text else lambda report: None)
        findings: list[Finding] = []
        reports: list[PacketReport] = []
        if packet:
            found, findings = packets_of(site, [(str(file), read_file(file)) for file in packet], None)
            tell_findings(findings)
            reports = planner.given([one for _file, one in found])
        if ids or not packet:
            reports += planner.waiting(packet_ids(site, ids) if ids else None)
    if format is OutputFormat.json:
        say_json(as_json(reports))
    elif not reports and not packet:
        tell("no packets wait")
    else:
        _summary(reports)
    refused = any(finding.severity is Severity.ERROR for finding in findings)
    return _status(reports, refused, detailed_exitcode)


def _show(report: PacketReport) -> None:
    for line in as_lines(report, paint, terminal_width()):
        say(line)
    say()


def _summary(reports: list[PacketReport]) -> None:
    changes = sum(len(step.changes) for report in reports for step in report.steps)
    replies = sum(1 for report in reports if report.decision.kind in ("reply", "fail"))
    messages = sum(len(report.messages) for report in reports)
    told = f", {messages} message{'s' * (messages != 1)}" if messages else ""
    if not reports:
        return
    tell(
        f"{len(reports)} packet{'s' * (len(reports) != 1)}: {changes} change{'s' * (changes != 1)}, "
        f"{replies} repl{'y' if replies == 1 else 'ies'}{told}. Nothing was changed."
    )


def _status(reports: list[PacketReport], refused: bool, detailed: bool) -> ExitStatus:
    statuses = [ExitStatus.INVALID for report in reports if report.decision.kind == "park"]
    statuses += [ExitStatus.INVALID] if refused else []
    acting = ("reply", "fail", "complete", "ignore")
    pending = any(report.decision.kind in acting or any(step.changes for step in report.steps) for report in reports)
    statuses += [ExitStatus.CHANGES] if detailed and pending else []
    return first_that_applies(statuses)
