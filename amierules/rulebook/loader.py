"""The one loader of rules: what `validate` accepts is what `run` uses."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Place, Severity
from amierules.rulebook.assembly import Assembly
from amierules.rulebook.checks.notices import check_status_notices
from amierules.rulebook.checks.view import Surroundings
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.files import list_folder, shown
from amierules.rulebook.model import Rulebook
from amierules.rulebook.rule_sources import SourceReader
from amierules.rulebook.templates import SHIPPED, TemplateFiles
from amierules.templating import Environment


def load_rulebook(
    folders: Sequence[Path],
    kinds: Mapping[str, dict[str, Any]],
    environment: Environment,
    configuration: Configuration | None = None,
) -> tuple[Rulebook, list[Finding]]:
    """All rules of the folders, an earlier folder before a later; and everything that was found on the way.

    `kinds` has the schema of each kind of action. With the `configuration` whose rules these are, settings, resources
    and what no rule is for are checked too. A file with an error is not in the rulebook, and its packet types
    are in `broken`; the others are there. Raises nothing.
    """
    templates = configuration.template_files if configuration is not None else _templates_beside(folders)
    reader = SourceReader(kinds, environment, templates)
    assembly = Assembly(Surroundings(kinds, configuration, whole_site=configuration is not None), reader.blocks)
    for path in folders:
        folder = list_folder(path, configuration.rules_at.get(path) if configuration else None)
        assembly.findings += folder.findings
        if not folder.readable:
            assembly.add_missing(shown(path))
        assembly.add_blocks([reader.block(file) for file in folder.blocks])
        assembly.add_rule_files([reader.rule_file(file) for file in folder.rule_files])
    if not folders:
        assembly.findings.append(
            Finding("no-rules", "there is no folder with rules", Place(""), severity=Severity.WARNING)
        )
    rulebook = assembly.rulebook()
    found = [*assembly.findings, *templates.findings]
    if configuration is not None:
        found += [*check_status_notices(configuration), *templates.unused()]
    return rulebook, sorted(found, key=Finding.sort_key)


def _templates_beside(folders: Sequence[Path]) -> TemplateFiles:
    """Where no configuration tells: the templates in a folder beside that of the rules, as in a site's folder."""
    beside = dict.fromkeys(folder.parent / "templates" for folder in folders)
    return TemplateFiles([folder for folder in beside if folder != SHIPPED and folder.is_dir()], complete=False)
