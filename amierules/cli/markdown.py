"""Markdown on a terminal."""

import sys

from rich.console import Console
from rich.markdown import Markdown

from amierules.cli.console import coloured, say, terminal_width

_WIDEST = 100
"""Columns; longer lines of prose are hard to read."""


def say_markdown(text: str) -> None:
    """A Markdown text: set in the terminal's width, and elsewhere as it is written."""
    if not sys.stdout.isatty():
        say(text.rstrip("\n"))
        return
    console = Console(no_color=not coloured(sys.stdout), width=min(terminal_width(), _WIDEST))
    console.print(Markdown(text, code_theme="ansi_light"))
