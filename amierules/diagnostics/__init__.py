"""Findings, errors and exit statuses: how every part of amierules says what is wrong, and where."""

from amierules.diagnostics.errors import AmierulesError, Invalid, NotAllowed, Unavailable
from amierules.diagnostics.exit_status import ExitStatus, first_that_applies
from amierules.diagnostics.finding import Finding, Place, Severity
from amierules.diagnostics.text import json_document, printable, readable, visible

__all__ = [
    "AmierulesError",
    "ExitStatus",
    "Finding",
    "Invalid",
    "NotAllowed",
    "Place",
    "Severity",
    "Unavailable",
    "first_that_applies",
    "json_document",
    "printable",
    "readable",
    "visible",
]
