"""Files to a rulebook: which file answers for which packet type, and what a broken file or block breaks."""

from collections.abc import Iterable

from amierules.diagnostics import Finding, Place, Severity
from amierules.rulebook.blocks import BlockHead, broken_blocks, check_circles, check_uses
from amierules.rulebook.checks.coverage import types_without_rules
from amierules.rulebook.checks.ignores import silenced
from amierules.rulebook.checks.table import check_file
from amierules.rulebook.checks.unused import unused_blocks
from amierules.rulebook.checks.view import FileView, Surroundings
from amierules.rulebook.model import Rulebook, RuleFile
from amierules.rulebook.rule_sources import BlockSource, RuleSource, apart, first_error


class Assembly:
    """Takes the files folder by folder, the folder that counts most first."""

    def __init__(self, surroundings: Surroundings, views: dict[str, FileView]) -> None:
        """`views` takes what checks see of each block; the files' own views look there."""
        self._surroundings = surroundings
        self._views = views
        self.findings: list[Finding] = []
        self._rules: dict[str, RuleSource] = {}
        self._blocks: dict[str, BlockSource] = {}
        self._sources: list[RuleSource] = []
        self._broken: dict[str, str] = {}
        self._missing: str | None = None
        """A folder that cannot be read: later ones must not answer in its place."""

    def add_missing(self, folder: str) -> None:
        """A folder that cannot be read."""
        self._missing = self._missing or folder

    def add_blocks(self, sources: list[BlockSource]) -> None:
        """The blocks of one folder."""
        in_this_folder: dict[str, BlockSource] = {}
        for source in sources:
            what = f"the block '{source.name}'"
            earlier = in_this_folder.setdefault(source.name, source)
            if earlier is not source:
                earlier.findings.append(_two_files(what, Place(source.path), earlier.path))
                earlier.block = None
            elif source.name in self._blocks:
                replaced = _replaced(what, Place(source.path), self._blocks[source.name].path)
                self.findings += [*source.findings, replaced]
            else:
                self._blocks[source.name] = source

    def add_rule_files(self, sources: list[RuleSource]) -> None:
        """The rule files of one folder."""
        in_this_folder: dict[str, RuleSource] = {}
        for source in sources:
            self._sources.append(source)
            for packet_type in source.types:
                place = source.places.get(packet_type, Place(source.path))
                if packet_type in in_this_folder:
                    earlier = in_this_folder[packet_type]
                    source.findings.append(_two_files(packet_type, place, earlier.path))
                    if packet_type not in self._rules:
                        reason = f"rule files {earlier.path} and {source.path} are both for it"
                        self._broken.setdefault(packet_type, reason)
                elif packet_type in self._rules:
                    source.findings.append(_replaced(packet_type, place, self._rules[packet_type].path))
                elif self._missing is not None:
                    reason = f"the folder {self._missing}, whose rules would come first, cannot be read"
                    self._broken.setdefault(packet_type, reason)
                in_this_folder.setdefault(packet_type, source)
        for packet_type, source in in_this_folder.items():
            self._rules.setdefault(packet_type, source)

    def rulebook(self) -> Rulebook:
        """The rulebook; what is found on the way is added to `findings`."""
        blamed = self._link_blocks()
        # What a file of an earlier folder replaces may not fit the blocks that are used now, and need not.
        for source in {id(source): source for source in self._rules.values()}.values():
            source.findings += check_uses(source.uses, self._heads())
            _check(source, self._surroundings)
        self.findings += types_without_rules({*self._rules, *self._broken}, self._surroundings)
        by_type: dict[str, RuleFile] = {}
        for packet_type, source in self._rules.items():
            reason = _why_broken(source, blamed)
            if reason is not None:
                self._broken.setdefault(packet_type, reason)
            elif source.file is not None and packet_type not in self._broken:
                by_type[packet_type] = source.file
        self.findings += [finding for source in self._sources for finding in source.findings]
        read: list[RuleSource | BlockSource] = [*self._sources, *self._blocks.values()]
        self.findings += first_of_each(finding for source in read for finding in source.elsewhere)
        blocks = {name: source.block for name, source in self._blocks.items() if source.block and name not in blamed}
        files = (*(source.path for source in self._sources), *(source.path for source in self._blocks.values()))
        return Rulebook(by_type, blocks, dict(self._broken), files)

    def _used_blocks(self) -> set[str]:
        uses = [source.uses for source in self._sources] + [source.uses for source in self._blocks.values()]
        return {use.block for listed in uses for use in listed}

    def _heads(self) -> dict[str, BlockHead]:
        return {
            name: BlockHead(source.path, source.parameters, source.uses, first_error(source.findings) is not None)
            for name, source in self._blocks.items()
        }

    def _link_blocks(self) -> dict[str, str]:
        heads = self._heads()
        for source in self._blocks.values():
            source.findings += check_uses(source.uses, heads)
        for name, finding in check_circles(heads):
            self._blocks[name].findings.append(finding)
        self._views.update({name: source.view for name, source in self._blocks.items() if source.view is not None})
        for source in self._blocks.values():
            _check(source, self._surroundings)
        if self._surroundings.whole_site:
            self.findings += unused_blocks(self._views.values(), self._used_blocks())
        self.findings += [finding for source in self._blocks.values() for finding in source.findings]
        return broken_blocks(self._heads())


def _check(source: RuleSource | BlockSource, surroundings: Surroundings) -> None:
    """Adds what the checks find; comments silence that, but no error that keeps a file from being read at all."""
    if source.view is None:
        return
    found, elsewhere = apart(check_file(source.view, surroundings, source.findings), source.path)
    source.elsewhere += elsewhere
    kept = [finding for finding in source.findings if finding.severity is Severity.ERROR]
    found += [finding for finding in source.findings if finding.severity is not Severity.ERROR]
    source.findings[:] = [*kept, *silenced(source.view.text, source.view.root, found, source.path)]


def first_of_each(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each code and place: several rules may name one template."""
    found: dict[tuple[str, Place | None], Finding] = {}
    for finding in findings:
        found.setdefault((finding.code, finding.place), finding)
    return list(found.values())


def _why_broken(source: RuleSource, blamed: dict[str, str]) -> str | None:
    error = first_error(source.findings)
    if error is not None:
        line = f", line {error.place.line}" if error.place and error.place.line else ""
        return f"rule file {source.path} is invalid{line}: {error.message}"
    path = next((blamed[use.block] for use in source.uses if use.block in blamed), None)
    return f"block file {path}, which its rules use, is invalid" if path is not None else None


def _two_files(what: str, place: Place, other: str) -> Finding:
    hint = "keep one of them; another folder under rules: may replace it"
    return Finding("two-files", f"{what} has another file in this folder: {other}", place, hint)


def _replaced(what: str, place: Place, by: str) -> Finding:
    message = f"{what} is taken from {by}, in an earlier folder; what stands here for it is not used"
    return Finding("replaced", message, place, severity=Severity.NOTE)
