"""The page of mistakes: what `validate` says, and what other programs said of mistakes like it."""

from collections.abc import Iterable, Mapping
from contextlib import chdir
from difflib import ndiff
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from amierules.actions.schemas import kind_schemas
from amierules.diagnostics import Finding
from amierules.diagnostics.render import as_text
from amierules.rulebook.loader import load_rulebook
from amierules.shipped import ROOT
from amierules.templating import Environment
from scripts.markdown import page

_WIDTH = 110
_HEAD = """# Mistakes, and what is said of them

What `amierules validate` says of mistakes that everybody makes, and what programs that people may know say of mistakes
like them: each was really run. Of their output only times and folders are left out, and what is long is shortened:
`[... 58 lines]`. Where a program is missing, it has nothing that the mistake could be made in.

- All findings of all files come at once; one mistake is one finding, at the word that is wrong, with the remedy.
- Nothing is taken silently: what is misspelt in a condition, an expression, a filter or an attribute is found before
  the first packet comes.
- A file with a mistake breaks only the packet types that it is for."""


def mistakes_page() -> str:
    """The page `mistakes.md`; what `validate` says is found anew."""
    known = yaml.safe_load((ROOT / "scripts" / "mistakes.yaml").read_text(encoding="utf-8"))
    programs = known["programs"]
    sections = [_section(known["amierules"], programs, mistake) for mistake in known["mistakes"]]
    return page(_HEAD, *sections, _good(known["amierules"], programs)).replace("schemas/", "scripts/mistakes.yaml", 1)


def _section(ours: Mapping[str, str], programs: Mapping[str, Any], mistake: Mapping[str, Any]) -> str:
    parts = [f"## {mistake['title']}", "**amierules**", _diff(ours, mistake["amierules"])]
    parts.append(_block("text", _said(ours, mistake["amierules"])))
    for name, program in programs.items():
        if name in mistake:
            parts += [f"**{program['name']}**", _diff(program, mistake[name]["edits"])]
            parts += [_run(run) for run in mistake[name]["runs"]]
    return "\n\n".join(parts)


def _good(ours: Mapping[str, str], programs: Mapping[str, Any]) -> str:
    """The files without a mistake, of which no program has anything to say."""
    head = "## The files without the mistakes\n\nOf these none of the programs has anything to say."
    theirs = [
        f"**{one['name']}**\n\n<!-- of: {one['name']} -->\n\n{_block('yaml', one['text'])}" for one in programs.values()
    ]
    return "\n\n".join([head, f"**amierules**\n\n{_block('yaml', ours['text'])}", *theirs])


def _run(run: Mapping[str, Any]) -> str:
    silent = " Nothing is found." if run["status"] == 0 else ""
    return f"`{run['command']}` ends with status {run['status']}.{silent}\n\n{_block('text', run['said'])}"


def _files(good: Mapping[str, str], edits: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The files with the mistakes by name; another file than the first is a copy of it without its mistakes."""
    files = {good["file"]: good["text"]}
    for edit in edits:
        name = edit.get("file", good["file"])
        before = files.get(name, good["text"])
        if edit["instead_of"] not in before:
            raise ValueError(f"{name} has no {edit['instead_of']!r}")
        files[name] = before.replace(edit["instead_of"], edit["written"], 1)
    return files


def _diff(good: Mapping[str, str], edits: Iterable[Mapping[str, str]]) -> str:
    parts = []
    for name, text in _files(good, edits).items():
        lines = ndiff(good["text"].splitlines(), text.splitlines())
        changed = [line for line in lines if line.startswith(("- ", "+ "))]
        parts.append("\n".join([f"# {name}", *changed]))
    return _block("diff", "\n".join(parts))


def _said(ours: Mapping[str, str], edits: Iterable[Mapping[str, str]]) -> str:
    """What `validate` says, as on a terminal of some width."""
    with TemporaryDirectory() as folder, chdir(folder):
        for name, text in _files(ours, edits).items():
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(text, encoding="utf-8")
        _, findings = load_rulebook([Path("rules")], kind_schemas(), Environment())
        return as_text(_placed(findings), _source_line, width=_WIDTH)


def _placed(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.place is not None and finding.place.line]


def _source_line(file: str, line: int) -> str:
    return Path(file).read_text(encoding="utf-8").splitlines()[line - 1]


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"
