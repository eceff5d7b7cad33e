"""One message to the other side: in the form of its channel, and what the answer means."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from amierules.database.outbox import Queued
from amierules.diagnostics import printable, readable
from amierules.engine.discretion import Discretion
from amierules.engine.message_content import as_sent
from amierules.engine.packet_names import Secrets
from amierules.ports.http import DirectHttp, Http
from amierules.ports.http_connections import servers
from amierules.ports.mail import Mail, SmtpServer
from amierules.ports.taking import NotTaken, Refused, Unsure, server_name
from amierules.rulebook.channels import Channels
from amierules.rulebook.configuration import Configuration
from amierules.templating import EvaluationError, Secret

_LATER = (429, 503)
"""Answers of a webhook by which it was provably not taken, and may be later."""
_IN_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""Nobody whose name stands in a packet calls a whole channel: what is no text to Slack becomes one."""


_NO_CODE = ("=?", "= ?")
"""What begins a coded word in a header (RFC 2047), and what does not."""


@dataclass
class Carrier:
    """Carries messages to the other side. Secrets are read as each is sent, and are in no reason that it gives."""

    configuration: Configuration
    http: Http
    mail: Callable[[str | None], Mail] | None
    """Makes the mail server, given the password; None where none is configured."""
    _discretion: Discretion = field(default_factory=Discretion)

    @classmethod
    def of(cls, configuration: Configuration) -> "Carrier":
        """The carrier of a site."""
        channels = configuration.channels
        http = DirectHttp(channels.http_timeout, channels.http_proxy, channels.http_ca_file)
        return cls(configuration, http, _mail_server(channels))

    def carry(self, message: Queued) -> str:
        """Sends a message; returns what was odd about it, or an empty text. Raises `NotTaken`, `Refused`, `Unsure`."""
        with self._discreet():
            content = as_sent(message.content, self._secret)
            return self._hidden(_WAYS[message.channel](self, message, content))

    def servers(self, message: Queued) -> frozenset[str]:
        """The servers, as `NotTaken.away` names them, without which a message gets nowhere, as far as that is known."""
        channels = self.configuration.channels
        if message.channel == "mail":
            mail = channels.mail
            return frozenset() if mail is None else frozenset((server_name(mail.host, mail.port),))
        try:
            with self._discreet():
                content = as_sent(message.content, self._secret)
                url = content["url"] if message.channel == "webhook" else self._webhook_of(content)
                return servers(url, channels.http_proxy)
        except (NotTaken, ValueError):
            return frozenset()

    def reach(self, channel: str) -> None:
        """Connects to where the configuration's own messages go, and sends none; `mail` or `slack`.

        Raises `NotTaken`, `Refused`.
        """
        with self._discreet():
            if channel == "slack":
                self.http.reach(self._slack_webhook())
            else:
                self._mail_server().reach()

    @contextmanager
    def _discreet(self) -> Iterator[None]:
        """Within it no secret leaves in an error."""
        self._discretion = Discretion()
        try:
            try:
                yield
            except EvaluationError as error:
                raise NotTaken(str(error)) from None
        except (NotTaken, Refused, Unsure) as error:
            # Shortened afterwards: half a secret is not found any more.
            raise error.reworded(printable(self._hidden(str(error)), 500)) from None

    def _secret(self, name: str) -> str:
        if name not in self.configuration.secrets:
            raise NotTaken(f"there is no secret {printable(name, 60)} any more")
        text = Secrets(self.configuration.secrets)[name].reveal()
        self._discretion.keep_back(text)
        return text

    def _configured(self, value: object) -> str:
        """A secret of the configuration's own sections. Raises `EvaluationError`."""
        text = value.reveal() if isinstance(value, Secret) else str(value)
        self._discretion.keep_back(text)
        return text

    def _hidden(self, said: str) -> str:
        return self._discretion.hidden(said)

    def _send_mail(self, message: Queued, content: Mapping[str, Any]) -> str:
        server = self._mail_server()
        given = self.configuration.channels.mail
        assert given is not None  # noqa: S101 - there is a server for it
        return server.send(self._as_mail(message, content, given.sender, given.reply_to))

    def _mail_server(self) -> Mail:
        server = self.configuration.channels.mail
        if server is None or self.mail is None:
            raise NotTaken("no server for mails is configured")
        if server.password is None:
            return self.mail(None)
        password = self._configured(server.password.evaluate({"secret": Secrets(self.configuration.secrets)}))
        self._discretion.keep_back_login(server.user or "", password)
        return self.mail(password)

    def _slack_webhook(self) -> str:
        webhook = self.configuration.channels.slack_webhook
        if webhook is None:
            raise NotTaken("no webhook of Slack is configured")
        return self._configured(webhook.evaluate({"secret": Secrets(self.configuration.secrets)}))

    def _webhook_of(self, content: Mapping[str, Any]) -> str:
        """Where a message to Slack goes."""
        return str(content.get("webhook") or self._slack_webhook())

    def _as_mail(self, message: Queued, content: Mapping[str, Any], sender: str, reply_to: str | None) -> EmailMessage:
        mail = EmailMessage()
        digest = hashlib.sha256(f"{self.configuration.site_name}|{message.queued_at.isoformat()}".encode()).hexdigest()
        domain = sender.rpartition("@")[2].rstrip("> ")
        headers = {
            "From": sender,
            "To": ", ".join(content["to"]),
            "Cc": ", ".join(content.get("cc", ())),
            "Reply-To": content.get("reply_to", reply_to),
            "Subject": content["subject"],
            "Date": format_datetime(message.queued_at),
            # The same however often it is tried: who gets it twice all the same can tell.
            "Message-ID": f"<amierules.{message.message_id}.{digest[:16]}@{domain}>",
            "Auto-Submitted": "auto-generated",
        }
        try:
            for name, value in headers.items():
                if value:
                    # Coded words would be decoded here, line breaks and all.
                    mail[name] = value.replace(*_NO_CODE)
            mail.set_content(readable(content["text"]))
        except (ValueError, UnicodeError) as error:
            raise Refused(f"it cannot be written as a mail: {printable(error)}") from None
        return mail

    def _send_slack(self, _message: Queued, content: Mapping[str, Any]) -> str:
        channels = self.configuration.channels
        url = self._webhook_of(content)
        channel = content.get("channel", channels.slack_channel)
        payload = {"text": readable(content["text"]).translate(_IN_SLACK), **({"channel": channel} if channel else {})}
        return self._request("POST", url, {}, json.dumps(payload).encode(), "application/json")

    def _send_webhook(self, _message: Queued, content: Mapping[str, Any]) -> str:
        is_json = "json" in content
        body = json.dumps(content["json"]).encode() if is_json else content["text"].encode("utf-8", "replace")
        kind = "application/json" if is_json else "text/plain; charset=utf-8"
        return self._request(content["method"], content["url"], content.get("headers", {}), body, kind)

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes, kind: str) -> str:
        given = {name.lower() for name in headers}
        own = {} if "content-type" in given else {"Content-Type": kind}
        answer = self.http.send(method, url, {**own, **headers}, body)
        text = self._hidden(answer.text)  # before it is shortened: half a secret is not found any more
        said = f"the answer is {answer.status}" + (f": {printable(text, 100)}" if text.strip() else "")
        if 200 <= answer.status < 300:
            return ""
        if answer.status in _LATER:
            raise NotTaken(said)
        if 400 <= answer.status < 500 and answer.status != 408:
            raise Refused(said)
        raise Unsure(said)


_WAYS: Mapping[str, Callable[[Carrier, Queued, Mapping[str, Any]], str]] = {
    "mail": Carrier._send_mail,
    "slack": Carrier._send_slack,
    "webhook": Carrier._send_webhook,
}


def _mail_server(channels: Channels) -> Callable[[str | None], Mail] | None:
    given = channels.mail
    if given is None:
        return None
    return lambda password: SmtpServer(given.host, given.port, given.security, given.user, password, given.timeout)
