"""Rules that change under a run that watches: taken in when they are sound, and only then."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from amierules.diagnostics import Finding, Severity
from amierules.engine.directories import directory_of
from amierules.engine.site import Site
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.model import Rulebook

Loaded = tuple[Configuration | None, Rulebook | None, list[Finding]]


@dataclass
class Reloader:
    """Looks whether the files of a site have changed since it last looked."""

    site: Site
    file: Path
    """The configuration."""
    load: Callable[[], Loaded]
    report: Callable[[str, list[Finding]], None]
    """Tells people what became of changed files, and what is wrong with them."""

    def __post_init__(self) -> None:
        self._seen = self._fingerprint()

    def changed(self) -> Site | None:
        """The site with the changed files; None where nothing has changed, or they have errors, which are reported."""
        now = self._fingerprint()
        if now == self._seen:
            return None
        self._seen = now
        configuration, rulebook, findings = self.load()
        errors = [one for one in findings if one.severity is Severity.ERROR]
        if configuration is None or rulebook is None or errors:
            self.report("the changed files have errors: the rules stay as they were", errors)
            return None
        if configuration.database != self.site.configuration.database:
            self.report("the configuration names another database: start the run anew to use it", [])
            return None
        changed_again = self._fingerprint() != now
        world = replace(
            self.site.world,
            directory=directory_of(configuration),
            nodes=self.site.world.nodes.under(configuration.ssh),
        )
        self.site = replace(self.site, configuration=configuration, rulebook=rulebook, world=world)
        if not changed_again:
            # The configuration may name other files.
            self._seen = self._fingerprint()
        self.report("the changed rules are used from now on", [])
        return self.site

    def _fingerprint(self) -> frozenset[tuple[str, int, int]]:
        return frozenset(_stamps(self.file, *self.site.configuration.rules, self.site.configuration.templates))


def _stamps(*places: Path) -> Iterator[tuple[str, int, int]]:
    """Each file at or below the places with its time of change and size; those that cannot be read are left out."""
    for place in places:
        files = (os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names)
        for file in (str(place), *files):
            try:
                found = os.stat(file)
            except OSError:
                continue
            yield file, found.st_mtime_ns, found.st_size
