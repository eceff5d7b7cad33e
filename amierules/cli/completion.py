"""`amierules completion`: what a shell needs to complete commands and options."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.completion import completion_init, get_completion_script  # type: ignore[attr-defined]

from amierules.cli.console import say
from amierules.cli.ending import command
from amierules.diagnostics import ExitStatus, Finding, NotAllowed, printable

PROGRAM = "amierules"
VARIABLE = "_AMIERULES_COMPLETE"
"""The environment variable by which the shell asks for completions."""


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    # The application has no option of Typer's for this; so Typer must be told that it may be asked.
    completion_init()
    app.command(help=_HELP)(command(completion))


_HELP = """Print the shell's completion script.

With it TAB completes commands, options and their values; and files elsewhere.

\b
  source <(amierules completion bash)      for this shell; or to keep it:
  D=~/.local/share/bash-completion/completions
  amierules completion bash > $D/amierules
  amierules completion zsh > ~/.zfunc/_amierules
  amierules completion fish > ~/.config/fish/completions/amierules.fish
"""


class Shell(StrEnum):
    """The shells that are known."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


_INSTALL = {
    Shell.bash: f"{PROGRAM} completion bash > ~/.local/share/bash-completion/completions/{PROGRAM}",
    Shell.zsh: f"{PROGRAM} completion zsh > ~/.zfunc/_{PROGRAM}, with fpath+=~/.zfunc before compinit in ~/.zshrc",
    Shell.fish: f"{PROGRAM} completion fish > ~/.config/fish/completions/{PROGRAM}.fish",
}


def completion(
    shell: Annotated[
        Shell | None, typer.Argument(metavar="SHELL", help="bash, zsh or fish; yours by default.", show_default=False)
    ] = None,
) -> ExitStatus:
    """Print a completion script."""
    chosen = shell or _own_shell()
    script = get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=chosen.value)
    # The last line, since zsh wants `#compdef` in the first.
    say(f"{script}\n\n# to keep it: {_INSTALL[chosen]}")
    return ExitStatus.OK


def _own_shell() -> Shell:
    name = Path(os.environ.get("SHELL", "")).name
    try:
        return Shell(name)
    except ValueError:
        message = f"the shell '{printable(name, 40)}' is not known here" if name else "SHELL does not name a shell"
        raise NotAllowed(Finding("unknown-shell", message, hint="say which: bash, zsh or fish")) from None
