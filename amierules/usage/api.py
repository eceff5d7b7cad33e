"""ACCESS's Usage API, as its public client `amieclient` speaks to it: what it is told, and what it tells."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from amierules.engine.packet_names import Secrets
from amierules.ports.http_connections import Dialler
from amierules.ports.json_service import JsonService, Patience
from amierules.ports.taking import Refused
from amierules.protocol.json_text import plain_json
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.usage_section import UsageApi
from amierules.templating import Secret
from amierules.usage.records import REFERENCE

_FAILED_LISTS = ("ValidationFailedRecords", "FailedRecords")
"""What the list of failed records is called: sources differ."""
_LOADED_LISTS = ("LoadedRecords", "Records", "result")
_PAGE = 25_000
"""Records of one page of what is loaded: the most that the API gives."""
_NOT_THERE = (404, 405, 501)
_SOME_IDS = 100


@dataclass(frozen=True)
class Told:
    """What the API tells of a record."""

    usage_id: int | None
    """The ledger's row, where LocalReference came back."""
    key: tuple[str, str, str]
    """Resource, LocalRecordID and the moment of submission (as it came)."""
    reason: str
    remote_id: str | None
    charge: Decimal | None


class Api:
    """The Usage API. Its methods raise `SendingFault`s of `ports.taking`."""

    def __init__(self, configuration: Configuration, section: UsageApi, patience: Patience | None = None) -> None:
        def headers() -> Mapping[str, str | Secret]:
            key = section.key.evaluate({"secret": Secrets(configuration.secrets)})
            return {"XA-SITE": section.site, "XA-API-KEY": key if isinstance(key, Secret) else str(key)}

        self._service = JsonService(
            section.url, headers, Dialler(timeout=section.timeout), section.timeout * 5, patience or Patience()
        )

    def post(self, body: bytes) -> list[Told]:
        """Sends records, as JSON; those that it does not take. Never repeated where it may have been taken."""
        answer = self._service.call("POST", ["usage"], body=body, repeat=False, may_be_empty=True)
        return [_told(one) for one in _listed(answer.data, _FAILED_LISTS)]

    def failed(self) -> list[Told]:
        """The records that failed, when they were sent or later."""
        return [_told(one) for one in _listed(self._service.call("GET", ["usage", "failed"]).data, _FAILED_LISTS)]

    def forget_failed(self, remote_ids: Sequence[str]) -> None:
        """Clears failed records; one that is not there any more is cleared already."""
        for at in range(0, len(remote_ids), _SOME_IDS):
            some = ",".join(remote_ids[at : at + _SOME_IDS])
            try:
                self._service.call("DELETE", ["usage", "failed", some], may_be_empty=True)
            except Refused as refused:
                if refused.status not in _NOT_THERE:
                    raise

    def loaded(self, record_id: str | None = None) -> Iterator[Told] | None:
        """The records that are loaded, of one LocalRecordID where it is given; None where the API cannot tell."""
        try:
            first = self._page(0, record_id)
        except Refused as refused:
            if refused.status in _NOT_THERE:
                return None
            raise
        return self._pages(first, record_id)

    def _pages(self, page: list[Told], record_id: str | None) -> Iterator[Told]:
        at = 0
        while page:
            yield from page
            if len(page) < _PAGE:
                return
            at += len(page)
            page = self._page(at, record_id)

    def _page(self, at: int, record_id: str | None) -> list[Told]:
        query = {"limit": str(_PAGE), "offset": str(at), **({"LocalRecordID": record_id} if record_id else {})}
        return [
            _told(one)
            for one in _listed(self._service.call("GET", ["usage", "loaded"], query=query).data, _LOADED_LISTS)
        ]

    def errors(self) -> list[Told]:
        """The records that `status` names under its errors."""
        answer = plain_json(self._service.call("GET", ["usage", "status"]).data)
        resources = answer if isinstance(answer, list) else []
        return [
            _told({**record, "Error": error.get("Error", "failed")})
            for resource in resources
            if isinstance(resource, dict)
            for error in resource.get("Errors") or ()
            if isinstance(error, dict)
            for record in error.get("Records") or ()
            if isinstance(record, dict)
        ]

    def close(self) -> None:
        """Lets the connection go."""
        self._service.close()


def _listed(data: Any, names: Iterable[str]) -> list[dict[str, Any]]:
    plain = plain_json(data)
    if isinstance(plain, dict):
        plain = next((plain[name] for name in names if isinstance(plain.get(name), list)), [])
    return [one for one in plain if isinstance(one, dict)] if isinstance(plain, list) else []


def _told(record: Mapping[str, Any]) -> Told:
    reference = str(record.get("LocalReference") or "")
    number = reference.removeprefix(REFERENCE)
    remote_id = record.get("FailedRecordID")
    submitted = record.get("SubmitTime") or record.get("CollectionTime") or record.get("StartTime") or ""
    return Told(
        int(number) if reference.startswith(REFERENCE) and number.isdecimal() and len(number) < 19 else None,
        (str(record.get("Resource", "")), str(record.get("LocalRecordID", "")), moment_key(str(submitted))),
        str(record.get("Error") or "refused without a reason"),
        None if remote_id is None else str(remote_id),
        _charge(record.get("Charge")),
    )


def moment_key(text: str) -> str:
    """A moment in one form, however it is written; what is none as it is."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return text
    return str(int(parsed.timestamp())) if parsed.tzinfo is not None else text


def _charge(value: object) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value))
    except ArithmeticError:
        return None
