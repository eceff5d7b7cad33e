"""Finding and reading the YAML files of a folder; whatever cannot be read is a finding."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.rulebook.nodes import Node
from amierules.rulebook.yaml_reader import MAX_BYTES, load_yaml, too_large

_ENDINGS = (".yaml", ".yml")
BLOCKS = "blocks"
USAGE_FILE = "usage.yaml"
"""The usage rules among the files of a folder: no rule file, and read by itself."""


@dataclass
class Folder:
    """The rule files and blocks of one folder, sorted by name."""

    path: Path
    rule_files: list[Path] = field(default_factory=list)
    blocks: list[Path] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    readable: bool = True


def shown(path: Path) -> str:
    """A path as findings show it: relative to the working folder where it is below it."""
    try:
        absolute = path.resolve() if ".." in path.parts else path.absolute()
        return str(absolute.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def list_folder(path: Path, named_at: Place | None = None) -> Folder:
    """The YAML files of a folder of rules. Hidden files and other endings do not count.

    `named_at` is where the configuration names the folder: what is wrong with it is found there.
    """
    folder = Folder(path)
    listed, below = _entries(path, folder.findings, named_at)
    folder.rule_files = [file for file in listed if file.name != USAGE_FILE]
    folder.readable = not folder.findings
    if BLOCKS in below:
        folder.blocks, _ = _entries(path / BLOCKS, folder.findings)
    for name in sorted(below - {BLOCKS}):
        if _holds_yaml(path / name):
            message = f"rule files in the folder '{printable(name, 60)}' are not read"
            hint = "rules stand in the folder itself, blocks in blocks/; list the folder under rules: to read it too"
            folder.findings.append(Finding("not-read", message, Place(shown(path / name)), hint, Severity.WARNING))
    if not folder.rule_files and not folder.blocks and not folder.findings:
        message = "the folder holds no rule file (*.yaml)"
        folder.findings.append(Finding("no-rules", message, Place(shown(path)), severity=Severity.WARNING))
    return folder


def _entries(path: Path, findings: list[Finding], named_at: Place | None = None) -> tuple[list[Path], set[str]]:
    """The YAML files in a folder, and the names of its sub-folders."""
    try:
        with os.scandir(path) as entries:
            listed = sorted((entry.name, _is_folder(entry)) for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        hint = ""
        if isinstance(error, FileNotFoundError):
            close = did_you_mean(path.name, _folders_in(path.parent))
            hint = (
                f"did you mean '{printable(close, 60)}'?" if close else "`rules:` in amierules.yaml lists the folders"
            )
        found = _unreadable(path, error, "folder", hint)
        if named_at is not None:
            message = printable(f"the folder {shown(path)} cannot be read: {error.strerror or error}")
            found = Finding(found.code, message, named_at, found.hint)
        findings.append(found)
        return [], set()
    files = [path / name for name, _ in listed if name.lower().endswith(_ENDINGS)]
    return files, {name for name, is_folder in listed if is_folder and not name.lower().endswith(_ENDINGS)}


def _folders_in(path: Path) -> list[str]:
    try:
        return [name for name in os.listdir(path) if (path / name).is_dir()]
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _holds_yaml(path: Path) -> bool:
    try:
        return any(name.lower().endswith(_ENDINGS) for name in os.listdir(path))
    except OSError:
        return False


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> tuple[str | None, list[Finding]]:
    """The text of a file of at most so many bytes, or None and the finding that says why it cannot be read."""
    place = Place(shown(path))
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "no ordinary file"
            return None, [Finding("unreadable-file", f"this is {what}, not a YAML file", place)]
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        return None, [_unreadable(path, error, "file")]
    if len(data) > max_bytes:
        return None, [too_large(place.file, max_bytes)]
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        message = f"the byte 0x{data[error.start]:02x} is no UTF-8"
        return None, [Finding("not-utf-8", message, Place(place.file, line, column), "save the file as UTF-8")]


def read_yaml(path: Path, *, max_bytes: int = MAX_BYTES) -> tuple[Node | None, list[Finding]]:
    """The nodes of a YAML file of at most so many bytes, or None; and what is wrong with it."""
    text, findings = read_text(path, max_bytes=max_bytes)
    return (None, findings) if text is None else load_yaml(text, shown(path), max_bytes=max_bytes)


def _unreadable(path: Path, error: Exception, what: str, hint: str = "") -> Finding:
    reason = getattr(error, "strerror", None) or str(error)
    return Finding(f"unreadable-{what}", printable(f"the {what} cannot be read: {reason}"), Place(shown(path)), hint)
