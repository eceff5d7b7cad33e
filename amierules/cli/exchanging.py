"""What `exchange` and `run --exchange` show of an exchange of packets, and how they end it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from amierules.cli.console import paint, row_width, say, shortened, tell, tell_findings
from amierules.cli.ending import leave_output
from amierules.database.notices import Bell
from amierules.database.posts import ACKNOWLEDGEMENT, REFUSED, SENT, Posted, ToPost
from amierules.diagnostics import ExitStatus, Severity, printable
from amierules.engine.site import Site
from amierules.exchange.exchanger import Exchanger
from amierules.exchange.fetching import Fetched
from amierules.exchange.line import Results
from amierules.exchange.remote import PATIENCE


@dataclass
class Ending:
    """Whether it was asked to end; ends what it waits for then. Its methods may be called by a signal's handler."""

    asked: bool = False
    _bell: Bell = field(default_factory=Bell)

    def end(self) -> None:
        """Asks it to end."""
        self.asked = True
        self._bell.ring()

    def pause(self, seconds: float) -> bool:
        """Waits so many seconds; False where it is asked to end."""
        return not (self.asked or self._bell.wait(seconds) or self.asked)


def run_exchanger(site: Site, ending: Ending, *, watch: bool) -> Exchanger:
    """What exchanges packets beside a run. Raises `Invalid` where that cannot be."""
    exchanger = Exchanger(
        site,
        on_fetched=tell_fetched if watch else lambda name, fetched: None,
        on_posted=say_posted if watch else None,
        say=tell if watch else lambda text: None,
        stopped=lambda: ending.asked,
        patience=replace(PATIENCE, wait=ending.pause),
        # Whoever watches looks up a lost answer in a later round.
        wait=(lambda seconds: False) if watch else ending.pause,
    )
    exchanger.check()
    return exchanger


def end_exchange(exchanger: Exchanger) -> list[ExitStatus]:
    """Tells what came of an exchange; the exit statuses that apply."""
    for one in exchanger.results:
        for posted in one.posted:
            say_posted(*posted)
        tell_findings(one.fetched.findings)
        tell(summary(one))
    return [status for one in exchanger.results for status in statuses(one)]


def say_posted(one: ToPost, posted: Posted) -> None:
    """A packet that was taken or refused, in one line on stdout."""
    what = "acknowledgement of " if one.what == ACKNOWLEDGEMENT else ""
    key = f" as r:{posted.remote_packet_rec_id}" if posted.remote_packet_rec_id is not None else ""
    reason = f": {posted.reason}" if posted.state == REFUSED and posted.reason else key
    line = f"{one.packet_rec_id:>6} {what}{printable(one.type)} to {printable(one.remote_site_name)}{reason}"
    width = row_width()
    style = "good" if posted.state == SENT else "bad"
    try:
        say(paint(f"{posted.state:<9}", style) + " " + (shortened(line, width - 10) if width else line))
        sys.stdout.flush()
    except BrokenPipeError:
        leave_output()  # the packets that wait are no business of who reads along


def tell_fetched(name: str, fetched: Fetched) -> None:
    """What was fetched, on stderr; nothing where nothing was."""
    tell_findings(fetched.findings)
    if text := fetched_text(fetched):
        tell(f"{printable(name)}: {text}")


def fetched_text(fetched: Fetched) -> str:
    """What was fetched, in a few words; empty where nothing was."""
    counts = (
        (fetched.new, f"{fetched.new} new packet{'s' * (fetched.new != 1)}"),
        (fetched.kept, f"{fetched.kept} of an unknown type kept"),
        (fetched.ended, f"{fetched.ended} ended at the other side"),
        (fetched.unreadable, f"{fetched.unreadable} that cannot be read"),
    )
    return ", ".join(text for count, text in counts if count)


def summary(results: Results) -> str:
    """What came of the exchange with one server, in one line."""
    counts = ((results.count(SENT), "sent"), (results.count(REFUSED), "refused"), (results.told, "told of"))
    parts = [f"{count} {what}" for count, what in counts if count]
    fetched = fetched_text(results.fetched)
    done = "; ".join(part for part in (fetched, ", ".join(parts)) if part) or "nothing new"
    waits = f"; {results.waiting} wait{'s' * (results.waiting == 1)} to be sent" if results.waiting else ""
    return f"{printable(results.name)}: {results.trouble or done}{waits}"


def statuses(results: Results) -> list[ExitStatus]:
    """The exit statuses that apply."""
    found = [ExitStatus.UNAVAILABLE] if results.trouble else []
    errors = any(finding.severity is Severity.ERROR for finding in results.fetched.findings)
    if errors or any(posted.state == REFUSED and one.what != ACKNOWLEDGEMENT for one, posted in results.posted):
        found.append(ExitStatus.NEEDS_PERSON)
    return found


def results_json(results: Results) -> Mapping[str, Any]:
    """What came of the exchange with one server, as JSON."""
    fetched = results.fetched
    return {
        "name": results.name,
        "error": results.trouble or None,
        "fetched": {
            "full": fetched.full,
            "new": fetched.new,
            "known": fetched.known,
            "kept": fetched.kept,
            "ended": fetched.ended,
            "unreadable": fetched.unreadable,
        },
        "findings": [finding.as_json() for finding in fetched.findings],
        "posted": [
            {
                "packet_rec_id": one.packet_rec_id,
                "what": one.what,
                "type": one.type,
                "state": posted.state,
                "remote_packet_rec_id": posted.remote_packet_rec_id,
                "reason": posted.reason,
            }
            for one, posted in results.posted
        ],
        "told": results.told,
        "waiting": results.waiting,
    }
