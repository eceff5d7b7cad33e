"""Templates of messages: files in the site's folder, else among the shipped ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.diagnostics.suggest import hint_for
from amierules.rulebook.compiled import Constant, TemplateValue
from amierules.rulebook.files import read_text, shown
from amierules.rulebook.model import Compiled, Names
from amierules.rulebook.nodes import Node, ScalarNode
from amierules.rulebook.positions import place_at
from amierules.shipped import ROOT
from amierules.templating import Environment, EvaluationError, TemplateSyntaxProblem

ENDING = ".j2"
SHIPPED = ROOT / "templates"


@dataclass(frozen=True)
class BrokenTemplate:
    """A template that cannot be used. The rule that names it can be: only its message cannot be made."""

    place: Place
    reason: str

    def evaluate(self, _names: Names) -> object:
        """Raises `EvaluationError` always."""
        raise EvaluationError(self.reason, code="no-template", place=self.place)


class TemplateFiles:
    """The templates that messages may name. What is wrong with those that are named gathers in `findings`."""

    def __init__(self, folders: Sequence[Path], *, complete: bool = True) -> None:
        """`folders` are the site's; `complete` says whether a template that is in none of them is missing."""
        self.findings: list[Finding] = []
        self._own = tuple(folders)
        self._folders = (*folders, SHIPPED)
        self._complete = complete
        self._files: dict[str, Compiled] = {}

    def compiled(self, node: Node, environment: Environment) -> Compiled:
        """The template whose file a node names."""
        name = node.text if isinstance(node, ScalarNode) else ""
        if name not in self._files:
            path = next((folder / name for folder in self._folders if (folder / name).is_file()), None)
            if path is None or not name:
                return self._missing(name, node.place)
            self._files[name] = self._read(path, environment)
        return self._files[name]

    def unused(self) -> Iterator[Finding]:
        """Notes about templates of the site that no message names; copies of shipped ones do no harm."""
        for folder in self._own:
            for path in sorted(folder.glob(f"*{ENDING}")):
                if path.name not in self._files and not _is_shipped(path):
                    place = Place(shown(path))
                    yield Finding("unused-template", "no message names this template", place, "", Severity.NOTE)

    def _missing(self, name: str, place: Place) -> Compiled:
        message = f"there is no template {printable(name, 60)}"
        if name and self._complete:
            there = {path.name for folder in self._folders for path in folder.glob(f"*{ENDING}")}
            self.findings.append(Finding("no-template", message, place, hint_for(name, there)))
        return BrokenTemplate(place, message)

    def _read(self, path: Path, environment: Environment) -> Compiled:
        text, findings = read_text(path)
        self.findings += findings
        if text is None:
            return BrokenTemplate(Place(shown(path)), findings[0].message)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        # Written as it is meant: the slice of the source is the value, so that each character is found in its place.
        node = ScalarNode(Place(shown(path), 1, 1), text, text, text)
        try:
            template = environment.template(text)
        except TemplateSyntaxProblem as problem:
            place = place_at(node, problem.offset, problem.length)
            self.findings.append(Finding(problem.code, printable(problem.message), place, problem.hint))
            return BrokenTemplate(place, problem.message)
        return Constant(node.place, text) if template.is_literal else TemplateValue(node, template)


def _is_shipped(path: Path) -> bool:
    shipped = SHIPPED / path.name
    try:
        return shipped.is_file() and shipped.read_bytes() == path.read_bytes()
    except OSError:
        return False
