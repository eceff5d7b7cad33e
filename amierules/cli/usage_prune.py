"""`amierules usage prune`: the ledger forgets what is settled."""

from datetime import timedelta
from typing import Annotated

import typer

from amierules.cli.console import say
from amierules.cli.options import ConfigOption
from amierules.cli.spans import so_long_ago
from amierules.cli.usage_site import open_usage_site
from amierules.database.usage_pruning import prune_usage
from amierules.diagnostics import ExitStatus
from amierules.usage.reporters import remote_name
from amierules.usage.windows import shown

HELP = """Forget records that ended long ago and that the other side has loaded, with the requests that they went in.

What is unsent, failed or on its way stays, at every remote. Nothing that ended before the moment up to which the ledger
was pruned is collected any more, so that nothing is sent twice.

\b
  amierules usage prune --dry-run           how much would be forgotten
  amierules usage prune --older-than 1095d
  amierules usage prune --taken             where `loaded` is never said
"""


def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="DURATION", help="Only what ended so long ago.")
    ] = "730d",
    taken: Annotated[
        bool, typer.Option("--taken", help="Also what was sent, and of which the other side says no more.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    config: ConfigOption = None,
) -> ExitStatus:
    """Prune the ledger."""
    with open_usage_site(config, create=False) as site:
        before = int(so_long_ago(older_than, site.clock.now(), at_least=timedelta(days=1)).timestamp())
        found = prune_usage(site.database, remote_name(site), before, taken=taken, dry_run=dry_run)
    verb = "would be forgotten" if dry_run else "forgotten"
    requests = "" if dry_run else f" and {found.requests:,} requests"
    say(f"{verb}: {found.records:,} records{requests} that ended before {shown(before)}")
    return ExitStatus.OK
