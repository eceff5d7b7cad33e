"""What `validate` reads: a configuration and its rules, or single files and folders. No database is needed."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from amierules.actions.own_kinds import own_kinds
from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Finding, Invalid, NotAllowed, Place, Severity, printable
from amierules.engine.schema_files import schema_for, stale_note
from amierules.rulebook.checks.plain_texts import plain_texts
from amierules.rulebook.configuration import FILE_NAME, Configuration, check_templates, load_configuration
from amierules.rulebook.files import BLOCKS, USAGE_FILE, read_yaml, shown
from amierules.rulebook.fixing import Fix, fix_file
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.rulebook.nodes import ListNode, MappingNode, ScalarNode
from amierules.rulebook.settings import check_settings
from amierules.templating import Environment
from amierules.usage.rules import find_usage_file, load_usage_rules

_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Checked:
    """What was read and what is wrong with it."""

    findings: tuple[Finding, ...]
    files: frozenset[str]
    rules: int
    """How many rules the files without errors hold."""

    def count(self, severity: Severity) -> int:
        """How many findings are of this severity."""
        return sum(1 for finding in self.findings if finding.severity is severity)


def check_site(config: Path | None, environ: Mapping[str, str]) -> Checked:
    """A configuration and its rules.

    Where the configuration has errors, the rules that it names are checked all the same.
    """
    configuration, findings = load_configuration(config, environ)
    path = config or Path(environ.get("AMIERULES_CONFIG") or FILE_NAME)
    folders = configuration.rules if configuration is not None else _rules_of_broken(path)
    findings = [*findings, *(check_templates(configuration) if configuration is not None else ())]
    checked = [_load(folders, configuration)[0]] if folders else []
    root, _ = read_yaml(path) if configuration is not None else (None, [])
    findings += [*plain_texts(root), *check_settings(root, folders)] if root is not None else ()
    findings += own_kinds().findings
    if configuration is not None:
        findings += stale_note(configuration.base)
    found = Checked(tuple(findings), frozenset({shown(path)} if os.path.isfile(path) else ()), 0)
    return _joined([found, *checked])


def check_paths(paths: Iterable[Path], config: Path | None, environ: Mapping[str, str]) -> Checked:
    """Rule files, blocks, folders of rules, site folders and configurations.

    Only findings in what was named are returned. The blocks beside a file are known, and so are the other folders of
    the configuration, where it names the file's folder. Raises `Invalid` for paths that are not there
    (`no-such-file`), `NotAllowed` for files that no rulebook reads (`not-a-rule-file`).
    """
    given = list(paths)
    refused = [finding for path in given if (finding := _refusal(path)) is not None]
    if refused:
        wrong_usage = any(finding.code != "no-such-file" for finding in refused)
        raise NotAllowed(refused) if wrong_usage else Invalid(refused)
    parts = [Checked(own_kinds().findings, frozenset(), 0)]
    wanted: dict[Path, set[str]] = {}
    for path in given:
        if os.path.isfile(path / FILE_NAME):
            parts.append(check_site(path / FILE_NAME, environ))
        elif not os.path.isdir(path) and _is_configuration(path):
            parts.append(check_site(path, environ))
        else:
            wanted.setdefault(_folder_of_rules(path), set()).add(shown(path))
    configuration, _ = load_configuration(config, environ)
    return _joined([*parts, *(_check_folder(folder, names, configuration) for folder, names in wanted.items())])


def fix(checked: Checked) -> list[Fix]:
    """Mends what can be mended in the files that were read; returns what was mended.

    Raises `Invalid` (`cannot-write`).
    """
    fixes: list[Fix] = []
    for file in sorted(checked.files):
        own = [finding for finding in checked.findings if finding.place and finding.place.file == file]
        try:
            fixes += fix_file(Path(file), own, schema_for(Path(file)))
        except OSError as error:
            message = f"{printable(file)} cannot be written: {error.strerror or error}"
            raise Invalid(Finding("cannot-write", message)) from error
    return fixes


def _folder_of_rules(path: Path) -> Path:
    above = path.absolute() if os.path.isdir(path) else path.absolute().parent
    return above.parent if above.name == BLOCKS else above


def _check_folder(folder: Path, wanted: set[str], configuration: Configuration | None) -> Checked:
    whole = configuration if configuration is not None and folder in configuration.rules else None
    checked, rulebook = _load(whole.rules if whole is not None else (folder,), whole)
    findings = tuple(finding for finding in checked.findings if finding.place and _is_in(finding.place.file, wanted))
    files = frozenset(file for file in checked.files if _is_in(file, wanted))
    usage = checked.rules - _rule_count(rulebook, checked.files) if _usage_is_in(files) else 0
    return Checked(findings, files, _rule_count(rulebook, files) + usage)


def _usage_is_in(files: Iterable[str]) -> bool:
    return any(Path(file).name == USAGE_FILE for file in files)


def _is_in(file: str, wanted: set[str]) -> bool:
    """Whether a file is one of the wanted ones, or in one of the wanted folders."""
    path = Path(file)
    return any(str(one) in wanted for one in (path, *path.parents))


def _load(folders: Iterable[Path], configuration: Configuration | None) -> tuple[Checked, Rulebook]:
    environment, listed = Environment(), tuple(folders)
    rulebook, findings = load_rulebook(listed, kind_schemas(), environment, configuration)
    files = frozenset(rulebook.files)
    checked = Checked(tuple(findings), files, _rule_count(rulebook, files))
    return _joined([checked, _usage(listed, environment, configuration)]), rulebook


def _usage(folders: tuple[Path, ...], environment: Environment, configuration: Configuration | None) -> Checked:
    path = find_usage_file(folders)
    if path is None:
        return Checked((), frozenset(), 0)
    rules, findings = load_usage_rules(path, environment, configuration)
    return Checked(tuple(findings), frozenset({shown(path)}), len([*rules.jobs, *rules.storage]) if rules else 0)


def _rule_count(rulebook: Rulebook, files: Iterable[str]) -> int:
    wanted = frozenset(files)
    good = {file.path: file for file in rulebook.by_type.values() if file.path in wanted}
    return sum(len(file.rules) for file in good.values())


def _joined(parts: Iterable[Checked]) -> Checked:
    listed = list(parts)
    findings = dict.fromkeys(finding for part in listed for finding in part.findings)
    files = frozenset(file for part in listed for file in part.files)
    return Checked(tuple(findings), files, sum(part.rules for part in listed))


def _refusal(path: Path) -> Finding | None:
    if not os.path.lexists(path):
        return Finding("no-such-file", f"there is no file or folder {printable(path)}")
    if os.path.isdir(path):
        return None
    if path.name.lower().endswith(_ENDINGS) and not path.name.startswith("."):
        return _rule_tests(path)
    hint = "rule files end in .yaml or .yml" + ("; `amierules load` takes packets" if path.suffix == ".json" else "")
    return Finding("not-a-rule-file", "no rulebook reads a file of this name", Place(shown(path)), hint)


def _rule_tests(path: Path) -> Finding | None:
    """What is said of a file of rule tests: what checks it needs more than rules do."""
    root, _ = read_yaml(path)
    if not isinstance(root, MappingNode) or not {"tests", "usage_tests"} & root.keys.keys() or "packet" in root.keys:
        return None
    hint = f"`amierules test {printable(path)}` checks and runs them"
    return Finding("not-a-rule-file", "these are rule tests, not rules", Place(shown(path)), hint)


def _is_configuration(path: Path) -> bool:
    if path.name == FILE_NAME:
        return True
    root, _ = read_yaml(path)
    return isinstance(root, MappingNode) and "site_name" in root.keys and "packet" not in root.keys


def _rules_of_broken(path: Path) -> tuple[Path, ...]:
    """The folders of rules that a configuration with errors most likely means, as far as they are there."""
    root, _ = read_yaml(path) if os.path.isfile(path) else (None, [])
    named = root.get("rules") if isinstance(root, MappingNode) else None
    items = named.items if isinstance(named, ListNode) else ()
    texts = [item.text for item in items if isinstance(item, ScalarNode)] or ["rules"]
    return tuple(folder for text in texts if os.path.isdir(folder := path.absolute().parent / text))
