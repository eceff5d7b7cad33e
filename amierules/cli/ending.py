"""How a command ends: its exit status, and what is shown of errors. No traceback reaches a user."""

import errno
import functools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ParamSpec

import typer

from amierules import __version__
from amierules.cli.console import say_json, tell, tell_findings
from amierules.database.ownership import LostOwnership
from amierules.diagnostics import AmierulesError, ExitStatus, Finding, printable

P = ParamSpec("P")


def command(function: Callable[P, ExitStatus | None]) -> Callable[P, None]:
    """A command as Typer calls it: what it returns is the exit status, what it raises is shown as findings."""

    @functools.wraps(function)
    def ended(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = kwargs.get("format") == "json"
        status = _status(lambda: function(*args, **kwargs), as_json)
        leave_output()
        raise typer.Exit(int(status))

    return ended


def _status(call: Callable[[], ExitStatus | None], as_json: bool) -> ExitStatus:
    try:
        status = call() or ExitStatus.OK
        sys.stdout.flush()
    except AmierulesError as error:
        _show(error.findings, as_json)
        return error.status
    except KeyboardInterrupt:
        tell("interrupted")
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        leave_output()
        return ExitStatus.OK
    except UnicodeEncodeError:
        _show([Finding("not-utf-8", "a word of the command line is no UTF-8")], as_json)
        return ExitStatus.USAGE
    except LostOwnership as error:
        _show([Finding("claims-lost", error.reason)], as_json)
        return ExitStatus.UNAVAILABLE
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO):
            tell_findings([Finding("cannot-write", f"the output cannot be written: {error.strerror}")])
            leave_output()
            return ExitStatus.UNAVAILABLE
        _show([internal_error(error, traceback.format_exc())], as_json)
        return ExitStatus.INTERNAL
    return status


def leave_output() -> None:
    """Where the reader of our output has gone, as `head` does, what is left to write has nowhere to go."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def leave_terminal() -> None:
    """Where the terminal that we write to has gone, what is left to write has nowhere to go."""
    for stream in (sys.stdout, sys.stderr):
        try:
            os.write(stream.fileno(), b"")
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def internal_error(error: BaseException | str, trace: str) -> Finding:
    """The finding for an internal error; its traceback goes into a log file that the finding names."""
    what = error if isinstance(error, str) else f"{type(error).__name__}: {printable(error)}"
    try:
        hint = f"please report it with the log {write_log(trace)}"
    except OSError as log_error:
        hint = f"please report it; no log could be written: {log_error.strerror or log_error}"
    return Finding("internal-error", f"internal error: {what}", hint=hint)


def write_log(trace: str) -> str:
    """Writes a traceback to a new private file; returns its path. Raises `OSError`."""
    with tempfile.NamedTemporaryFile("w", prefix="amierules-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write(f"amierules {__version__}, Python {sys.version}, {datetime.now(UTC).isoformat()}\n{trace}")
    return str(Path(log.name))


def _show(findings: list[Finding], as_json: bool) -> None:
    if as_json:
        first: dict[str, Any] = findings[0].as_json() if findings else {"code": "error", "message": "failed"}
        error = {"code": first["code"], "message": first["message"]}
        say_json({"format_version": 1, "error": error, "findings": [finding.as_json() for finding in findings]})
    else:
        tell_findings(findings)
