"""Opening a site for the commands of `usage`: configuration, usage rules, database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amierules.cli.console import tell_findings
from amierules.cli.opening import configuration_of, who
from amierules.database.connection import Database
from amierules.diagnostics import Invalid
from amierules.ports import SystemClock
from amierules.rulebook.configuration import Configuration
from amierules.templating import Environment
from amierules.usage.model import UsageRules
from amierules.usage.rules import find_usage_file, load_usage_rules, no_usage_rules
from amierules.usage.site import UsageSite


def usage_rules_of(configuration: Configuration) -> UsageRules:
    """The usage rules; warnings are shown. Raises `Invalid` where there are none, or they cannot be used."""
    path = find_usage_file(configuration.rules)
    if path is None:
        raise Invalid(no_usage_rules(configuration))
    rules, findings = load_usage_rules(path, Environment(), configuration)
    if rules is None:
        raise Invalid(findings)
    tell_findings(findings)
    return rules


@contextmanager
def open_usage_site(path: Path | None, *, create: bool) -> Iterator[UsageSite]:
    """The site. `create` makes a missing SQLite file. Raises `Invalid` and `Unavailable`."""
    configuration = configuration_of(path)
    rules = usage_rules_of(configuration)
    with Database.open(configuration.database, create=create) as database:
        yield UsageSite(configuration, rules, database, SystemClock(), who())
