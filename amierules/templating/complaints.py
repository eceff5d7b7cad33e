"""What is said of a value that does not go well with what is done to it, and where."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jinja2 import nodes

from amierules.diagnostics import Severity, printable
from amierules.diagnostics.suggest import hint_for
from amierules.templating.access import DATE_PARTS, DURATION_PARTS, TIME_PARTS
from amierules.templating.choices import never_equal
from amierules.templating.facts import path_of
from amierules.templating.foreign import TAGS
from amierules.templating.static import A_NUMBER, ANYTHING, Nothing, Static
from amierules.templating.static_calls import ON_LISTS, ON_TEXT, TAKES_NONE, method_of
from amierules.templating.values import BOOLEAN, DATE, DATETIME, DURATION, FUNCTION, LIST, MAPPING, NUMBER, TEXT

_ELSE = "a condition that needs it stands behind `and`, or in a rule where it is known"


@dataclass(frozen=True)
class Doubt:
    """What cannot go well in an expression; `offset` and `length` say where in its source."""

    code: str
    message: str
    offset: int
    length: int
    hint: str = ""
    severity: Severity = Severity.ERROR
    about: str = ""
    """The path of the value that it is about: one finding is enough for all its uses."""


class Complaints:
    """Reports doubts about the expressions of one source."""

    def __init__(self, source: str, report: Callable[[Doubt], None]) -> None:
        self._source = source
        self._report = report

    def in_text(self, value: Static, node: nodes.Node) -> None:
        """A value that goes into a text."""
        if value.nothing is Nothing.ALWAYS:
            self.doubt(
                "none-in-text", "this is none, and a text needs a value", node, "give it a value, or leave it out"
            )
        elif value.kind in (LIST, MAPPING):
            remedy = (
                "join it (`| join(', ')`), or take an item of it" if value.kind == LIST else "write an attribute of it"
            )
            self.doubt("not-text", f"{value.kind} cannot be put into a text", node, remedy)
        elif value.kind == FUNCTION:
            self.not_called(node)
        elif value.nothing is Nothing.MAYBE:
            path = path_of(node) or "the value"
            message = f"'{path}' may be none{_because(value)}, and then this text cannot be made"
            hint = f"write {path} or ''" if path_of(node) else "give it a default with `or`"
            self.doubt("none-in-text", message, node, hint, Severity.WARNING)

    def attribute(self, base: Static, node: nodes.Node, name: str, place: tuple[int, int]) -> Static:
        """What is known of `base.name`."""
        found: Static | None = ANYTHING
        choices: Iterable[str] = ()
        match base.kind:
            case "a mapping" if base.attributes is not None:
                choices, found = base.attributes, base.attributes.get(name)
            case "a text":
                found = method_of(name)
            case "a date" | "a datetime":
                choices = DATE_PARTS if base.kind == DATE else TIME_PARTS
            case "a duration":
                choices = DURATION_PARTS
            case "a number" | "a boolean" | "a list":
                found = None
        if found is ANYTHING and choices:
            found = A_NUMBER if name in choices else None
        if found is None:
            what = base.what or (path_of(node) and f"'{path_of(node)}'") or base.kind or "it"
            kind = f", which is {base.kind}," if base.kind not in (MAPPING, None) and path_of(node) else ""
            noun = {"unknown-tag": "tag", "unknown-setting": "setting"}.get(base.code, "attribute")
            message = f"{what}{kind} has no {noun} '{printable(name, 60)}'"
            foreign = TAGS.get(name) if base.code == "unknown-tag" else None
            hint = foreign or (hint_for(name, choices) if choices else _list_hint(base.kind)) or base.remedy
            self._report(Doubt(base.code, message, *place, hint))
            return ANYTHING
        self.used(base, node, f"asked for .{name}")
        if name in base.partly:
            message = f"'{printable(name, 60)}' is not always there: {base.partly[name]}"
            self._report(Doubt("sometimes-missing", message, *place, "give it a value everywhere", Severity.WARNING))
        return found

    def used(self, base: Static, node: nodes.Node, how: str) -> None:
        """A value that is asked for something that none does not have."""
        path = path_of(node)
        if base.kind == FUNCTION:
            self.not_called(node)
        elif base.nothing is Nothing.ALWAYS:
            self.doubt("none-used", f"'{path or 'none'}' is none here, and is {how}", node, _ELSE, about=path or "")
        elif base.nothing is Nothing.MAYBE:
            message = f"'{path or 'the value'}' may be none{_because(base)}, and is {how}"
            hint = f"ask `{path} is not none` first" if path else "give it a default with `or`"
            self.doubt("may-be-none", message, node, hint, Severity.WARNING)

    def needed(self, value: Static, node: nodes.Node, how: str) -> None:
        """A value where none will not do."""
        if value.nothing in (Nothing.MAYBE, Nothing.ALWAYS):
            self.used(value, node, how)

    def never_equal(self, value: Static, other: nodes.Expr) -> None:
        """A value that is compared with a text that it never is."""
        for item, message, hint in never_equal(value, other):
            self.doubt("constant-condition", printable(message), item, printable(hint), Severity.WARNING)

    def filtered(self, node: nodes.Filter, value: Static) -> None:
        """A value that is given to a filter."""
        given = node.node
        if given is None:
            return
        if node.name not in TAKES_NONE:
            self.needed(value, given, f"given to the filter {node.name}")
        if node.name in ON_TEXT and value.kind in (LIST, MAPPING):
            message = f"the filter {node.name} works on a text, not on {value.kind}"
            self.doubt("not-text", message, given, _list_hint(value.kind))
        elif node.name in ON_LISTS and value.kind in (TEXT, NUMBER, BOOLEAN, DATE, DATETIME, DURATION):
            self.doubt("not-a-list", f"the filter {node.name} works on a list, not on {value.kind}", given)

    def not_called(self, node: nodes.Node) -> None:
        """A function that stands where a value is needed."""
        path = path_of(node) or "this"
        self.doubt("not-called", f"'{path}' is a function", node, f"write {path}()")

    def doubt(
        self,
        code: str,
        message: str,
        node: nodes.Node,
        hint: str = "",
        severity: Severity = Severity.ERROR,
        about: str = "",
    ) -> None:
        """Reports a doubt about an expression, at its beginning."""
        self._report(Doubt(code, message, *self.place(node), hint, severity, about or path_of(node) or ""))

    def start(self, node: nodes.Node) -> int:
        """The offset at which an expression begins."""
        starts = [one.lineno for one in (node, *node.find_all(nodes.Node)) if one.lineno is not None]
        return min(starts, default=0)

    def place(self, node: nodes.Node) -> tuple[int, int]:
        """The offset of an expression, and the length of its first name or literal."""
        start, path = self.start(node), path_of(node)
        if path is not None and self._source.startswith(path, start):
            return start, len(path)
        found = re.compile(r"[\w.]+|'[^']*'|\"[^\"]*\"").match(self._source, start)
        return start, len(found.group()) if found else 1

    def place_of_text(self, node: nodes.Node, text: str) -> tuple[int, int]:
        """The offset and length of a literal text in an expression."""
        start = self._source.find(text, self.start(node))
        return (start, len(text)) if start >= 0 else (self.start(node), 1)


def _because(value: Static) -> str:
    return f" ({value.why})" if value.why else ""


def _list_hint(kind: str | None) -> str:
    return "take an item of it (`| first`), or join it (`| join(', ')`)" if kind == LIST else ""
