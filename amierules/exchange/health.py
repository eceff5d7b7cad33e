"""The servers that packets are exchanged with, as `doctor` sees them: do they answer, and do they know us."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from amierules.engine.health.check import Check, error, ok
from amierules.exchange.remote import PATIENCE, Remote
from amierules.ports import SystemClock
from amierules.ports.taking import Denied, NotTaken, SendingFault
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.exchange_section import RestServer

_APART = timedelta(minutes=5)


def check_servers(configuration: Configuration) -> Iterator[Check]:
    """Whether each server answers, with our key; it is asked for what has changed just now, and nothing is stored."""
    for server in configuration.exchange:
        yield _check(server, configuration)


def _check(server: RestServer, configuration: Configuration) -> Check:
    clock = SystemClock()
    remote = Remote.of(server, configuration, clock, replace(PATIENCE, attempts=1))
    try:
        remote.listed(clock.now())
    except SendingFault as fault:
        return error("exchange", f"{server.name}, {server.url}: {fault}", _hint(fault))
    finally:
        remote.service.close()
    apart = abs(remote.ahead) if remote.ahead is not None else timedelta()
    if apart > _APART:
        hint = "set the clock of this host: time stamps tell which packet comes first"
        return error("exchange", f"{server.name}: its clock and ours are {apart} apart", hint)
    return ok("exchange", f"{server.name}, {server.url}: answers, and knows {server.site}")


def _hint(fault: SendingFault) -> str:
    if isinstance(fault, Denied):
        return "look at api_key and site under `exchange`"
    if isinstance(fault, NotTaken):
        return "look at url and proxy under `exchange`; packets wait in the database meanwhile"
    return "look at url under `exchange`: it is the address above packets/SITE"
