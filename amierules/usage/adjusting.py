"""Adjustments: credits, refunds and debits by hand, as records of the ledger."""

import json
import secrets
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from amierules.database import usage_ledger
from amierules.diagnostics import Finding, NotAllowed, printable
from amierules.diagnostics.suggest import hint_for
from amierules.protocol.catalogue import catalogue
from amierules.usage.collecting import ADJUSTMENT
from amierules.usage.model import DIGITS
from amierules.usage.people import Book
from amierules.usage.site import UsageSite

NORMAL = "normal"


@dataclass(frozen=True)
class Adjustment:
    """An adjustment as a person asks for it."""

    type: str
    project: str
    resource: str
    charge: Decimal
    start: int
    """The moment that selects the allocation; of a refund, when its job was submitted."""
    reason: str
    login: str = ""
    """Whose it is; the project's PI where nobody is named."""


def types() -> tuple[str, ...]:
    """The kinds of adjustment (UsageType of notify_project_usage, but for jobs themselves)."""
    tag = catalogue().tag("UsageType")
    return tuple(value for value in (tag.values if tag is not None else ()) if value != NORMAL)


def adjust(site: UsageSite, wanted: Adjustment, mark: str | None = None) -> str:
    """Puts an adjustment into the ledger, from where the next report sends it; its id. Raises `NotAllowed`.

    `mark` tells it from others of its second; a new one by default.
    """
    if wanted.type not in types():
        hint = hint_for(wanted.type, types()) or f"possible: {', '.join(types())}"
        raise NotAllowed(Finding("bad-value", f"there is no adjustment '{printable(wanted.type, 40)}'", hint=hint))
    if wanted.resource not in site.configuration.resources:
        hint = hint_for(wanted.resource, site.configuration.resources)
        message = f"the configuration has no resource '{printable(wanted.resource, 60)}'"
        raise NotAllowed(Finding("unknown-resource", message, hint=hint))
    amount = _amount(wanted.charge)
    with site.database.read() as connection:
        book = Book.read(connection)
    project = book.project(wanted.project)
    if project is None:
        raise NotAllowed(Finding("no-such-project", f"the registry has no project '{printable(wanted.project, 60)}'"))
    login = book.login(wanted.login, str(project["project_id"]), wanted.resource)
    if login is None:
        whom = f"'{printable(wanted.login, 60)}' has" if wanted.login else "the project's PI has"
        message = f"{whom} no account on {project['project_id']} on {printable(wanted.resource, 60)}"
        raise NotAllowed(Finding("no-account", message, hint="name another with --login"))
    now = site.now()
    job_id = f"{wanted.type}-{now}-{mark or secrets.token_hex(4)}"
    job = (
        wanted.resource, job_id, now, wanted.start, wanted.start, 0, wanted.type, wanted.project, wanted.login, "", "",
        "", 0, 0, None, "", job_id, "", None,
    )  # fmt: skip
    record = (f"by {site.who}", project["project_id"], wanted.resource, login, amount)
    row = [ADJUSTMENT, *job, *record, json.dumps({"Comment": wanted.reason}, ensure_ascii=False), now]
    with site.database.kept(), site.database.begin() as connection:
        usage_ledger.LedgerWriter(connection).take(connection, [row])
    return job_id


def _amount(charge: Decimal) -> int:
    if not charge.is_finite() or not Decimal(0) < charge < Decimal(10) ** 12:
        hint = "an amount is positive; its type says in which direction it goes"
        raise NotAllowed(Finding("bad-value", f"{printable(charge, 40)} is no amount", hint=hint))
    return int(charge.scaleb(DIGITS).to_integral_value(ROUND_HALF_UP))
