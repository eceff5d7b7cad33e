"""Topics as people read them."""

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from amierules.diagnostics import printable

Paint = Callable[[str, str], str]
Topic = dict[str, Any]

_DIRECTIONS = {"to_site": "to the site", "from_site": "from the site", "both": "both ways", "unused": "unused"}
_FOUND_BY = {
    "validate": "by `validate`, in rules and configuration",
    "run": "by `run` and `dry-run`, where an expression is evaluated",
    "load": "in packets, by `load` and `run`",
    "registry": "by `registry`",
    "db": "in the database, by any command that opens it, `db check` and `doctor`",
    "command": "by the command line",
}
_MINUTES_A_DAY = 24 * 60


def topic_lines(topic: Topic, paint: Paint, width: int) -> Iterator[str]:
    """The lines of one topic."""
    yield paint(f"{topic['name']}: {_title(topic)}", "strong")
    yield from _paragraph(topic["description"], width)
    yield from _SECTIONS.get(topic["topic"], _nothing_more)(topic, width)
    if topic.get("remedy"):
        yield from _paragraph(topic["remedy"], width)
    yield from _examples(topic)


def _title(topic: Topic) -> str:
    match topic["topic"]:
        case "packet type":
            return f"packet type {topic['number']}, {_DIRECTIONS[topic['direction']]}"
        case "exit status":
            return f"exit status {topic['number']}"
        case "kind":
            return "a kind of action"
        case "code":
            return f"the code of {_a(topic['severity'])}"
        case "key":
            return f"a key of {topic['place']}, {topic['value']}"
        case "block":
            return f"a block, {printable(topic['file'])}"
        case "pages":
            return "`amierules explain NAME` shows one"
    return _a(topic["topic"])


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _packet_type(topic: Topic, width: int) -> Iterator[str]:
    for reply in topic["expected_replies"]:
        within = f" within {reply['minutes'] / _MINUTES_A_DAY:g} days" if reply["minutes"] else ""
        yield from ("", f"reply: {reply['type']}{within}")
        if reply["required"]:
            yield from _paragraph("must have " + ", ".join(reply["required"]), width)
    if not topic["expected_replies"]:
        yield from ("", "reply: none; rules end with `complete` or `ignore`")
    if topic["rules"] is not None:
        yield from _rules(topic["rules"], width)
    yield from ("", "tags (* required)")
    names = max((len(tag["name"]) for tag in topic["tags"]), default=0)
    for tag in sorted(topic["tags"], key=lambda tag: (not tag["required"], tag["name"])):
        mark = "*" if tag["required"] else " "
        yield from _hanging(f"{mark} {tag['name']:<{names}}  {tag['kind']:<8}  ", tag["description"], width)
    for group in topic["at_least_one_of"]:
        yield from _paragraph("at least one of " + ", ".join(group), width)
    for rule in topic["required_where"]:
        where = f"{rule['where']} is {' or '.join(rule['is'])}" if rule["where"] else ", ".join(rule["any_present"])
        yield from _paragraph(f"required where {where}: {', '.join(rule['tags'])}", width)
    yield ""
    yield from _paragraph(f"Source: {topic['source']}.", width)


def _rules(rules: Topic, width: int) -> Iterator[str]:
    yield ""
    if rules["broken"]:
        yield "rules: none can be used"
        yield from _paragraph(printable(rules["broken"], 500), width)
    elif rules["file"] is None:
        yield "rules: none; such packets are parked"
    else:
        yield f"rules, {printable(rules['file'])}"
    for rule in rules["rules"]:
        when = f"when {printable(rule['when'], 300)}" if rule["when"] else "always"
        steps = f", {len(rule['actions'])} action{'s' * (len(rule['actions']) != 1)}" if rule["actions"] else ""
        yield f"  {rule['line']:>4}  {printable(rule['name'])}: {rule['outcome']}{steps}"
        yield from _wrapped(when, width, " " * 8)


def _tag(topic: Topic, width: int) -> Iterator[str]:
    yield from _paragraph(f"Holds: {topic['kind']}{_choices(topic['choices'])}.", width)
    if topic["constraint"]:
        yield from _paragraph(f"Its value: {topic['constraint']}.", width)
    if topic["subtags"]:
        yield from _paragraph(f"Subtags: {', '.join(topic['subtags'])}.", width)
    if topic["needs"]:
        yield from _paragraph(f"Only beside {topic['needs']}.", width)
    yield from ("", "packet types (* required)")
    for where in topic["in"]:
        yield f"{'*' if where['required'] else ' '} {where['type']}"


def _kind(topic: Topic, width: int) -> Iterator[str]:
    yield from _parameters(topic["parameters"], width)
    yield from _results(topic["results"], width)
    yield ""
    yield from _paragraph(topic["after_a_crash"], width)


def _key(topic: Topic, width: int) -> Iterator[str]:
    yield from _parameters(topic["parameters"], width, "below it (* required)")


def _block(topic: Topic, width: int) -> Iterator[str]:
    yield from _parameters(topic["parameters"], width)
    yield from _results(topic["results"], width)
    yield from ("", "actions")
    yield from (f"  {printable(name)}" for name in topic["actions"])


def _parameters(parameters: list[Topic], width: int, title: str = "parameters (* required)") -> Iterator[str]:
    if parameters:
        yield from ("", title)
    for one in parameters:
        default = f", {json.dumps(one['default'], ensure_ascii=False)} by default" if "default" in one else ""
        yield f"{'*' if one['required'] else ' '} {one['name']}: {one['value']}{_choices(one['choices'])}{default}"
        yield from _wrapped(one["description"], width, " " * 6)


def _results(results: dict[str, str], width: int) -> Iterator[str]:
    if results:
        yield from ("", "result, as `register` names it")
    names = max(map(len, results), default=0)
    for name, text in results.items():
        yield from _hanging(f"  {name:<{names}}  ", text, width)


def _code(topic: Topic, width: int) -> Iterator[str]:
    yield from _paragraph(f"Found {_FOUND_BY[topic['found_by']]}.", width)


def _pages(topic: Topic, width: int) -> Iterator[str]:
    names = max(len(page["name"]) for page in topic["pages"])
    yield ""
    for page in topic["pages"]:
        yield from _hanging(f"  {page['name']:<{names}}  ", page["title"], width)


def _nothing_more(_topic: Topic, _width: int) -> Iterator[str]:
    yield from ()


_SECTIONS: dict[str, Callable[[Topic, int], Iterator[str]]] = {
    "packet type": _packet_type,
    "tag": _tag,
    "kind": _kind,
    "key": _key,
    "block": _block,
    "code": _code,
    "pages": _pages,
}


def _examples(topic: Topic) -> Iterator[str]:
    for example in topic.get("examples", ()):
        yield from ("", *_indented(example))
    for what in ("bad", "good"):
        if topic.get(what):
            yield from ("", f"{'Wrong' if what == 'bad' else 'Right'}:", *_indented(topic[what]))


def _indented(text: str) -> Iterable[str]:
    return (f"  {printable(line, 400)}" for line in text.rstrip("\n").split("\n"))


def _choices(choices: list[Any]) -> str:
    return f" ({', '.join(str(choice) for choice in choices)})" if choices else ""


def _paragraph(text: str, width: int) -> list[str]:
    return _wrapped(text, width, "  ")


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        printable(text, 2000),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _hanging(start: str, text: str, width: int) -> list[str]:
    lines = _wrapped(text, width, " " * len(start))
    return [start + lines[0].lstrip(), *lines[1:]] if lines else [start.rstrip()]
