"""Is everything there that a site needs: what `doctor` looks at. Nothing is changed."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from amierules import __version__
from amierules.diagnostics import Finding, Severity
from amierules.engine.health.channels import check_channels
from amierules.engine.health.check import Check, error, from_findings, ok, warning
from amierules.engine.health.database import check_database
from amierules.engine.health.directory import check_directory
from amierules.engine.health.host import (
    check_accounts,
    check_disk,
    check_dns,
    check_permissions,
    check_programs,
    check_secrets,
)
from amierules.engine.health.kinds import check_kinds
from amierules.engine.health.nodes import check_accounts_command, check_nodes
from amierules.engine.health.slurm import check_slurm
from amierules.ports import Nodes
from amierules.rulebook.checks.coverage import TYPE_WITHOUT_RULE
from amierules.rulebook.configuration import Configuration, check_templates, load_configuration
from amierules.rulebook.files import shown
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.templating import Environment


def examine(
    path: Path | None,
    environ: Mapping[str, str],
    kinds: Mapping[str, dict[str, Any]],
    nodes: Nodes,
    more: Sequence[Callable[[Configuration], Iterable[Check]]] = (),
) -> Iterator[Check]:
    """Looks at everything, one check after the other.

    `path` is the configuration that `--config` names, `environ` the environment, `kinds` the schemas of the kinds;
    `nodes` reach other nodes; `more` are checks of what the engine does not know.
    """
    yield ok("amierules", f"{__version__}, Python {sys.version.partition(' ')[0]}")
    yield from check_kinds()
    configuration, findings = load_configuration(path, environ)
    yield from from_findings("configuration", findings)
    if configuration is None:
        return
    yield from from_findings("configuration", check_templates(configuration))
    yield from _check_configuration(configuration)
    rulebook, found = load_rulebook(configuration.rules, kinds, Environment(), configuration)
    yield from _check_rules(configuration, rulebook, found)
    yield from check_database(configuration)
    yield from check_programs(configuration, rulebook)
    yield from check_accounts(configuration, rulebook)
    yield from check_dns(configuration)
    yield from check_slurm(configuration, rulebook)
    there = nodes.under(configuration.ssh)
    yield from check_nodes(configuration, rulebook, there)
    yield from check_accounts_command(configuration, rulebook, there)
    yield from check_directory(configuration)
    yield from check_channels(configuration)
    for check in more:
        yield from check(configuration)
    yield from check_secrets(configuration, environ)
    yield from check_permissions(configuration, rulebook)
    yield from check_disk(configuration)


def _check_configuration(configuration: Configuration) -> Iterator[Check]:
    names = ", ".join(configuration.remote_site_names)
    yield ok("configuration", f"{shown(configuration.path)}: {configuration.site_name}, with {names}")
    resources = configuration.resources
    if resources:
        yield ok("resources", ", ".join(resources))
    else:
        hint = "name yours under `resources:`, as ResourceList does; the shipped rules refuse all others"
        yield warning("resources", "none is configured", hint)


def _check_rules(configuration: Configuration, rulebook: Rulebook, findings: Sequence[Finding]) -> Iterator[Check]:
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    without = [finding for finding in findings if finding.code == TYPE_WITHOUT_RULE]
    warnings = [one for one in findings if one.severity is Severity.WARNING and one not in without]
    files = f"{len(rulebook.files)} files"
    count = f"{rulebook.rule_count} rules for packets in {files}"
    if errors:
        broken = ", ".join(sorted(rulebook.broken)) or "none"
        detail = f"{_counted(errors, 'error')} in {files}; packets that park: {broken}"
        yield error("rules", detail, "`amierules validate` shows them")
    elif warnings:
        yield warning("rules", f"{count}, {_counted(warnings, 'warning')}", "`amierules validate` shows them")
    else:
        yield ok("rules", count)
    for finding in without:
        yield warning("rules", finding.message, finding.hint)


def _counted(listed: Sequence[Finding], what: str) -> str:
    return f"{len(listed)} {what}{'' if len(listed) == 1 else 's'}"
