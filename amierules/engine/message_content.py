"""What a message says: the parameters of its channel, checked, and the form in which the outbox keeps them."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from amierules.actions.parameters import check_params
from amierules.diagnostics import printable
from amierules.engine.scope import unwrapped
from amierules.protocol.values import wire_text
from amierules.rulebook.notices import channel_schema
from amierules.templating import Secret, SecretName, Unknown, Unread

_ADDRESS = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+|[^<>@,;:\"\r\n]+ <[^\s@<>,;:\"]+@[^\s@<>,;:\"]+>")
_URL = re.compile(r"https?://[^\s/]+\S*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECRET = "$secret"  # noqa: S105 - marks where a secret stands
_LONGEST_SUBJECT = 200


class CannotBeMade(Exception):
    """A message that its channel would not take as it is; the message says why."""


def content_of(channel: str, rendered: Any, subject: str) -> dict[str, Any]:
    """The checked parameters of a message; leaves may be `Secret`, in a dry run `Unknown`.

    `subject` is that of a mail that gives none. Raises `CannotBeMade`.
    """
    given = {name: _number_as_text(value) for name, value in unwrapped(rendered).items()}
    checked, problems = check_params(channel_schema(channel), given)
    if problems:
        raise CannotBeMade("; ".join(problems))
    params = dict(checked)
    if "template" in params:
        params["text"] = params.pop("template")
    if not {"text", "json"} & params.keys():
        raise CannotBeMade("the text is none: there is nothing to say")
    return _CHECKS[channel](params, subject)


def target_of(channel: str, content: Mapping[str, Any]) -> str:
    """Whom a message goes to, as people read it; never a secret."""
    if channel == "mail":
        return printable(", ".join(map(str, [*content["to"], *content.get("cc", ())])), 200)
    if channel == "slack":
        return printable(content.get("channel") or "the webhook's channel", 200)
    url = content["url"]
    return printable(url, 200) if isinstance(url, str) else "a secret address" if isinstance(url, Secret) else "?"


def _number_as_text(value: object) -> object:
    """People write a number as the text that they see."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_kept(value: object) -> Any:
    """A value as the outbox keeps it: JSON, in which secrets stand by name. Raises `CannotBeMade`."""
    if isinstance(value, Secret):
        if value.recipe is None:
            raise CannotBeMade("a secret that was changed cannot be kept: give it as it is")
        return {_SECRET: [[isinstance(part, SecretName), str(part)] for part in value.recipe]}
    if isinstance(value, Mapping):
        return {_escaped(str(key)): as_kept(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [as_kept(element) for element in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        # No database keeps NUL, and no channel sends it.
        return str.__str__(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, date | Decimal):
        return wire_text(value)
    raise CannotBeMade("it holds a row of the registry, which is no text: name the attribute that is meant")


def as_sent(kept: object, secret: Callable[[str], str]) -> Any:
    """The value again, with the secrets that `secret` tells by name."""
    if isinstance(kept, list):
        return [as_sent(element, secret) for element in kept]
    if not isinstance(kept, dict):
        return kept
    if kept.keys() == {_SECRET}:
        return "".join(secret(part) if is_name else part for is_name, part in kept[_SECRET])
    return {key.removeprefix("$"): as_sent(element, secret) for key, element in kept.items()}


def _escaped(key: str) -> str:
    # A packet's own keys must not pass for the mark of a secret.
    return f"${key}" if key.startswith("$") else key


def _mail(params: dict[str, Any], subject: str) -> dict[str, Any]:
    for name in ("to", "cc", "reply_to"):
        given = params.get(name)
        for address in [given] if isinstance(given, str) else given or ():
            if isinstance(address, str) and not _ADDRESS.fullmatch(address):
                raise CannotBeMade(f"{name}: '{printable(address, 80)}' is no mail address")
    if not params["to"]:
        raise CannotBeMade("to: there is no address")
    given = params.get("subject", subject)
    if isinstance(given, str):
        params["subject"] = printable(" ".join(given.split()), _LONGEST_SUBJECT)
    return params


def _slack(params: dict[str, Any], _subject: str) -> dict[str, Any]:
    _check_url("webhook", params.get("webhook"))
    text = params["text"]
    return {**params, "text": text.strip() if isinstance(text, str) else text}


def _webhook(params: dict[str, Any], _subject: str) -> dict[str, Any]:
    _check_url("url", params["url"])
    for name, value in params.get("headers", {}).items():
        text = _as_far_as_read(value)
        if not _HEADER.fullmatch(name) or (isinstance(text, str) and not _can_be_header(text)):
            raise CannotBeMade(f"headers: '{printable(name, 60)}' cannot be a header with this value")
    return {"method": "POST", **params}


def _check_url(name: str, url: object) -> None:
    if isinstance(url, Unknown) or url is None:
        return
    text = _as_far_as_read(url)
    if text is not None and not _URL.fullmatch(str(text)):
        shown = "the secret" if isinstance(url, Secret) else f"'{printable(text, 80)}'"
        raise CannotBeMade(f"{name}: {shown} is no address of http or https")


def _as_far_as_read(value: object) -> object:
    """The text of a secret, too; None for one that is read only where the message is sent."""
    return value if not isinstance(value, Secret) else None if isinstance(value, Unread) else value.reveal()


def _can_be_header(text: str) -> bool:
    return text.isascii() and text.isprintable()


_CHECKS: Mapping[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "mail": _mail,
    "slack": _slack,
    "webhook": _webhook,
}
