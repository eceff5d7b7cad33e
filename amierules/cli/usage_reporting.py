"""`amierules usage`: what projects have used, collected, charged, and reported to the other side."""

import typer

from amierules.cli import usage_collect, usage_prune, usage_report, usage_status
from amierules.cli.ending import command

_HELP = """What projects have used: collect jobs, charge them by rules, report each once.

\b
  amierules usage collect --start "2 days"   jobs from Slurm into the ledger
  amierules usage status                     what is collected, sent, loaded, failed
  amierules usage report --dry-run           what would be sent
  amierules usage report                     send it
"""


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode="rich")
    group.command("collect", help=usage_collect.HELP)(command(usage_collect.collect))
    group.command("report", help=usage_report.REPORT)(command(usage_report.report))
    group.command("status", help=usage_status.HELP)(command(usage_status.status))
    group.command("adjust", help=usage_report.ADJUST)(command(usage_report.adjust_usage))
    group.command("retry", help=usage_report.RETRY)(command(usage_report.retry))
    group.command("prune", help=usage_prune.HELP)(command(usage_prune.prune))
    app.add_typer(group, name="usage")
