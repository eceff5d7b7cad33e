"""What `validate` reads: a configuration and its rules, or single files and folders. No database is needed."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Finding, NotAllowed, Place, Severity, printable
from amierules.rulebook.configuration import FILE_NAME, load_configuration
from amierules.rulebook.files import BLOCKS, read_yaml, shown
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.rulebook.nodes import ListNode, MappingNode, ScalarNode
from amierules.templating import Environment

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
    if configuration is not None:
        folders = configuration.rules
    else:
        folders = _rules_of_broken(path)
    checked = [_check_folders(folders)] if folders else []
    found = Checked(tuple(findings), frozenset({shown(path)} if path.is_file() else ()), 0)
    return _joined([found, *checked])


def check_paths(paths: Iterable[Path], environ: Mapping[str, str]) -> Checked:
    """Rule files, blocks, folders of rules, site folders and configurations.

    Of a single file only its own findings are shown; the blocks beside it are known. Raises `NotAllowed` for paths that
    are not there (`no-such-file`) and for files that no rulebook reads (`not-a-rule-file`).
    """
    given = list(paths)
    refused = [finding for path in given if (finding := _refusal(path)) is not None]
    if refused:
        raise NotAllowed(refused)
    parts: list[Checked] = []
    by_folder: dict[Path, set[str] | None] = {}
    for path in given:
        if path.is_dir() and (path / FILE_NAME).is_file():
            parts.append(check_site(path / FILE_NAME, environ))
        elif path.is_dir():
            _want(by_folder, path)
        elif _is_configuration(path):
            parts.append(check_site(path, environ))
        else:
            _want(by_folder, path)
    return _joined([*parts, *(_check_folder(folder, wanted) for folder, wanted in by_folder.items())])


def _want(by_folder: dict[Path, set[str] | None], path: Path) -> None:
    """Notes that a file, or all files of a folder, are wanted; by the folder of rules in which they stand."""
    whole = path.is_dir()
    above = path.absolute() if whole else path.absolute().parent
    if above.name == BLOCKS:
        folder = above.parent
        wanted = {shown(file) for file in above.iterdir()} if whole else {shown(path)}
    else:
        folder = above
        wanted = set() if whole else {shown(path)}
    if folder in by_folder and by_folder[folder] is None:
        return
    earlier = by_folder.get(folder)
    by_folder[folder] = (earlier or set()) | wanted if wanted or above != folder else None


def _check_folder(folder: Path, wanted: set[str] | None) -> Checked:
    checked, rulebook = _load([folder])
    if wanted is None:
        return checked
    findings = tuple(finding for finding in checked.findings if finding.place and finding.place.file in wanted)
    return Checked(findings, checked.files & wanted, _rule_count(rulebook, wanted))


def _check_folders(folders: Iterable[Path]) -> Checked:
    return _load(folders)[0]


def _load(folders: Iterable[Path]) -> tuple[Checked, Rulebook]:
    rulebook, findings = load_rulebook(tuple(folders), kind_schemas(), Environment())
    files = frozenset(rulebook.files)
    return Checked(tuple(findings), files, _rule_count(rulebook, files)), rulebook


def _rule_count(rulebook: Rulebook, files: Iterable[str]) -> int:
    wanted = frozenset(files)
    return sum(len(file.rules) for file in {file.path: file for file in rulebook.by_type.values()}.values() if file.path in wanted)


def _joined(parts: Iterable[Checked]) -> Checked:
    listed = list(parts)
    findings = dict.fromkeys(finding for part in listed for finding in part.findings)
    files = frozenset(file for part in listed for file in part.files)
    return Checked(tuple(findings), files, sum(part.rules for part in listed))


def _refusal(path: Path) -> Finding | None:
    if not os.path.lexists(path):
        return Finding("no-such-file", f"there is no file or folder {printable(path)}")
    if path.is_dir() or (path.name.lower().endswith(_ENDINGS) and not path.name.startswith(".")):
        return None
    hint = "rule files end in .yaml or .yml; `amierules load` takes packets" if path.suffix == ".json" else "rule files end in .yaml or .yml"
    return Finding("not-a-rule-file", "no rulebook reads a file of this name", Place(shown(path)), hint)


def _is_configuration(path: Path) -> bool:
    if path.name == FILE_NAME:
        return True
    root, _ = read_yaml(path)
    return isinstance(root, MappingNode) and "site_name" in root.keys and "packet" not in root.keys


def _rules_of_broken(path: Path) -> tuple[Path, ...]:
    """The folders of rules that a configuration with errors most likely means, as far as they are there."""
    root, _ = read_yaml(path) if path.is_file() else (None, [])
    named = root.get("rules") if isinstance(root, MappingNode) else None
    texts = [item.text for item in named.items if isinstance(item, ScalarNode)] if isinstance(named, ListNode) else ["rules"]
    return tuple(folder for text in texts if (folder := path.absolute().parent / text).is_dir())
