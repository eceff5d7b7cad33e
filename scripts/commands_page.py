"""The page of the commands and their options, from what `--help` says."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from amierules.cli.main import MODULES, build
from scripts.markdown import code, page, table


def commands_page() -> str:
    """`docs/commands.md`."""
    group = typer.main.get_command(build([]))
    context = group.make_context("amierules", [], resilient_parsing=True)
    # A command whose module holds several is listed where MODULES first names it.
    named: list[Any] = [group.get_command(context, name) for name in MODULES]  # type: ignore[attr-defined]
    return page(
        "# Commands",
        "What `amierules COMMAND --help` says, on one page. How commands end: [exit-status.md](exit-status.md).",
        *(section for command in named if command is not None for section in _sections("amierules", command)),
    )


def _sections(before: str, command: Any) -> Iterator[str]:
    path = f"{before} {command.name}"
    yield f"## {path}\n\n{_described(command.help or '')}"
    if hasattr(command, "commands"):
        for one in command.commands.values():
            yield from _sections(path, one)
        return
    rows = [row for parameter in command.params if (row := _row(parameter)) is not None]
    yield table(["argument or option", "what it is"], rows)


def _row(parameter: Any) -> list[str] | None:
    if getattr(parameter, "hidden", False) or parameter.name == "help":
        return None
    if parameter.param_type_name == "argument":
        name = re.sub(r"[][{}]", "", parameter.metavar or parameter.name.upper())
        return [code(name), _plain(getattr(parameter, "help", None) or "")]
    names = ", ".join(code(name) for name in [*parameter.opts, *parameter.secondary_opts])
    value = "" if parameter.is_flag else f" {code(_value(parameter))}"
    return [names + value, _plain(parameter.help or "")]


def _value(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar).strip("[]{}")
    choices = getattr(parameter.type, "choices", None)
    # A choice is an enumeration's member or a text, by the version of the library.
    return "|".join(str(getattr(one, "value", one)) for one in choices) if choices else str(parameter.type.name).upper()


def _described(text: str) -> str:
    """The help with its examples as a block of the shell."""
    parts = []
    for part in text.strip().split("\n\n"):
        if part.startswith("\b"):
            lines = [line.strip() for line in part.removeprefix("\b").strip().splitlines()]
            parts.append("```sh\n" + "\n".join(_commented(line) for line in lines) + "\n```")
        else:
            parts.append(_plain(part))
    return "\n\n".join(parts)


def _commented(line: str) -> str:
    """An example whose explanation is a comment of the shell."""
    return re.sub(r"^(\S.*?\S) {2,}(\S.*)$", r"\1   # \2", line)


def _plain(text: str) -> str:
    """Help without the marks of a terminal."""
    return re.sub(r"\[/?(?:bold|dim|italic)\]", "", text).replace("\n", " ")
