"""YAML text to nodes: strict, every mistake found at its place.

The nodes are built from the parser's events, since PyYAML's own nodes forget anchors and explicit tags.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from amierules.diagnostics import Finding, Place, printable
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode, Style, resolve
from amierules.rulebook.yaml_mistakes import explain_syntax_error, unquoted_template

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
_MOST_UNQUOTED = 20

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Source:
    """A file's text, and the place of each offset in it."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self._starts = [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", text))]

    def place(self, start: int, end: int | None = None) -> Place:
        """The place of the characters from `start` to `end`, cut at the end of the line."""
        line = bisect_right(self._starts, start) - 1
        line_end = self._starts[line + 1] if line + 1 < len(self._starts) else len(self.text)
        length = len(self.text[start : line_end if end is None or end > line_end else end].rstrip()) if end else 1
        return Place(self.file, line + 1, start - self._starts[line] + 1, max(1, length))


def load_yaml(text: str, file: str, *, max_bytes: int = MAX_BYTES) -> tuple[Node | None, list[Finding]]:
    """The one document of a YAML text as nodes, or None where it cannot be read; and what is wrong with it.

    The nodes are whole even where there are findings such as a duplicate key, so that later checks can go on.
    """
    text = text.removeprefix("\ufeff")
    source = Source(text, file)
    if len(text) > max_bytes or len(text.encode("utf-8", "replace")) > max_bytes:
        return None, [too_large(file, max_bytes)]
    nul = text.find("\0")
    if nul >= 0:
        return None, [Finding("nul-character", "the file holds a NUL character", source.place(nul))]
    return _read(source)


def _read(source: Source) -> tuple[Node | None, list[Finding]]:
    """Parses; an unquoted template is blanked out and the text parsed again, so that all mistakes are found at once."""
    text, unquoted = source.text, []
    for _ in range(_MOST_UNQUOTED):
        builder = _Builder(source, text)
        found = _attempt(builder)
        if found is None:
            break
        finding, start, end = found
        unquoted.append(_placed(finding, source.place(start, end)))
        text = text[:start] + "x" * (end - start) + text[end:]
    if builder.root is None and not (builder.findings or unquoted):
        builder.findings.append(Finding("empty-file", "the file is empty", Place(source.file)))
    if unquoted:
        return None, [*unquoted, *(finding for finding in builder.findings if finding.code != "yaml-syntax")]
    return builder.root, builder.findings


def _attempt(builder: "_Builder") -> tuple[Finding, int, int] | None:
    """Lets the builder read; returns the unquoted template that it met, with its offsets. Other findings stay in it."""
    try:
        builder.read(yaml.parse(builder.text, Loader=_LOADER))
    except _UnquotedTemplate as met:
        finding, end = unquoted_template(builder.text, met.start, met.in_flow)
        return finding, met.start, end
    except _Unreadable as unreadable:
        builder.root = None
        builder.findings.append(unreadable.finding)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        builder.root = None
        offset, finding = explain_syntax_error(error, builder.text, builder.last_end)
        builder.findings.append(_placed(finding, builder.source.place(offset)))
    return None


def too_large(file: str, max_bytes: int) -> Finding:
    """The finding for a file of more than so many bytes."""
    return Finding("too-large", f"the file is larger than {max_bytes / 1_000_000:g} MB", Place(file))


def _placed(finding: Finding, place: Place) -> Finding:
    return Finding(finding.code, finding.message, place, finding.hint, finding.severity)


class _Unreadable(Exception):
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


class _UnquotedTemplate(Exception):
    def __init__(self, start: int, in_flow: bool) -> None:
        super().__init__(start)
        self.start = start
        self.in_flow = in_flow


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    place: Place
    is_mapping: bool
    in_flow: bool
    nodes: list[Node] = field(default_factory=list)


class _Builder:
    """Takes the parser's events, one after the other; no recursion, so that depth is ours to limit."""

    def __init__(self, source: Source, text: str) -> None:
        self.source = source
        self.text = text
        self.findings: list[Finding] = []
        self.root: Node | None = None
        self.last_end = 0
        self._open: list[_Open] = []
        self._documents = 0

    def read(self, events: Iterator[Any]) -> None:
        """Builds `root`. Raises `_Unreadable` where nothing after the event can be trusted."""
        for event in events:
            self._take(event)
            if not isinstance(event, yaml.StreamEndEvent | yaml.DocumentEndEvent):
                self.last_end = max(self.last_end, event.end_mark.index)

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._refuse_decorations(event)
                self._add(self._scalar(event))
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._refuse_decorations(event)
                self._begin(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._end()
            case yaml.AliasEvent():
                place = self._place(event)
                hint = "files have no anchors and aliases: write the value out, or put it into quotes"
                self._find("alias", f"'*{printable(event.anchor, 60)}' is an alias", place, hint)
                self._add(ScalarNode(place, None, "", ""))
            case yaml.DocumentStartEvent():
                self._begin_document(event)

    def _begin_document(self, event: yaml.Event) -> None:
        self._documents += 1
        if self._documents > 1:
            hint = "put the second document into a file of its own"
            raise _Unreadable(Finding("several-documents", "a second document begins here", self._place(event), hint))

    def _begin(self, event: yaml.NodeEvent) -> None:
        start, _ = _span(event)
        if len(self._open) >= MAX_DEPTH:
            message = f"the file is nested more than {MAX_DEPTH} deep"
            raise _Unreadable(Finding("too-deep", message, self.source.place(start)))
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if is_mapping and self.text.startswith("{{", start):
            raise _UnquotedTemplate(start, bool(self._open) and self._open[-1].in_flow)
        in_flow = self.text[start : start + 1] in ("[", "{")
        self._open.append(_Open(self.source.place(start), is_mapping, in_flow))

    def _end(self) -> None:
        done = self._open.pop()
        self._add(self._mapping(done) if done.is_mapping else ListNode(done.place, tuple(done.nodes)))

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1].nodes.append(node)
        elif self._documents == 1:
            self.root = node

    def _scalar(self, event: yaml.ScalarEvent) -> ScalarNode:
        start, end = _span(event)
        style = Style(event.style) if event.style in ("'", '"', "|", ">") else Style.PLAIN
        if not event.value and style is Style.PLAIN and not (event.anchor or event.tag):
            end = start
        if "\0" in event.value:
            self._find("nul-character", "the value holds a NUL character", self.source.place(start, end), "")
        value = resolve(event.value) if style is Style.PLAIN else event.value
        if event.value == "" and style is Style.PLAIN:
            return ScalarNode(self._before(start), None, "", "")
        raw = self.text[start:end]
        return ScalarNode(self.source.place(start, end), value, event.value, raw, style)

    def _before(self, offset: int) -> Place:
        """The place of a value that is not there: where the text before it ends, not on the next line."""
        while offset > 0 and self.text[offset - 1].isspace():
            offset -= 1
        return self.source.place(max(0, offset - 1))

    def _mapping(self, done: _Open) -> MappingNode:
        mapping = MappingNode(done.place)
        for key, value in zip(done.nodes[::2], done.nodes[1::2], strict=True):
            if not isinstance(key, ScalarNode):
                self._find("bad-key", "a key must be a text, not a list or mapping", key.place, "")
            elif key.text == "<<" and key.style is Style.PLAIN:
                self._find(
                    "merge-key", "'<<' is a merge key", key.place, "write the keys out; files have no merge keys"
                )
            elif key.text in mapping.keys:
                first = mapping.keys[key.text].place.line
                message = f"'{printable(key.text, 60)}' is given twice; the first is on line {first}"
                if self._begins_an_item(key, mapping):
                    hint = f"where another item begins, write '- {printable(key.text, 60)}:'; else remove one of them"
                    self._find("duplicate-key", message, key.place, hint)
                    break
                self._find("duplicate-key", message, key.place, "remove one of them")
            else:
                mapping.keys[key.text] = key
                mapping.values[key.text] = value
        return mapping

    def _begins_an_item(self, key: ScalarNode, mapping: MappingNode) -> bool:
        """Whether a key that is given twice most likely begins an item of a list whose dash is missing."""
        in_list = bool(self._open) and not self._open[-1].is_mapping and not self._open[-1].in_flow
        return in_list and key.text == next(iter(mapping.keys)) and key.place.line > mapping.place.line

    def _refuse_decorations(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            hint = "files have no anchors and aliases: remove it, or put the value into quotes"
            self._find("anchor", f"'&{printable(event.anchor, 60)}' is an anchor", self._place(event), hint)
        if event.tag is not None:
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")
            hint = "files have no tags: remove it, or put the value into quotes; `not` is written out"
            if "vault" in event.tag:
                hint = "name the secret under `secrets` in amierules.yaml, and write {{ secret.NAME }}"
            self._find("tag", f"'{printable(shown, 60)}' is a YAML tag", self._place(event), hint)

    def _place(self, event: yaml.Event) -> Place:
        return self.source.place(*_span(event))

    def _find(self, code: str, message: str, place: Place, hint: str) -> None:
        self.findings.append(Finding(code, message, place, hint))


def _span(event: yaml.Event) -> tuple[int, int]:
    """The offsets at which an event begins and ends; the parsers set both marks on every event."""
    start, end = event.start_mark, event.end_mark
    return (start.index if start else 0), (end.index if end else 0)
