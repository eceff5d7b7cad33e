"""Commands called as a person calls them: in this process, or as the installed program."""

import json
import os
import pty
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from jsonschema import Draft7Validator
from typer.testing import CliRunner

from amierules.cli import console
from amierules.cli.main import build
from amierules.shipped import read_schema

PROGRAM = Path(sys.executable).with_name("amierules")
"""The installed console script."""


class Ended:
    """A command that has ended."""

    def __init__(self, status: int, stdout: str, stderr: str) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr

    def json(self, schema: str) -> Any:
        """What it printed, which must follow `schemas/output/NAME.schema.json`."""
        data = json.loads(self.stdout)
        Draft7Validator(read_schema(f"output/{schema}.schema")).validate(data)
        return data


def call(*words: object) -> Ended:
    """The command line in this process; an exception is no end."""
    texts = [str(word) for word in words]
    console._lines.cache_clear()
    result = CliRunner().invoke(build(texts), texts)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr)


def program(*words: object, cwd: Path, **environment: str) -> Ended:
    """The installed program in a process of its own."""
    completed = subprocess.run(
        [str(PROGRAM), *map(str, words)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(completed.returncode, completed.stdout, completed.stderr)


def on_terminal(
    *words: object,
    cwd: Path,
    columns: int = 100,
    stdout: IO[bytes] | None = None,
    typed: str = "",
    patience: float = 60,
    **environment: str,
) -> Ended:
    """The installed program on a terminal; all that it wrote there stands as `stdout`. Its output may go elsewhere.

    `typed` is what the person has typed before it asks.
    """
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    termios.tcsetwinsize(theirs, (24, columns))
    plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    with subprocess.Popen(
        [str(PROGRAM), *map(str, words)],
        cwd=cwd,
        env={**plain, "TERM": "xterm", **environment},
        stdin=theirs,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        written = b""
        # The end of what is written to a terminal is an error on Linux.
        with suppress(OSError):
            while chunk := os.read(ours, 65536):
                written += chunk
        os.close(ours)
        status = process.wait(timeout=patience)
    return Ended(status, written.decode("utf-8").replace("\r\n", "\n"), "")
