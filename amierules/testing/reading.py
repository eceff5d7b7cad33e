"""Test files to rule tests: read by the strict reader, checked by their schema, each mistake found at its place."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from amierules.diagnostics import Finding, Severity, printable
from amierules.rulebook.durations import duration_seconds
from amierules.rulebook.files import read_text, shown
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode, to_plain
from amierules.rulebook.schema_check import check
from amierules.rulebook.structure import mappings_in
from amierules.rulebook.yaml_reader import load_yaml
from amierules.testing.expectations import check_expectation
from amierules.testing.model import Case, CaseFile, Decided, Given, GivenPacket, Turn, UsageCase, World
from amierules.testing.reading_given import Wrong, read_given, read_world
from amierules.testing.reading_packets import PacketReader
from amierules.testing.usage_reading import KEY, listed, read_usage_case

SCHEMA = "rule-test.schema"


def read_case_file(path: Path) -> tuple[CaseFile | None, list[Finding]]:
    """The tests of a file, or None where it cannot be used; and what is wrong with it.

    A file with an error has no tests: half of a test file would pass in silence.
    """
    text, findings = read_text(path)
    if text is None:
        return None, findings
    root, findings = load_yaml(text, shown(path))
    if root is None or findings:
        return None, findings
    findings = check(root, SCHEMA)
    if not isinstance(root, MappingNode) or any(finding.severity is Severity.ERROR for finding in findings):
        return None, findings
    reader = _FileReader(path, root)
    cases, usage = list(reader.cases()), listed(root, reader.usage_case)
    if not findings and not (cases or usage):
        hint = f"add `tests:`, or `{KEY}:` for tests of usage rules"
        findings = [Finding("missing-key", "the file has no tests", root.place, hint)]
    findings = sorted([*findings, *reader.findings], key=Finding.sort_key)
    if any(finding.severity is Severity.ERROR for finding in findings):
        return None, findings
    named = root.get("configuration")
    configuration = path.parent / named.text if isinstance(named, ScalarNode) else None
    return CaseFile(path, shown(path), root, text, configuration, cases, usage, reader.shared.world), findings


class _FileReader:
    """Reads a file that follows the schema; collects what only more than the schema can find."""

    def __init__(self, path: Path, root: MappingNode) -> None:
        self.findings: list[Finding] = []
        self._root = root
        self._names: dict[str, int] = {}
        self._packets = PacketReader(path.parent, root.get("packets"), self.findings)
        self.shared = self._given(root.get("given"), shared=True)

    def cases(self) -> Iterator[Case]:
        """The tests, each with what all of the file have in common."""
        for node in mappings_in(self._root.get("tests")):
            name = self._name(node)
            given = self.shared.and_(self._given(node.get("given")))
            turns = [self._turn(one) for one in (node, *mappings_in(node.get("then")))]
            yield Case(name.text, name.place, given, turns)

    def usage_case(self, node: MappingNode) -> UsageCase:
        """A usage test; what stands in the world of all tests of the file is nothing to it."""
        self._name(node)
        given = self.shared.and_(self._given(node.get("given")))
        return read_usage_case(node, given, self.findings)

    def _name(self, node: MappingNode) -> ScalarNode:
        name, known = node.values["name"], self._names
        assert isinstance(name, ScalarNode)  # noqa: S101 - the schema says so
        if name.text in known:
            message = f"two tests are called '{printable(name.text, 80)}'; the first is on line {known[name.text]}"
            self.findings.append(Finding("duplicate-name", message, name.place, "give each its own name"))
        known.setdefault(name.text, name.place.line)
        return name

    def _turn(self, node: MappingNode) -> Turn:
        expect = node.values["expect"]
        assert isinstance(expect, MappingNode)  # noqa: S101 - the schema says so
        self.findings += check_expectation(expect)
        crash, of = node.get("crash_after"), node.get("of")
        return Turn(
            place=node.place,
            expect=expect,
            packet=self._packet(node.get("packet")),
            later=_duration(node.get("later")),
            decided=_decided(node.get("decide")),
            world=self._world(node.get("world")),
            crash_after=crash.text if isinstance(crash, ScalarNode) else None,
            crash_place=crash.place if crash is not None else None,
            of=of.value if isinstance(of, ScalarNode) and isinstance(of.value, int) else None,
        )

    def _packet(self, node: Node | None) -> GivenPacket | None:
        return self._packets.read(node) if node is not None else None

    def _given(self, node: Node | None, *, shared: bool = False) -> Given:
        try:
            given, findings = read_given(node, shared=shared)
        except Wrong as wrong:
            self.findings.append(wrong.finding)
            return Given()
        self.findings += findings
        return given

    def _world(self, node: Node | None) -> World:
        try:
            return read_world(node)
        except Wrong as wrong:
            self.findings.append(wrong.finding)
            return World()


def _duration(node: Node | None) -> timedelta | None:
    return timedelta(seconds=duration_seconds(node.text)) if isinstance(node, ScalarNode) else None


def _decided(node: Node | None) -> Decided | None:
    if node is None:
        return None
    said = to_plain(node)
    assert isinstance(said, dict)  # noqa: S101 - the schema says so
    return Decided(said["word"], said.get("reason", ""), said.get("by", "staff"), said.get("set", {}), node.place)
