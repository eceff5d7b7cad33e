"""Pausing back ends and resources by hand."""

from amierules.actions.table import BACK_ENDS, back_end
from amierules.database import pauses
from amierules.database.notices import tell_workers
from amierules.diagnostics import Finding, NotAllowed, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.engine.site import Site


def pausable(site: Site) -> list[str]:
    """What can be paused: the back ends of the kinds, and the configured resources."""
    used = {name for kind in site.kinds if (name := back_end(kind)) is not None}
    return sorted({*BACK_ENDS, *used, *site.configuration.resources})


def pause(site: Site, name: str, reason: str, who: str) -> None:
    """Nothing that needs the back end or resource is begun any more. Raises `NotAllowed` for an unknown name."""
    names = pausable(site)
    if name not in names:
        close = did_you_mean(name, names)
        hint = f"did you mean '{close}'?" if close else f"possible: {', '.join(names)}"
        raise NotAllowed(Finding("no-such-back-end", f"there is nothing called {printable(name)} to pause", hint=hint))
    with site.database.begin() as connection:
        pauses.begin(connection, name, reason, who, site.world.clock.now())


def resume(site: Site, name: str, reason: str, who: str) -> None:
    """What waits for the back end or resource is tried again. Raises `NotAllowed` where it is not paused."""
    with site.database.begin() as connection:
        if pauses.resume(connection, name, who, reason, site.world.clock.now()):
            tell_workers(connection)
            return
        paused = [one.name for one in pauses.listing(connection)]
    hint = f"paused: {', '.join(paused)}" if paused else "nothing is paused"
    raise NotAllowed(Finding("not-paused", f"{printable(name)} is not paused", hint=hint))
