"""Commands: at most once, by a shell, or written as if a shell read them."""

import re
from collections.abc import Iterator

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.rulebook.checks.view import FileView, Surroundings
from amierules.rulebook.node_sets import wrong_node_set
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode, Style
from amierules.rulebook.positions import place_at

_SHELL = {
    **dict.fromkeys(("|", "||"), "pipes"),
    **dict.fromkeys(("&&", ";"), "joins commands"),
    **dict.fromkeys((">", ">>", "<", "2>&1", ">&1", "2>", "2>>", "&>"), "redirects"),
    "&": "puts a command into the background",
    "`": "runs a command",
}
_IN_TEXT = re.compile(
    r"(?P<operator>\|\||&&|2?>&1|&>|2?>>?|[|;&<`])|(?P<variable>\$[A-Za-z_{(][\w]*)|(?P<glob>\*)|(?P<home>(?<!\S)~(?=[\w/]|\s|$))"
)
_WORD = re.compile(r"(?P<variable>\$[A-Za-z_{(]\w*)|(?P<home>^~(?=/|$|\w))|(?P<glob>\*)")
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def check_commands(view: FileView, _surroundings: Surroundings) -> Iterator[Finding]:
    """Warnings about the commands of a file."""
    for action in view.action_nodes():
        command = action.get("command")
        if command is None:
            continue
        options = command if isinstance(command, MappingNode) else MappingNode(command.place)
        words = options.get("run") if isinstance(command, MappingNode) else command
        by_shell = _is_true(options.get("shell"))
        if not _is_true(options.get("read_only")) and options.get("unless") is None:
            message = "this command is at most once: after a crash in its midst a person must say whether it was done"
            hint = "add `unless:` that tells whether it is done, or `read_only: true` where it changes nothing"
            yield Finding("at-most-once", message, action.key_place("command"), hint, Severity.WARNING)
        if not by_shell:
            yield from _like_shell(words)
        yield from _node_sets(options.get("nodes"))
        guard = options.get("unless")
        yield from _like_shell(guard.get("run") if isinstance(guard, MappingNode) else None)


def _node_sets(node: Node | None) -> Iterator[Finding]:
    """What is wrong with sets of nodes in which no expression stands."""
    for one in node.items if isinstance(node, ListNode) else (node,):
        if isinstance(one, ScalarNode) and not _EXPRESSION.search(one.text):
            yield from wrong_node_set(one)


def _is_true(node: Node | None) -> bool:
    return isinstance(node, ScalarNode) and node.value is True


def _like_shell(node: Node | None) -> Iterator[Finding]:
    if isinstance(node, ScalarNode):
        blanked = _quotes_blanked(node.text)
        found = _IN_TEXT.search(blanked)
        if found is not None:
            yield _finding(found, place_at(node, found.start(), len(found.group())))
    elif isinstance(node, ListNode):
        for item in node.items:
            if not isinstance(item, ScalarNode) or item.style is not Style.PLAIN:
                continue
            found = _WORD.search(item.text)
            if item.text in _SHELL:
                yield _like(item.text, _SHELL[item.text], item.place)
            elif found is not None:
                yield _finding(found, place_at(item, found.start(), len(found.group())))


def _finding(found: re.Match[str], place: Place) -> Finding:
    text = found.group()
    if found.lastgroup == "operator":
        return _like(text, _SHELL.get(text, "redirects"), place)
    meaning = {"variable": "stands for a variable", "glob": "stands for file names", "home": "stands for a home folder"}
    return _like(text, meaning[found.lastgroup or "glob"], place)


def _like(text: str, meaning: str, place: Place) -> Finding:
    message = f"'{printable(text, 20)}' {meaning} in a shell only; here it is a plain text"
    hint = "quote it to say so, or use `shell: true`"
    return Finding("looks-like-shell", message, place, hint, Severity.WARNING)


def _quotes_blanked(text: str) -> str:
    """The text with expressions, quoted parts and escaped characters made blank-free filler of the same length."""
    text = _EXPRESSION.sub(lambda found: "x" * len(found.group()), text)
    kept, quote, at = [], "", 0
    while at < len(text):
        character = text[at]
        if quote:
            quote = "" if character == quote else quote
            kept.append("x")
        elif character in "'\"":
            quote = character
            kept.append("x")
        elif character == "\\":
            kept.append("xx"[: len(text) - at])
            at += 1
        else:
            kept.append(character)
        at += 1
    return "".join(kept)
