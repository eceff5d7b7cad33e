"""`amierules tgcdb report` and `tgcdb scenarios`."""

from pathlib import Path

from amierules.cli.console import paint, say, say_json, wrapped
from amierules.cli.options import ConfigOption, FormatOption, OutputFormat
from amierules.cli.tgcdb_site import STORE, SiteOption, StoreOption, open_store, played_site
from amierules.diagnostics import ExitStatus, Finding, NotAllowed, printable
from amierules.ports import SystemClock
from amierules.protocol.packet import IN_PROGRESS
from amierules.tgcdb.agenda import Agenda
from amierules.tgcdb.protocol_rules import protocol_rules
from amierules.tgcdb.records import COMPLETED, FAILED
from amierules.tgcdb.report import KeptViolation, Line, Report, make_report, sites_of
from amierules.tgcdb.scenarios import scenarios

REPORT_HELP = """Show every transaction with its state, each rule that the site broke, and how long its replies took.

Ends with 1 if the site broke a rule.

\b
  amierules tgcdb report
  amierules tgcdb report --format json
"""

SCENARIOS_HELP = """List what the central database can send, each with a sentence.

\b
  amierules tgcdb scenarios
  amierules tgcdb scenarios --format json      with the rules
"""

_STYLES = {COMPLETED: "good", FAILED: "bad", IN_PROGRESS: "wait"}


def list_scenarios(format: FormatOption = OutputFormat.text) -> ExitStatus:
    """List the scenarios."""
    listed = scenarios().values()
    if format is OutputFormat.json:
        rules = [vars(rule) for rule in protocol_rules().values()]
        as_json = [
            {
                "name": one.name,
                "description": one.description,
                "official": one.official,
                "lasting": one.lasting,
                "requests": [step["send"] for step in one.steps],
            }
            for one in listed
        ]
        say_json({"format_version": 1, "scenarios": as_json, "rules": rules})
        return ExitStatus.OK
    width = max(len(one.name) for one in listed)
    for one in listed:
        mark = " *" if one.official else ""
        say(wrapped(f"{one.name:<{width}}  {one.description}{mark}"))
    say()
    say(wrapped("* the official test server has it, too. `tgcdb run --scenario NAME` sends one, `--scenario all` all."))
    return ExitStatus.OK


def report(
    store: StoreOption = Path(STORE),
    site: SiteOption = None,
    config: ConfigOption = None,
    format: FormatOption = OutputFormat.text,
) -> ExitStatus:
    """Report on a site."""
    with open_store(store, create=False) as opened:
        known = sites_of(opened)
        # A store that knows one site alone needs no word about which.
        name = known[0] if site is None and len(known) == 1 else played_site(config, site, None).name
        if known and name not in known:
            hint = f"it knows: {', '.join(printable(one, 40) for one in known)}"
            raise NotAllowed(Finding("site-not-in-store", f"the store knows no site {printable(name, 40)}", hint=hint))
        clock = SystemClock()
        found = make_report(opened, name, clock.now(), unsent=Agenda(opened, clock).unfinished(name))
    if format is OutputFormat.json:
        say_json(found.as_json())
    else:
        say_report(found)
    return ExitStatus.INVALID if found.wrong else ExitStatus.OK


def say_report(found: Report) -> None:
    """A report for people."""
    for line in found.lines:
        _say_line(line)
    if found.lines:
        say()
    for one in found.violations:
        say_violation(one)
    if found.violations:
        say()
    for type_name, taken in found.latencies().items():
        half, last = taken["median"], taken["longest"]
        say(f"{type_name}: {taken['replies']:g} answered, half within {half:g} s, the last after {last:g} s")
    counts = found.counts()
    parts = [f"{len(found.lines)} transactions", *(f"{count} {state}" for state, count in counts.items() if count)]
    if found.unsent:
        parts.append(f"{found.unsent} requests to come")
    wrong = f"{len(found.wrong)} violation{'' if len(found.wrong) == 1 else 's'}"
    verdict = paint(wrong, "bad") if found.wrong else paint("no violation", "good")
    say(f"{', '.join(parts)}; {verdict}")


def _say_line(line: Line) -> None:
    of = line.transaction
    where = f" {line.scenario} {of.step}" if line.scenario else ""
    first = line.packets[0].type if line.packets else ""
    waits = f", waits for the reply to {line.waits_for.type}" if line.waits_for else ""
    overdue = paint(", overdue", "bad") if line.overdue else ""
    state = paint(f"{of.state:<11}", _STYLES.get(of.state, ""))
    say(f"{of.trans_rec_id}  {state}  {first}{waits}{overdue}{paint(where, 'dim')}")


def say_violation(one: KeptViolation, indent: str = "") -> None:
    """A broken rule, with what it says."""
    rule = protocol_rules()[one.rule]
    kind = paint("advice", "note") if one.is_advice else paint(one.rule, "error")
    number = f"{one.rule} " if one.is_advice else ""
    place = f", transaction {one.trans_rec_id}" if one.trans_rec_id else ""
    say(wrapped(f"{indent}{kind} {number}{rule.name}: {one.message}{place}"))
    say(wrapped(f"{indent}    {paint(rule.rule, 'dim')}"))
