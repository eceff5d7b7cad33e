"""The site that `tgcdb` plays with, from the command line and the configuration."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from amierules.cli.console import tell_findings
from amierules.diagnostics import Finding, Invalid, NotAllowed, Unavailable, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.ports import SystemClock
from amierules.rulebook.configuration import FILE_NAME, Configuration, load_configuration
from amierules.tgcdb.scenarios import DEFAULT_RESOURCE, Scenario, scenarios
from amierules.tgcdb.store import Store

STORE = "tgcdb.db"
DEFAULT_SITE = "TestSite"

StoreOption = Annotated[
    Path,
    typer.Option("--store", metavar="FILE", help="What the central database remembers; it is made if missing."),
]
SiteOption = Annotated[
    str | None,
    typer.Option(
        "--site", metavar="NAME", help="The site's name in AMIE; from the configuration by default.", show_default=False
    ),
]


class FrontName(StrEnum):
    """What carries packets to the site."""

    database = "database"
    rest = "rest"


@dataclass(frozen=True)
class PlayedSite:
    """The site; `configuration` is None where there is none in this folder and none was named."""

    name: str
    resources: tuple[str, ...]
    configuration: Configuration | None


def played_site(config: Path | None, name: str | None, resources: list[str] | None) -> PlayedSite:
    """The site of the command line, else of the configuration, else one of the name TestSite.

    Raises `Invalid` for a configuration that cannot be used, `NotAllowed` for a name that AMIE does not allow.
    """
    configuration = None
    if config is not None or "AMIERULES_CONFIG" in os.environ or Path(FILE_NAME).exists():
        configuration, findings = load_configuration(config, os.environ)
        if configuration is None:
            raise Invalid(findings)
        tell_findings(findings)
    name = name or (configuration.site_name if configuration else DEFAULT_SITE)
    if not name or len(name) > 16 or printable(name) != name or "/" in name:
        raise NotAllowed(Finding("bad-value", f"a site cannot have the name '{printable(name, 40)}'"))
    known = tuple(configuration.resources) if configuration else ()
    return PlayedSite(name, tuple(resources or ()) or known or (DEFAULT_RESOURCE,), configuration)


@contextmanager
def open_store(file: Path, *, create: bool) -> Iterator[Store]:
    """The store. Raises `Unavailable`: it is no store, or it is missing and `create` does not make it."""
    if not create and not file.exists():
        hint = "`amierules tgcdb run` makes it; --store names another one"
        raise Unavailable(Finding("store-unusable", f"there is no store {printable(file)}", hint=hint))
    with Store.open(file, SystemClock().now()) as store:
        yield store


def chosen_scenarios(names: list[str]) -> list[Scenario]:
    """The scenarios of these names. Raises `NotAllowed` (`unknown-scenario`)."""
    known = scenarios()
    if "all" in names:
        return list(known.values())
    for name in names:
        if name not in known:
            close = did_you_mean(name, known)
            hint = f"did you mean '{close}'?" if close else "`amierules tgcdb scenarios` lists them"
            raise NotAllowed(Finding("unknown-scenario", f"there is no scenario '{printable(name, 60)}'", hint=hint))
    return [known[name] for name in names]
