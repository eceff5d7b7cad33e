"""What the YAML parser stumbles over, said in the words of a person who writes rules."""

import re
from typing import Any

import yaml

from amierules.diagnostics import Finding, printable
from amierules.rulebook.yaml_slips import recognised
from amierules.rulebook.yaml_text import Trouble, line_end, line_start

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
    last = line_end(text, start)
    closing = text.find("}}", start, last)
    end = closing + 2 if closing >= 0 and in_flow else last
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
        found = _TEMPLATE_VALUE.search(text, line_start(text, read_up_to), line_end(text, offset))
        in_quotes = found and text[line_start(text, found.end()) : found.end()].count('"') % 2
        if found and found.end() - 2 >= read_up_to and not in_quotes:
            return found.end() - 2, unquoted_template(text, found.end() - 2, "flow" in context)[0]
    begin = min(_offset(getattr(error, "context_mark", None) or mark), len(text))
    if ("quoted scalar" in context and "end of stream" in problem) or problem == "could not find expected ':'":
        offset = begin
    slip = recognised(Trouble(text, offset, begin, problem, context))
    if slip is not None:
        return slip.offset, Finding(slip.code, slip.message, None, slip.hint)
    return offset, _syntax_finding(problem, context, text, offset)


def _syntax_finding(problem: str, context: str, text: str, offset: int) -> Finding:
    if text[offset : offset + 1] == "\t" or "tab character" in problem:
        return Finding("tab", "a tab stands where only spaces can", None, "indent with spaces")
    message, hint = _PROBLEMS.get(problem, (problem, ""))
    if "quoted scalar" in context and "end of stream" in problem:
        return Finding("yaml-syntax", "this is no YAML: the quoted text that begins here does not end", None, hint)
    if problem == "found character that cannot start any token":
        message = f"a plain value cannot begin with '{printable(text[offset : offset + 1])}'"
        hint = "put the value into quotes"
    elif problem not in _PROBLEMS and context:
        message = f"{message} ({context})"
    if problem != "could not find expected ':'" and "{{" in text[line_start(text, offset) : line_end(text, offset)]:
        hint = "put values that hold '{{ }}' into quotes"
    return Finding("yaml-syntax", f"this is no YAML: {message}", None, hint)


def _offset(mark: Any) -> int:
    return int(mark.index) if mark is not None else 0
