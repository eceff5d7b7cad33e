"""Handing mails to a server, command by command: only so can it be told whether the server took one."""

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import getaddresses
from typing import Protocol

from amierules.diagnostics import printable
from amierules.ports.taking import NotTaken, Refused, Unsure

_READY_FOR_DATA = 354


class Mail(Protocol):
    """Sends mails."""

    def send(self, message: EmailMessage) -> str:
        """Hands a mail over, to the addresses of its To and Cc; returns what was odd about it, or an empty text.

        Raises `NotTaken` where the server is not reached or puts it off before the whole mail is sent, `Refused` where
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

    def _connected(self) -> smtplib.SMTP:
        """A server that has said hello, and let us in. Raises `NotTaken`."""
        server: smtplib.SMTP | None = None
        try:
            context = ssl.create_default_context() if self.security != "none" else None
            if self.security == "tls":
                server = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
            else:
                server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
            server.ehlo_or_helo_if_needed()
            if self.security == "starttls":
                server.starttls(context=context)
            if self.user is not None:
                server.login(self.user, self.password or "")
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            if server is not None:
                _leave(server)
            # Even a wrong password: a person can mend it, and the mail is lost to nobody.
            raise NotTaken(f"no connection: {_said(error)}") from None
        return server


def _envelope(server: smtplib.SMTP, sender: str, addresses: Sequence[str]) -> str:
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


def _hand_over(server: smtplib.SMTP, content: bytes) -> None:
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
        return Refused(f"refused: {_answered((error.smtp_code, error.smtp_error))}")
    if isinstance(error, smtplib.SMTPResponseException):
        return NotTaken(f"put off: {_answered((error.smtp_code, error.smtp_error))}")
    return NotTaken(f"no connection: {_said(error)}")


def _answered(answer: tuple[int, bytes | str]) -> str:
    code, text = answer
    return printable(f"{code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}".strip())


def _said(error: Exception) -> str:
    return printable(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _leave(server: smtplib.SMTP) -> None:
    """Says goodbye; what was taken stays taken, whatever is answered."""
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()
