"""Options and arguments that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="AMIERULES_CONFIG",
        help="The configuration file; amierules.yaml in this folder by default.",
        show_default=False,
    ),
]


class OutputFormat(StrEnum):
    """How a command prints its result."""

    text = "text"
    json = "json"


FormatOption = Annotated[OutputFormat, typer.Option("--format", "-f", help="text for people, json for scripts.")]

IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID]...", help="Packets: the local packet_rec_id, or r:ID for the remote one.", show_default=False
    ),
]

ReasonOption = Annotated[
    str, typer.Option("--reason", "-r", help="Why; kept with the packet's events.", show_default=False)
]
