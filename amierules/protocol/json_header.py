"""The header of a packet in AMIE's JSON form, turned to our perspective."""

from collections.abc import Sequence
from datetime import UTC, datetime

from amierules.diagnostics import printable
from amierules.protocol.catalogue import ExpectedReply, catalogue
from amierules.protocol.json_text import JsonNumber, JsonObject
from amierules.protocol.packet import IN_PROGRESS, STATES, Header

MAX_SITE_NAME = 16
MAX_TYPE = 128
MAX_ID_DIGITS = 38
MAX_BIGINT = 2**63 - 1
MAX_INT = 2**31 - 1

_SITES = ("originating_site_name", "local_site_name", "remote_site_name")
_REQUIRED = ("transaction_id", "packet_id", *_SITES, "outgoing_flag")
_FLAGS = {"1": True, "0": False, "true": True, "false": False}


class Refused(Exception):
    """A packet is not taken. `message` continues `packet N ...`."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def checked_text(what: str, text: str) -> None:
    """Raises `Refused` for NUL and lone surrogates, which no database column holds."""
    if "\0" in text:
        raise Refused("nul-character", f"has a NUL character in {what}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("bad-text", f"has half of a surrogate pair in {what}, which is no text") from None


class HeaderReader:
    """Reads the header of one packet."""

    def __init__(
        self, packet: JsonObject, site_name: str, remote_site_names: Sequence[str], as_site: str | None, now: datetime
    ) -> None:
        self._type = packet.get("type")
        self._header: JsonObject = packet["header"]
        self._site_name = site_name
        self._remote_site_names = remote_site_names
        self._as_site = as_site
        self._now = now

    def read(self) -> Header:
        """The header from our side. Raises `Refused` for what cannot become rows and for packets of other sites."""
        self._refuse_missing()
        type_ = self._name("type", self._type, MAX_TYPE)
        originating, local, remote = (self._ours(self._name(key, self._header[key], MAX_SITE_NAME)) for key in _SITES)
        peer = self._peer(local, remote)
        if originating not in (local, remote):
            raise _bad("originating_site_name", originating, "is neither its local nor its remote site")
        flag = self._flag()
        return Header(
            type=type_,
            transaction_id=self._required_id("transaction_id"),
            packet_id=self._required_id("packet_id"),
            originating_site_name=originating,
            local_site_name=self._site_name,
            remote_site_name=peer,
            timestamp=self._timestamp(),
            outgoing=flag if local == self._site_name else not flag,
            packet_state=self._state("packet_state"),
            transaction_state=self._state("transaction_state"),
            remote_packet_rec_id=self._key("packet_rec_id"),
            remote_trans_rec_id=self._key("trans_rec_id"),
            expected_replies=self._expected_replies(type_),
        )

    def _refuse_missing(self) -> None:
        missing = [name for name in _REQUIRED if self._header.get(name) in (None, "")]
        if self._type in (None, ""):
            missing.insert(0, "type")
        if missing:
            raise Refused("missing-header-field", f"lacks {', '.join(missing)}")

    def _name(self, field: str, value: object, limit: int) -> str:
        if not isinstance(value, str) or isinstance(value, JsonNumber):
            raise _bad(field, value, "is no text")
        checked_text(field, value)
        if len(value) > limit:
            raise _bad(field, value, f"has {len(value)} characters; at most {limit} are possible")
        return value

    def _ours(self, site: str) -> str:
        return self._site_name if site == self._as_site else site

    def _peer(self, local: str, remote: str) -> str:
        if self._site_name not in (local, remote):
            other = local if remote in self._remote_site_names else remote
            raise Refused(
                "other-site",
                f"is of the site {printable(other)}, not of {printable(self._site_name)}",
                f"to load it all the same: --as-site {printable(other)}",
            )
        peer = remote if local == self._site_name else local
        if peer == self._site_name:
            raise _bad("remote_site_name", peer, "is also its local site")
        if peer not in self._remote_site_names:
            known = ", ".join(self._remote_site_names)
            raise Refused(
                "other-site",
                f"is from {printable(peer)}, not from {printable(known)}",
                "the other sides stand under remote_site_name in the configuration",
            )
        return peer

    def _flag(self) -> bool:
        value = self._header["outgoing_flag"]
        flag = _FLAGS.get(str(value).lower()) if isinstance(value, int | str) else None
        if flag is None:
            raise _bad("outgoing_flag", value, "is neither 1 nor 0")
        return flag

    def _required_id(self, field: str) -> int:
        value = self._header[field]
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if not (text.isascii() and text.isdigit()):
            raise _bad(field, value, "is no whole number from 0 up")
        if len(text) > MAX_ID_DIGITS:
            raise _bad(field, value, f"has more than {MAX_ID_DIGITS} digits")
        return int(text)

    def _key(self, field: str) -> int | None:
        if self._header.get(field) in (None, ""):
            return None
        number = self._required_id(field)
        if number > MAX_BIGINT:
            raise _bad(field, number, f"is above {MAX_BIGINT}")
        return number

    def _timestamp(self) -> datetime:
        value = self._header.get("packet_timestamp")
        if value in (None, ""):
            return self._now.astimezone(UTC)
        try:
            moment = datetime.fromisoformat(value)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            raise _bad("packet_timestamp", value, "is no date and time") from None

    def _state(self, field: str) -> str:
        value = self._header.get(field)
        if value in (None, ""):
            return IN_PROGRESS
        state = value.replace("_", "-") if isinstance(value, str) else value
        if state not in STATES:
            raise _bad(field, value, f"is none of {', '.join(STATES)}")
        return str(state)

    def _expected_replies(self, type_: str) -> tuple[ExpectedReply, ...]:
        listed = self._header.get("expected_reply_list")
        if listed is None:
            known = catalogue().types.get(type_)
            return known.expected_replies if known else ()
        if not isinstance(listed, list):
            raise _bad("expected_reply_list", listed, "is no list")
        replies = {reply.type: reply for reply in map(self._expected_reply, listed)}
        return tuple(replies.values())

    def _expected_reply(self, entry: object) -> ExpectedReply:
        listed = entry if isinstance(entry, dict) else {}
        type_ = listed.get("type")
        if not isinstance(type_, str) or type_ not in catalogue().types:
            raise _bad("expected_reply_list", entry if type_ is None else type_, "is no packet type of AMIE")
        timeout = listed.get("timeout")
        if timeout in (None, ""):
            return ExpectedReply(type_, None)
        text = str(timeout) if isinstance(timeout, int | str) and not isinstance(timeout, bool) else ""
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_INT):
            raise _bad("expected_reply_list", timeout, "is no number of minutes")
        return ExpectedReply(type_, int(text))


def _bad(field: str, value: object, reason: str) -> Refused:
    return Refused("bad-header-field", f"cannot be read: {field} '{printable(value, 40)}' {reason}")
