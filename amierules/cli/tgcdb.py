"""`amierules tgcdb`: the test central database."""

import typer

from amierules.cli.ending import command
from amierules.cli.tgcdb_certify import CERTIFY_HELP, certify
from amierules.cli.tgcdb_report import REPORT_HELP, SCENARIOS_HELP, list_scenarios, report
from amierules.cli.tgcdb_run import RUN_HELP, run


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode="rich")
    group.command("run", help=RUN_HELP)(command(run))
    group.command("scenarios", help=SCENARIOS_HELP)(command(list_scenarios))
    group.command("report", help=REPORT_HELP)(command(report))
    group.command("certify", help=CERTIFY_HELP)(command(certify))
    app.add_typer(group, name="tgcdb")


_HELP = """Play the central database (TGCDB) for a site, and judge what the site answers.

It sends made-up projects and people, holds each reply against the numbered rules of the protocol, and goes on as the
central database would. It listens on this host alone and never talks to ACCESS.

\b
  amierules tgcdb scenarios                     what it can send
  amierules tgcdb run --scenario known_person   send it
  amierules tgcdb report                        was each reply right?
  amierules tgcdb certify                       are these rules ready for production?
"""
