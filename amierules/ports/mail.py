"""Handing mails to a server, command by command: only so can it be told whether the server took one."""

import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import getaddresses
from typing import Any, Protocol

from amierules.diagnostics import printable, visible
from amierules.ports.deadlines import Deadline, connected, hurried, secured
from amierules.ports.taking import NotTaken, Refused, Unsure, server_name

_READY_FOR_DATA = 354


class Mail(Protocol):
    """Sends mails."""

    def send(self, message: EmailMessage) -> str:
        """Hands a mail over, to the addresses of its To and Cc; returns what was odd about it, or an empty text.

        Raises `NotTaken` where the server lets nobody in or puts it off before the whole mail is sent, `Refused` where
        it refuses it by then, and `Unsure` for whatever goes wrong later.
        """

    def reach(self) -> None:
        """Connects, logs in where a login is configured, and leaves. Raises `NotTaken`."""


@dataclass(frozen=True)
class SmtpServer:
    """A server."""

    host: str
    port: int = 25
    security: str = "none"
    """`none`, `starttls` or `tls`."""
    user: str | None = None
    password: str | None = None
    timeout: float = 30
    """Seconds for each answer."""

    def send(self, message: EmailMessage) -> str:
        """As `Mail.send`."""
        addresses = [address for _, address in getaddresses([*message.get_all("To", []), *message.get_all("Cc", [])])]
        (_, sender), *_ = getaddresses([str(message["From"])])
        try:
            content = message.as_bytes(policy=SMTP)
            [sender.encode("ascii"), *(address.encode("ascii") for address in addresses)]
        except (UnicodeError, ValueError) as error:
            raise Refused(f"it cannot be written as a mail: {printable(error)}") from None
        server = self._connected()
        try:
            odd = _envelope(server, sender, addresses)
            _hand_over(server, content)
            return odd
        finally:
            _leave(server)

    def reach(self) -> None:
        """As `Mail.reach`."""
        _leave(self._connected())

    def _connected(self) -> "_Server":
        """A server that has said hello, and let us in. Raises `NotTaken`."""
        server = _Server(self.timeout)
        try:
            self._open(server)
            if self.user is not None:
                _log_in(server, self.user, self.password or "")
        except (OSError, smtplib.SMTPException, UnicodeError, _NotLetIn) as error:
            _leave(server)
            # Even a wrong password: a person can mend it, and the mail is lost to nobody.
            raise NotTaken(_why_away(error), away=server_name(self.host, self.port)) from None
        return server

    def _open(self, server: "_Server") -> None:
        context = ssl.create_default_context() if self.security != "none" else None
        connection = connected(self.host, self.port, server.deadline)
        if context is not None and self.security == "tls":
            connection = secured(connection, context, self.host, server.deadline)
        server.speak_over(connection)
        _expect(server.getreply(), 220)
        server.ehlo_or_helo_if_needed()
        if context is not None and self.security == "starttls":
            if not server.has_extn("starttls"):
                raise _NotLetIn("the server offers no STARTTLS")
            _expect(server.docmd("STARTTLS"), 220)
            server.speak_over(secured(connection, context, self.host, server.deadline))
            # What it said in the clear counts no more (RFC 3207, 4.2).
            server.ehlo_or_helo_if_needed()


class _Server(smtplib.SMTP):
    """A server, each answer of which comes in time."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self.deadline = Deadline(timeout)

    def speak_over(self, connection: socket.socket) -> None:
        """Knows nothing of the server but this connection."""
        self.sock = hurried(connection, self.deadline)
        self.file = None
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False

    def send(self, s: Any) -> None:
        """Sends a command, or a mail; the time for its answer begins."""
        self.deadline.restart()
        super().send(s)


class _NotLetIn(Exception):
    """The server is there, and wants nothing of us; the message says why."""


def _log_in(server: _Server, user: str, password: str) -> None:
    try:
        server.login(user, password)
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPResponseException as error:
        raise _NotLetIn(f"the login was refused: {_said(error)}") from None
    except smtplib.SMTPException as error:
        raise _NotLetIn(f"no login is possible: {_said(error)}") from None
    except UnicodeError:
        # Its text names characters of the password.
        raise _NotLetIn("user and password must be ASCII") from None
    except ValueError:
        raise _NotLetIn("no login is possible: what the server asks for cannot be read") from None


def _why_away(error: Exception) -> str:
    if isinstance(error, _NotLetIn):
        return str(error)
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the server lets nobody in: {_said(error)}"
    return f"no connection: {_said(error)}"


def _envelope(server: _Server, sender: str, addresses: Sequence[str]) -> str:
    """Sender, recipients and the word DATA. One who is refused for good does not keep the mail from the others."""
    try:
        _expect(server.mail(sender), 250)
        answers = {address: server.rcpt(address) for address in addresses}
        refused = {address: answer for address, answer in answers.items() if answer[0] not in (250, 251, 252)}
        for answer in refused.values():
            if not 500 <= answer[0] < 600 or len(refused) == len(answers):
                _expect(answer, 250)
        _expect(server.docmd("DATA"), _READY_FOR_DATA)
    except (OSError, smtplib.SMTPException) as error:
        raise _by_answer(error) from None
    return "; ".join(f"{address} was refused: {_answered(answer)}" for address, answer in refused.items())


def _hand_over(server: _Server, content: bytes) -> None:
    """The mail itself. Before its final dot nobody can have taken it, afterwards only the answer tells."""
    lines = content.replace(b"\r\n.", b"\r\n..")
    lines = b"." + lines if lines.startswith(b".") else lines
    try:
        server.send(lines if lines.endswith(b"\r\n") else lines + b"\r\n")
    except (OSError, smtplib.SMTPException) as error:
        raise NotTaken(f"cut off before the mail was sent: {_said(error)}") from None
    try:
        server.send(b".\r\n")
        code, text = server.getreply()
    except (OSError, smtplib.SMTPException) as error:
        raise Unsure(f"no answer after the mail was sent: {_said(error)}") from None
    if code != 250:
        raise Unsure(f"the server answered the whole mail with {_answered((code, text))}")


def _expect(answer: tuple[int, bytes], code: int) -> None:
    if answer[0] != code:
        raise smtplib.SMTPResponseException(*answer)


def _by_answer(error: Exception) -> NotTaken | Refused:
    """What an error before the final dot means: an answer of 500 and more is for good, all else may pass."""
    if isinstance(error, smtplib.SMTPResponseException) and 500 <= error.smtp_code < 600:
        return Refused(f"refused: {_said(error)}")
    if isinstance(error, smtplib.SMTPResponseException):
        return NotTaken(f"put off: {_said(error)}")
    return NotTaken(f"cut off before the mail was sent: {_said(error)}")


def _answered(answer: tuple[int, bytes | str]) -> str:
    """The whole answer: who looks in it for secrets finds no half of one."""
    code, text = answer
    return visible(f"{code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}".strip())


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _answered((error.smtp_code, error.smtp_error))
    return visible(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _leave(server: _Server) -> None:
    """Says goodbye; what was taken stays taken, whatever is answered."""
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()
