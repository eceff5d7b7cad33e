"""The exchange of packets with all servers of the configuration: once, and beside a run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from amierules.database.claims import Claims, claims_for
from amierules.database.posts import Posted, ToPost
from amierules.diagnostics import Finding, Invalid, Unavailable
from amierules.engine.site import CrashPoint, Site
from amierules.exchange.fetching import Fetched
from amierules.exchange.line import Line, Results
from amierules.exchange.posting import Poster
from amierules.exchange.remote import PATIENCE, Remote
from amierules.ports.json_service import Patience
from amierules.rulebook.exchange_section import RestServer


@dataclass
class Exchanger:
    """Exchanges packets with all servers, one after the other."""

    site: Site
    on_fetched: Callable[[str, Fetched], None] = lambda name, fetched: None
    on_posted: Callable[[ToPost, Posted], None] | None = None
    """Told of each packet that was taken or refused; by default they are kept in the results."""
    say: Callable[[str], None] = lambda text: None
    stopped: Callable[[], bool] = lambda: False
    patience: Patience = PATIENCE
    """How often a request is repeated."""
    wait: Callable[[float], bool] = lambda seconds: False
    """Waits until a lost answer can be looked up; False where that is not waited for."""
    settle: float = Poster.settle
    crash_point: CrashPoint = lambda name: None
    lines: Sequence[Line] = field(default=(), init=False)

    @contextmanager
    def opened(self) -> Iterator["Exchanger"]:
        """Within it nobody else exchanges packets with these servers. The caller holds `Database.run_lock`.

        Raises `Invalid` where the configuration names no server or the tables are another program's, and `Unavailable`
        where somebody else exchanges packets already.
        """
        with self.patiently_opened():
            for line in self.lines:
                if not line.claim():
                    message = f"another amierules exchanges packets with {line.results.name} already"
                    raise Unavailable(Finding("exchange-busy", message, hint="one at a time: wait until it has ended"))
            yield self

    @contextmanager
    def patiently_opened(self) -> Iterator["Exchanger"]:
        """As `opened`; while somebody else exchanges packets, the rounds do not, and take their turn after that."""
        self.check()
        with ExitStack() as stack:
            claims = stack.enter_context(claims_for(self.site.database))
            self.lines = [self._line(server, claims) for server in self.site.configuration.exchange]
            for line in self.lines:
                stack.callback(line.close)
            yield self

    def _line(self, server: RestServer, claims: Claims) -> Line:
        return Line(
            self.site,
            Remote.of(server, self.site.configuration, self.site.world.clock, self.patience),
            claims,
            on_fetched=self.on_fetched,
            on_posted=self.on_posted,
            say=self.say,
            stopped=self.stopped,
            wait=self.wait,
            settle=self.settle,
            crash_point=self.crash_point,
        )

    def check(self) -> None:
        """Raises `Invalid` where packets cannot be exchanged."""
        configuration, database = self.site.configuration, self.site.database
        if not configuration.exchange:
            hint = "add `exchange:` with the server's url and your api_key"
            raise Invalid(
                Finding("no-exchange", "the configuration names no server to exchange packets with", hint=hint)
            )
        if not database.owns_amie_tables:
            message = (
                f"the AMIE tables of {database.url_shown} are those of an AMIE program, which exchanges packets itself"
            )
            raise Invalid(
                Finding("amie-tables-found", message, hint="use a database that `amierules db create` has made")
            )

    def fetch(self, *, full: bool = False) -> None:
        """Fetches from all servers. Raises `Unavailable`, `LostOwnership`."""
        for line in self.lines:
            if not self.stopped():
                line.incoming(full=full)

    def post(self) -> None:
        """Posts to all servers that could be fetched from. Raises as `fetch` does."""
        for line in self.lines:
            if not self.stopped() and not line.results.trouble:
                line.outgoing()
            line.count_waiting()

    def before_round(self) -> None:
        """What a run that goes on for ever does before it works on packets: fetches where it is time."""
        for line in self.lines:
            if not self.stopped() and line.claim():
                line.incoming_if_due()

    def after_round(self) -> None:
        """What it does afterwards: posts what waits."""
        for line in self.lines:
            if not self.stopped() and line.claim():
                line.outgoing_if_there()

    def rests(self) -> float:
        """Seconds until a server is to be asked again, or may be."""
        return min((line.rests() for line in self.lines), default=0.0)

    def use(self, site: Site) -> None:
        """Goes on with changed rules; servers stay those of the beginning."""
        for line in self.lines:
            line.site = site

    @property
    def results(self) -> list[Results]:
        """What came of it, by server."""
        return [line.results for line in self.lines]
