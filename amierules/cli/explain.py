"""`amierules explain`: what a word means: a packet type, a tag, a kind, a packet, a code, a status."""

import os
import re
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from amierules.actions.schemas import kind_schemas
from amierules.cli.console import paint, say, say_json, tell, terminal_width, wrapped
from amierules.cli.ending import command
from amierules.cli.explain_packet import packet_json, packet_lines
from amierules.cli.explain_text import topic_lines
from amierules.cli.markdown import say_markdown
from amierules.cli.opening import open_site, packet_ids
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat
from amierules.diagnostics import AmierulesError, ExitStatus, Finding, NotAllowed, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.engine.explained import explained, kept_explained
from amierules.engine.key_topics import Topic
from amierules.engine.pages import pages_with
from amierules.engine.topics import exit_status, topics_of, words
from amierules.rulebook.configuration import load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.rulebook.model import Rulebook
from amierules.templating import Environment


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(help=_HELP)(command(explain))


_HELP = """Explain a word: a packet type, tag, kind of action, key, block, code, status, exit status, or a packet.

Of a packet: which rules were considered, what each `when` saw, the plan, and the journal.

\b
  amierules explain request_account_create   its tags, reply and rules
  amierules explain UserDnList               a tag: what it holds, where
  amierules explain user                     a kind: parameters, result
  amierules explain hold                     a key: what it means, where
  amierules explain quote-me                 a code that validate printed
  amierules explain parked                   a status: what to do now
  amierules explain exit-3                   an exit status
  amierules explain crashes                  a page of the documentation
  amierules explain pages                    which pages there are
  amierules explain 17                       a packet, by its id; or r:ID
"""

_ID = re.compile(r"(r:)?[0-9]+")
_PAGES_NAMED = 3


def explain(
    word: Annotated[str, typer.Argument(metavar="WORD", help="What to explain.")],
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """Explain a word."""
    if _ID.fullmatch(word):
        return _explain_number(word, config, format)
    rulebook = _rulebook(config)
    found = topics_of(word, rulebook)
    if not found:
        meant = did_you_mean(word, words(rulebook))
        hint = f"did you mean '{meant}'?" if meant else _pages_or_kinds(word)
        raise NotAllowed(Finding("unknown-word", f"'{printable(word, 60)}' is not known here", hint=hint))
    if format is OutputFormat.text and rulebook is None and any("rules" in topic for topic in found):
        tell("there is no configuration here, so the rules that answer it are not shown")
    _show(found, format)
    return ExitStatus.OK


def _explain_number(word: str, config: Path | None, format: OutputFormat) -> ExitStatus:
    """A packet's id; where no packet has it, an exit status."""
    statuses = [exit_status(status) for status in ExitStatus if str(int(status)) == word]
    try:
        _explain_packet(word, config, format)
    except AmierulesError:
        if not statuses:
            raise
        _show(statuses, format)
        return ExitStatus.OK
    if statuses and format is OutputFormat.text:
        tell(f"{word} is an exit status too: `amierules explain exit-{word}`")
    return ExitStatus.OK


def _explain_packet(word: str, config: Path | None, format: OutputFormat) -> None:
    with open_site(config, create=False) as site:
        kept = kept_explained(site, word)
        found = explained(site, packet_ids(site, [word])[0]) if kept is None else kept
    if format is OutputFormat.json:
        _say([packet_json(found)])
        return
    for line in packet_lines(found, terminal_width()):
        say(wrapped(line))


def _pages_or_kinds(word: str) -> str:
    """Where a word that has no topic of its own is spoken of."""
    if named := list(islice(pages_with(word), _PAGES_NAMED)):
        return f"these pages speak of it: {', '.join(named)} (`amierules explain {named[0]}`)"
    return "a packet type, tag, kind, key, block, id, code, status, exit-N, or a page: `amierules explain pages`"


def _show(found: list[Topic], format: OutputFormat) -> None:
    if format is OutputFormat.json:
        _say(found)
        return
    if len(found) > 1 and found[-1]["topic"] == "page":
        name = found.pop()["name"]
        tell(f"{name} is a page of the documentation too: `amierules explain page:{name}`")
    for number, topic in enumerate(found):
        if number:
            say()
        if topic["topic"] == "page":
            say_markdown(topic["text"])
            continue
        for line in topic_lines(topic, paint, terminal_width()):
            say(line)


def _say(topics: list[dict[str, Any]]) -> None:
    say_json({"format_version": 1, "topics": topics})


def _rulebook(config: Path | None) -> Rulebook | None:
    """The site's rules; None where no configuration is to be had, since most words need none."""
    configuration, _findings = load_configuration(config, os.environ)
    if configuration is None:
        return None
    return load_rulebook(configuration.rules, kind_schemas(), Environment())[0]
