"""What usage reporting needs, as `doctor` sees it: the rules, sacct, the Usage API. Nothing is collected or sent."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from amierules.diagnostics import Severity, printable
from amierules.diagnostics.suggest import hint_for
from amierules.engine.health.check import Check, error, ok
from amierules.ports.json_service import Patience
from amierules.ports.processes import NotStarted, find_program
from amierules.ports.streams import StreamFailed, stream
from amierules.ports.taking import Denied, NotTaken, SendingFault
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.usage_section import UsageApi
from amierules.templating import Environment
from amierules.usage.api import Api
from amierules.usage.fields import RAW
from amierules.usage.opening import sacct_environment
from amierules.usage.rules import find_usage_file, load_usage_rules, no_usage_rules
from amierules.usage.sources import sacct_words

_WHAT = "usage"
_PATIENCE = 20
"""Seconds for which sacct may write nothing."""
_MINUTE = 60


def check_usage(configuration: Configuration) -> Iterator[Check]:
    """Whether usage can be collected, charged and reported, where the configuration has a section `usage`."""
    section = configuration.usage
    if not section.is_given:
        return
    yield _check_rules(configuration)
    if section.command is not None:
        yield _check_program(section.command.run[0])
    elif section.clusters:
        yield _check_sacct(configuration)
    if section.storage is not None:
        yield _check_program(section.storage.run[0])
    if section.report == "api" and section.api is not None:
        yield _check_api(configuration, section.api)


def _check_rules(configuration: Configuration) -> Check:
    path = find_usage_file(configuration.rules)
    if path is None:
        finding = no_usage_rules(configuration)
        return error(_WHAT, finding.message, finding.hint)
    rules, findings = load_usage_rules(path, Environment(), configuration)
    if rules is None:
        first = next(one for one in findings if one.severity is Severity.ERROR)
        detail = f"{path.name} cannot be used: {first.message}"
        return error(_WHAT, detail, "`amierules validate` shows where, and all else")
    return ok(_WHAT, f"{len(rules.jobs)} rules for jobs, {len(rules.storage)} for storage")


def _check_program(name: str) -> Check:
    if find_program(name) is None:
        return error(_WHAT, f"{printable(name)}: no such program", "correct `run` under `usage`")
    return ok(_WHAT, f"{printable(name)} is there")


def _check_sacct(configuration: Configuration) -> Check:
    """Whether sacct knows the fields that are asked for, and answers; it is asked for the jobs of the last minute."""
    section = configuration.usage
    environment = sacct_environment(configuration)
    named = ", ".join(section.clusters)
    try:
        known = _said([section.sacct, "--helpformat"], environment).split()
        wanted = [*(raw.sacct for raw in RAW), *section.fields]
        lowered = {name.lower() for name in known}
        if unknown := [name for name in wanted if name.lower() not in lowered]:
            hint = hint_for(unknown[0], known) or "correct `usage: {sacct: {fields: [...]}}`"
            return error(_WHAT, f"sacct knows no field '{printable(unknown[0], 60)}'", hint)
        now = int(time.time())
        calls, _ = sacct_words(section.sacct, (now - _MINUTE, now), section.clusters, None, section.fields)
        for words in calls:
            _said(words, environment)
    except NotStarted as fault:
        return error(_WHAT, printable(fault), "set `usage: {sacct: {program: PATH}}`, or PATH")
    except StreamFailed as fault:
        hint = "try it: `sacct --allusers`; slurmdbd must answer, and know the clusters"
        return error(_WHAT, f"sacct does not answer for {named}: {printable(fault.reason, 300)}", hint)
    return ok(_WHAT, f"{section.sacct} answers for {named}, and knows {len(wanted)} fields")


def _said(words: list[str], environment: Mapping[str, str]) -> str:
    return b"".join(stream(words, env=environment, patience=_PATIENCE)).decode("utf-8", "replace")


def _check_api(configuration: Configuration, section: UsageApi) -> Check:
    """Whether the API answers, with our key; it is asked for its status, and nothing is sent."""
    api = Api(configuration, section, replace(Patience(), attempts=1))
    try:
        api.errors()
    except SendingFault as fault:
        return error(_WHAT, f"the Usage API, {section.url}: {fault}", _hint(fault))
    finally:
        api.close()
    return ok(_WHAT, f"the Usage API, {section.url}: answers, and takes our key")


def _hint(fault: SendingFault) -> str:
    if isinstance(fault, Denied):
        return "look at key and site under `usage: {api: ...}`"
    if isinstance(fault, NotTaken):
        return "look at url under `usage: {api: ...}`; records wait in the ledger meanwhile"
    return "look at url under `usage: {api: ...}`: it is the address above usage/status"
