"""`amierules dry-run`: what a run would do; nothing is changed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
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
from amierules.ports.cluster import ClusterNodes


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
    tally = _Tally()
    with open_site(config, create=False, nodes=ClusterNodes()) as site:
        planner = Planner(site)
        plans: list[Iterator[PacketReport]] = []
        findings: list[Finding] = []
        if packet:
            found, findings = packets_of(site, [(str(file), read_file(file)) for file in packet], None)
            tell_findings(findings)
            plans.append(planner.given([one for _file, one in found]))
        if ids or not packet:
            plans.append(planner.waiting(packet_ids(site, ids) if ids else None))
        reports = tally.counted(chain.from_iterable(plans))
        if format is OutputFormat.json:
            say_json(as_json(reports))
        for report in reports:
            _show(report)
    if format is OutputFormat.text and (tally.packets or not packet):
        tell(tally.summary() if tally.packets else "no packets wait")
    refused = any(finding.severity is Severity.ERROR for finding in findings)
    return tally.status(refused, detailed_exitcode)


def _show(report: PacketReport) -> None:
    for line in as_lines(report, paint, terminal_width()):
        say(line)
    say()


@dataclass
class _Tally:
    """What the plans come to; of many packets nobody keeps the plans themselves."""

    packets: int = 0
    changes: int = 0
    replies: int = 0
    messages: int = 0
    parked: int = 0
    pending: bool = False

    def counted(self, reports: Iterable[PacketReport]) -> Iterator[PacketReport]:
        """The same plans, which it counts as they go by."""
        for report in reports:
            self._count(report)
            yield report

    def _count(self, report: PacketReport) -> None:
        kind, changes = report.decision.kind, sum(len(step.changes) for step in report.steps)
        self.packets += 1
        self.changes += changes
        self.replies += kind in ("reply", "fail")
        self.messages += len(report.messages)
        self.parked += kind == "park"
        self.pending = self.pending or changes > 0 or kind in ("reply", "fail", "complete", "ignore")

    def summary(self) -> str:
        """The last line for people."""
        messages = f", {_several(self.messages, 'message')}" if self.messages else ""
        replies = f"{self.replies} repl{'y' if self.replies == 1 else 'ies'}"
        changes = _several(self.changes, "change")
        return f"{_several(self.packets, 'packet')}: {changes}, {replies}{messages}. Nothing was changed."

    def status(self, refused: bool, detailed: bool) -> ExitStatus:
        """How the command ends."""
        statuses = [ExitStatus.INVALID] if self.parked or refused else []
        statuses += [ExitStatus.CHANGES] if detailed and self.pending else []
        return first_that_applies(statuses)


def _several(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
