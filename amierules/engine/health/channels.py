"""Where messages go, as `doctor` sees it: can the servers be reached. Nothing is sent."""

from collections.abc import Iterator

from amierules.engine.carrier import Carrier
from amierules.engine.health.check import Check, ok, warning
from amierules.ports.taking import NotTaken, Refused
from amierules.rulebook.configuration import Configuration

_HINT = "packets are answered all the same; messages wait, and are tried again"


def check_channels(configuration: Configuration) -> Iterator[Check]:
    """Whether the server for mails and the webhook of Slack answer, where they are configured."""
    channels = configuration.channels
    mail = channels.mail
    if mail is not None:
        yield _reached(configuration, "mail", f"{mail.host}, port {mail.port}")
    if channels.slack_webhook is not None:
        yield _reached(configuration, "slack", "the webhook's server")


def _reached(configuration: Configuration, channel: str, where: str) -> Check:
    try:
        Carrier.of(configuration).reach(channel)
    except (NotTaken, Refused) as error:
        return warning(channel, f"{where}: {error}", _HINT)
    return ok(channel, f"{where} answers")
