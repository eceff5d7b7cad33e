"""What the YAML parser stumbles over, said in the words of a person who writes rules."""

import re
from typing import Any

import yaml

from amierules.diagnostics import Finding, printable

_TEMPLATE_VALUE = re.compile(r"(?:^|[:\-\[,{?])[ \t]+\{\{|[\[,]\{\{", re.MULTILINE)
_PROBLEMS = {
    "mapping values are not allowed in this context": (
        "a ': ' stands where no key can be",
        "quote a value that holds ': '; otherwise check the indentation",
    ),
    "did not find expected key": (
        "a key is expected here",
        "keys of one mapping stand below each other; quote a value that begins with a special character",
    ),
    "did not find expected '-' indicator": ("a '-' is expected here", "items of one list stand below each other"),
    "could not find expected ':'": ("a ':' is missing", "a key is followed by ': ', like `when: project is none`"),
    "found unknown escape character": (
        "the character after '\\' is no escape",
        "write '\\\\' for a backslash, or put the text into single quotes",
    ),
    "did not find expected ',' or ']'": ("a ',' or ']' is missing", "quote items that hold brackets or braces"),
    "did not find expected ',' or '}'": ("a ',' or '}' is missing", "quote values that hold brackets or braces"),
    "did not find expected <document start>": (
        "this line does not belong to what stands before it",
        "keys of one mapping begin in the same column",
    ),
    "found unexpected end of stream": ("the file ends inside a quoted text", "close the quotes"),
    "block sequence entries are not allowed in this context": (
        "a list cannot begin here",
        "put the '-' on a line of its own, below the key",
    ),
}


def unquoted_template(text: str, start: int, in_flow: bool) -> tuple[Finding, int]:
    """The finding about a value that begins with an unquoted `{{` at `start`, and where the value ends.

    `in_flow`: whether the value stands in `[ ]` or `{ }`, where it ends with its braces, not with its line.
    """
    line_end = _line_end(text, start)
    closing = text.find("}}", start, line_end)
    end = closing + 2 if closing >= 0 and in_flow else line_end
    end = start + len(re.split(r"[ \t]+#", text[start:end])[0].rstrip())
    value = text[start:end]
    quote = "'" if '"' in value and "'" not in value else '"'
    shown = value.replace('"', '\\"') if quote == '"' else value
    hint = f"write {quote}{printable(shown, 100)}{quote}" if closing >= 0 else "put the whole value into quotes"
    message = "a value that begins with '{{' must stand in quotes, else YAML reads a mapping"
    return Finding("unquoted-template", message, None, hint), end


def explain_syntax_error(error: Exception, text: str, read_up_to: int) -> tuple[int, Finding]:
    """The offset and the finding for an error of the parser; `read_up_to` is where the last good token ended."""
    if isinstance(error, UnicodeEncodeError):
        return error.start, Finding("not-utf-8", "a character cannot be written as UTF-8")
    if isinstance(error, yaml.reader.ReaderError):
        character: str | int = error.character
        code = f"U+{ord(character) if isinstance(character, str) else character:04X}"
        message = f"a control character ({code}) is not allowed in YAML"
        return min(error.position, len(text)), Finding("control-character", message, None, "remove it")
    problem = str(getattr(error, "problem", None) or "this is no YAML")
    context = str(getattr(error, "context", None) or "")
    mark = getattr(error, "problem_mark", None)
    offset = min(_offset(mark), len(text))
    if "quoted scalar" not in context and "block scalar" not in context:
        found = _TEMPLATE_VALUE.search(text, _line_start(text, read_up_to), _line_end(text, offset))
        if found and found.end() - 2 >= read_up_to:
            return found.end() - 2, unquoted_template(text, found.end() - 2, "flow" in context)[0]
    if "quoted scalar" in context and "end of stream" in problem:
        offset = min(_offset(getattr(error, "context_mark", None) or mark), len(text))
    if problem == "could not find expected ':'":
        offset = min(_offset(getattr(error, "context_mark", None) or mark), len(text))
    met = _odd_space(text, offset) or _open_quote(text, offset)
    return met if met is not None else (offset, _syntax_finding(problem, context, text, offset))


def _odd_space(text: str, offset: int) -> tuple[int, Finding] | None:
    """A space on the line that looks like one, and is none for YAML."""
    found = re.compile("[\u00a0\u2000-\u200b\u202f\u3000]").search(
        text, _line_start(text, offset), _line_end(text, offset)
    )
    if found is None:
        return None
    message = f"a no-break or other odd space (U+{ord(found[0]):04X}) stands where YAML wants an ordinary one"
    return found.start(), Finding("odd-space", message, None, "type the space anew")


_BEGINS_QUOTED = re.compile(r"""^[ \t-]*[\w ]+:[ \t]+(?P<text>"(?:[^"\\\n]|\\.)*|'(?:[^'\n]|'')*)$""", re.MULTILINE)


def _open_quote(text: str, offset: int) -> tuple[int, Finding] | None:
    """The quoted text whose end was forgotten, where the next quote, on the line of the error, has ended it."""
    for begun in reversed(list(_BEGINS_QUOTED.finditer(text, 0, _line_start(text, offset)))):
        closing = text.find(begun["text"][0], begun.end())
        if 0 <= closing < _line_end(text, offset) and text.count("\n", closing, offset) == 0:
            line = text.count("\n", 0, closing) + 1
            message = f"this is no YAML: the quoted text that begins here ends only on line {line}"
            return begun.start("text"), Finding("yaml-syntax", message, None, "close the quotes on this line")
    return None


def _syntax_finding(problem: str, context: str, text: str, offset: int) -> Finding:
    if text[offset : offset + 1] == "\t" or "tab character" in problem:
        return Finding("tab", "a tab stands where only spaces can", None, "indent with spaces")
    message, hint = _PROBLEMS.get(problem, (problem, ""))
    if problem == "found character that cannot start any token":
        message = f"a plain value cannot begin with '{printable(text[offset : offset + 1])}'"
        hint = "put the value into quotes"
    elif problem not in _PROBLEMS and context:
        message = f"{message} ({context})"
    if problem != "could not find expected ':'" and "{{" in text[_line_start(text, offset) : _line_end(text, offset)]:
        hint = "put values that hold '{{ }}' into quotes"
    return Finding("yaml-syntax", f"this is no YAML: {message}", None, hint)


def _offset(mark: Any) -> int:
    return int(mark.index) if mark is not None else 0


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def _line_end(text: str, offset: int) -> int:
    found = re.compile(r"[\r\n]").search(text, offset)
    return found.start() if found else len(text)
