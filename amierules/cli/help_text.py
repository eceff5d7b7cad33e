"""Help texts as they are written in the source, made ready for a terminal of any width."""

import typer


def reflow_help(app: typer.Typer) -> None:
    """Joins the lines of each paragraph in the help of all commands; one that begins with `\\b` keeps its lines."""
    for information in app.registered_commands:
        information.help = reflowed(information.help)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            reflow_help(group.typer_instance)
            if (own := group.typer_instance.registered_callback) is not None:
                own.help = reflowed(own.help)


def reflowed(text: str | None) -> str | None:
    """The text with one line a paragraph."""
    if text is None:
        return None
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(part if part.startswith("\b") else " ".join(part.split("\n")) for part in paragraphs)
