"""Commands called as a person calls them: in this process, or as the installed program."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
