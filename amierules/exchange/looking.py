"""Looking up at the server whether it has taken what we posted, where its answer was lost."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from amierules.database.connection import Database
from amierules.database.posts import ToPost
from amierules.database.remote_ids import known_packets
from amierules.exchange.messages import Message
from amierules.exchange.remote import Keys, Remote, header_of, key_in, state_in
from amierules.protocol.json_form import Side, read_header
from amierules.protocol.json_header import Refused as Unreadable
from amierules.protocol.packet import IN_PROGRESS, Header
from amierules.protocol.rows import TooDeepError, normalise


class Taken(NamedTuple):
    """The server has it, under these keys as far as they are known."""

    keys: Keys


class Missing(NamedTuple):
    """The server does not have it, and waits for it: it can be posted."""


class Over(NamedTuple):
    """The server does not have it, and does not want it any more."""

    reason: str


Found = Taken | Missing | Over


@dataclass(frozen=True)
class Looker:
    """Looks at one server. `side` says whose packets it has."""

    remote: Remote
    side: Side
    database: Database

    def find(self, one: ToPost, message: Message) -> Found:
        """What became of a packet that was posted, or may have been. Raises `SendingFault`."""
        if message.to is None:
            return self._start(one, message.content)
        return self._reply(one, message.to, message.content)

    def _reply(self, one: ToPost, to: Header, sent: Mapping[str, Any]) -> Found:
        key = to.remote_packet_rec_id or 0
        element = self.remote.packet(key)
        # A server may list a packet once more that was answered: what its transaction has counts before its state.
        within = self.remote.transaction_packets(to.remote_trans_rec_id) if to.remote_trans_rec_id is not None else []
        answer = next(self._answers(within, one.type, key), None)
        if answer is not None:
            return Taken(answer)
        if element is None:
            return Over(f"the server has no packet {key} any more")
        state = state_in(element, "packet_state") or IN_PROGRESS
        if state == IN_PROGRESS:
            return Missing()
        if state == "completed" or sent["body"].get("StatusCode") == "Failure":
            return Taken(Keys())
        return Over(f"packet {key} is {state} at the server")

    def _answers(self, within: Iterable[Any], type_name: str, key: int) -> Iterator[Keys]:
        """The packets of a transaction that can be our answer to the one with this key."""
        sent = [element for element in within if self._is_ours(element)]
        known = self._known(sent)
        for element in sent:
            answers, keys = key_in(element, "in_reply_to"), Keys.of(element)
            untold = answers is None and element.get("type") == type_name and keys.packet_rec_id not in known
            if answers == key or untold:
                yield keys

    def _start(self, one: ToPost, sent: Mapping[str, Any]) -> Found:
        listed = self.remote.listed_since(one.began_at or one.ts)
        candidates = [element for element in listed if self._is_ours(element) and _starts(element, one.type)]
        known = self._known(candidates)
        for element in candidates:
            keys = Keys.of(element)
            if keys.packet_rec_id not in known and _has(element, sent["body"]):
                return Taken(keys)
        return Missing()

    def _is_ours(self, element: Any) -> bool:
        try:
            return read_header(element, self.side).outgoing
        except Unreadable:
            return False

    def _known(self, elements: Iterable[Any]) -> set[int]:
        keys = {key for element in elements if (key := key_in(element, "packet_rec_id")) is not None}
        with self.database.read() as connection:
            return set(known_packets(connection, self.side.remote_site_names, keys))


def _starts(element: Any, type_name: str) -> bool:
    return element.get("type") == type_name and header_of(element).get("in_reply_to") in (None, "")


def _has(element: Any, body: Mapping[str, Any]) -> bool:
    """Whether a packet at the server has all that we posted; it may have more."""
    try:
        there = normalise(element.get("body") or {})
    except (TypeError, ValueError, RecursionError, AttributeError, TooDeepError):
        return False
    return all(there.get(tag) == value for tag, value in normalise(body).items())
