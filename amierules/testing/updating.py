"""Expectations rewritten in a test file to what came: only what differs, so that comments and the rest stay."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import yaml

from amierules.rulebook.nodes import resolve
from amierules.rulebook.yaml_writing import block, inline
from amierules.testing.diffing import in_order
from amierules.testing.expectations import PARTIAL, STATUS_OF
from amierules.testing.model import Case
from amierules.testing.running import Result
from amierules.testing.usage_reading import KEY as USAGE_TESTS

_REGISTRY = ("persons", "projects", "allocations", "accounts")
_CHANGES = "changes"
_WIDTH = 120


@dataclass(frozen=True)
class _Edit:
    """A slice of the text, and what stands there instead."""

    start: int
    end: int
    text: str


def updated(text: str, results: Iterable[Result]) -> str:
    """The text of a test file, which could be read, with the expectations of failed tests as they came."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    edits = [edit for result in results for edit in _edits(text, root, result)]
    # Of two that begin at one place, the later one stands after the other.
    for _, edit in sorted(enumerate(edits), key=lambda one: (one[1].start, one[0]), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _edits(text: str, root: Any, result: Result) -> Iterator[_Edit]:
    differences = [failure.difference for failure in result.failures if failure.difference is not None]
    if not differences:
        return
    node, in_flow = _expectation(root, result)
    came: dict[str, Any] = {}
    replaced: set[str] = set()
    for one in differences:
        if one.what == "outcome":
            came |= one.came
            replaced |= set(STATUS_OF)
        elif one.what in _REGISTRY:
            came.setdefault("registry", _plain(_value(node, "registry")))[one.what] = one.came
        else:
            came[one.what] = one.came
            replaced.add(one.what)
    yield from _Writer(text, in_flow).entries(node, came, sorted(replaced))


def _expectation(root: Any, result: Result) -> tuple[Any, bool]:
    """The `expect` of the turn that failed, and whether it stands within braces or brackets."""
    key, cases = ("tests", result.file.cases) if isinstance(result.case, Case) else (USAGE_TESTS, result.file.usage)
    number = cases.index(result.case)
    turn: tuple[str | int, ...] = ("then", result.turn - 1) if result.turn else ()
    node, in_flow = root, False
    for step in (key, number, *turn, "expect"):
        in_flow = in_flow or bool(node.flow_style)
        node = _value(node, step) if isinstance(step, str) else node.value[step]
    return node, in_flow


def _value(node: Any, key: str) -> Any:
    return next((value for name, value in node.value if name.value == key), None)


@dataclass(frozen=True)
class _Writer:
    """Makes the edits of one text."""

    text: str
    in_flow: bool

    def entries(self, node: Any, came: Mapping[str, Any], replaced: Sequence[str]) -> Iterator[_Edit]:
        """The edits by which a mapping has these entries; of the `replaced` keys those that did not come go."""
        there = {name.value: (name, value) for name, value in node.value}
        coming = {name: value for name, value in came.items() if value not in ([], {}) or name in there}
        gone = [name for name in there if name in replaced and name not in coming]
        if node.flow_style or any(self._shares_a_line(there[name][0]) for name in gone):
            kept = {name: _plain(value) for name, (_, value) in there.items() if name not in gone}
            yield self._whole(node, {**kept, **coming})
            return
        for name in there:
            if name in coming:
                yield from self._value(there[name][1], coming[name])
        outcome = next((key for name, (key, _) in there.items() if name in STATUS_OF), None)
        if _CHANGES in coming and _CHANGES not in there and outcome is not None:
            # What a packet comes to stands after what is done.
            changes = block({_CHANGES: coming.pop(_CHANGES)}, node.start_mark.column)
            yield self._inserted(self._line_start(outcome), "".join(f"{line}\n" for line in changes))
        new = {name: value for name, value in coming.items() if name not in there}
        lines = "".join(f"{line}\n" for line in block(new, node.start_mark.column)) if new else ""
        for name in gone:
            # What is new stands where the first of those stood that are gone.
            yield _Edit(self._line_start(there[name][0]), self._line_end(there[name][1]), lines)
            lines = ""
        if lines:
            yield self._inserted(self._line_end(node), lines)

    def _value(self, node: Any, came: Any) -> Iterator[_Edit]:
        """The edits by which a node has this value."""
        plain = _plain(node)
        came = in_order(came, plain)
        if _normal(plain) == _normal(came):
            return
        if isinstance(node, yaml.MappingNode) and isinstance(came, dict) and came and not node.flow_style:
            yield from self.entries(node, came, [name for name in plain if name != PARTIAL])
        elif isinstance(node, yaml.SequenceNode) and isinstance(came, list) and came and not node.flow_style:
            yield from self._items(node, plain, came)
        else:
            partial = isinstance(plain, dict) and isinstance(came, dict) and PARTIAL in plain
            yield self._whole(node, {PARTIAL: plain[PARTIAL], **came} if partial else came)

    def _items(self, node: Any, plain: Sequence[Any], came: Sequence[Any]) -> Iterator[_Edit]:
        there, coming = ([repr(_normal(one)) for one in listed] for listed in (plain, came))
        for tag, at, end, at_came, end_came in SequenceMatcher(None, there, coming, autojunk=False).get_opcodes():
            if tag == "equal":
                continue
            if end - at == end_came - at_came:
                for child, one in zip(node.value[at:end], came[at_came:end_came], strict=True):
                    yield from self._value(child, one)
                continue
            listed = list(came[at_came:end_came])
            lines = "".join(f"{line}\n" for line in block(listed, node.start_mark.column)) if listed else ""
            if at == end:
                before = node.value[at - 1] if at else None
                yield self._inserted(self._line_end(before) if before else self._line_start(node), lines)
            else:
                start = self._line_start(node.value[at])
                yield _Edit(start, self._line_end(node.value[end - 1]), lines)

    def _inserted(self, at: int, lines: str) -> _Edit:
        return _Edit(at, at, lines if self.text[:at].endswith("\n") else f"\n{lines}")

    def _whole(self, node: Any, came: Any) -> _Edit:
        """The edit that replaces a node as a whole, on one line or on lines of its own."""
        start, end = node.start_mark.index, _end(node)
        after = "\n" if self.text[start:end].endswith("\n") else ""
        line_start = self.text.rfind("\n", 0, start) + 1
        before = self.text[line_start:start]
        fits = len(before) + len(inline(came)) <= _WIDTH
        if fits or self.in_flow or not before.rstrip().endswith(":") or not isinstance(came, dict | list):
            return _Edit(start, end, inline(came) + after)
        indent = len(before) - len(before.lstrip(" -")) + 2
        return _Edit(line_start + len(before.rstrip()), end, "\n" + "\n".join(block(came, indent)) + after)

    def _shares_a_line(self, node: Any) -> bool:
        return bool(self.text[self._line_start(node) : node.start_mark.index].strip())

    def _line_start(self, node: Any) -> int:
        return self.text.rfind("\n", 0, node.start_mark.index) + 1

    def _line_end(self, node: Any) -> int:
        """Where the line ends that the node ends on, with its line break."""
        end = _end(node)
        if self.text[:end].endswith("\n"):
            return end
        at = self.text.find("\n", end)
        return at + 1 if at >= 0 else len(self.text)


def _end(node: Any) -> int:
    """Where a node's own text ends: PyYAML's mark of a block is at whatever follows, after comments."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        end: int = node.end_mark.index
        return end
    last = node.value[-1]
    return _end(last[1] if isinstance(node, yaml.MappingNode) else last)


def _plain(node: Any) -> Any:
    """A node as our own reader understands it."""
    if isinstance(node, yaml.MappingNode):
        return {name.value: _plain(value) for name, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return resolve(node.value) if node.style is None else node.value


def _normal(value: Any) -> Any:
    """A value in a form in which what means the same is the same: words as a text, nothing about `partial`."""
    if isinstance(value, dict):
        words = value.get("run")
        run = {"run": shlex.join(shlex.split(words) if isinstance(words, str) else words)} if words else {}
        return {name: _normal(one) for name, one in {**value, **run}.items() if name != PARTIAL}
    return [_normal(one) for one in value] if isinstance(value, list) else value
