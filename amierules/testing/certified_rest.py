"""The REST front between the test central database and a scratch copy of a site: both ends, over a real socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from amierules.diagnostics import Finding, NotAllowed, Place
from amierules.exchange.exchanger import Exchanger
from amierules.rulebook.compiled import Constant
from amierules.rulebook.exchange_section import RestServer as Server
from amierules.templating import Secret
from amierules.testing.certified_site import ScratchSite
from amierules.tgcdb.central import Central
from amierules.tgcdb.faults import FaultPlan, Faults
from amierules.tgcdb.rest_extra import NOT_INSTALLED, RestFront, RestServer

_KEY = "a scratch copy"


@dataclass(frozen=True)
class ExchangeFront:
    """Lets the site's own exchange fetch and post."""

    exchanger: Exchanger

    def carry(self) -> None:
        """Fetches and posts. Raises `Unavailable`."""
        # All of it each time: the clock of a scratch copy is not that of the server.
        self.exchanger.fetch(full=True)
        self.exchanger.post()


@contextmanager
def rest_front(central: Central, scratch: ScratchSite) -> Iterator[ExchangeFront]:
    """The front, served on a free port of this host. Raises `NotAllowed` where its libraries are not installed."""
    if RestServer is None:
        raise NotAllowed(Finding("not-installed", NOT_INSTALLED))
    configuration = scratch.site.configuration
    front = RestFront(central, {configuration.site_name: _KEY}, tuple(configuration.resources), 0, Faults(FaultPlan()))
    with RestServer(front) as server:
        there = Server(
            remote_site_names=configuration.remote_site_names,
            url=server.url,
            site=configuration.site_name,
            api_key=Constant(Place("certify"), Secret(_KEY)),
        )
        scratch.site = replace(scratch.site, configuration=replace(configuration, exchange=(there,)))
        with Exchanger(scratch.site).opened() as exchanger:
            yield ExchangeFront(exchanger)
