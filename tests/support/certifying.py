"""A site whose rules are certified, shipped ones or changed ones."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from amierules.database.connection import Database
from amierules.engine.site_folder import write_site_folder
from amierules.rulebook.configuration import FILE_NAME
from amierules.testing.certified_rest import rest_front
from amierules.testing.certified_site import ScratchSite, scratch_site
from amierules.tgcdb.central import Central
from amierules.tgcdb.certifying import Certified, Certifier
from amierules.tgcdb.database_front import DatabaseFront
from amierules.tgcdb.playing import Front
from amierules.tgcdb.scenarios import scenarios
from amierules.tgcdb.store import Store
from tests.support.model_site import NOW, RESOURCES

SITE = "TestSite"


@dataclass(frozen=True)
class Bench:
    """A central database, a front, and a scratch copy of a site."""

    central: Central
    front: Front
    scratch: ScratchSite

    def certify(self, names: Sequence[str]) -> list[Certified]:
        resources = tuple(self.scratch.site.configuration.resources)
        certifier = Certifier(self.central, self.front, self.scratch, self.scratch.site.name, resources, 1)
        return list(certifier.certify([scenarios()[name] for name in names]))


def a_site(folder: Path, edits: Mapping[str, tuple[str, str]] | None = None) -> Path:
    """A new site with the shipped rules, of which some files are changed; its configuration."""
    write_site_folder(folder, SITE, RESOURCES)
    for name, (old, new) in (edits or {}).items():
        file = folder / name
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        file.write_text(text.replace(old, new), encoding="utf-8")
    return folder / FILE_NAME


@contextmanager
def a_bench(configuration: Path, *, front: str = "database", database: Database | None = None) -> Iterator[Bench]:
    with scratch_site(configuration, NOW, database) as scratch, Store.open(None, NOW) as store:
        central = Central(store, scratch.clock)
        if front == "rest":
            with rest_front(central, scratch) as served:
                yield Bench(central, served, scratch)
        else:
            yield Bench(central, DatabaseFront(central, scratch.site.database, scratch.site.name), scratch)


def said(found: Sequence[Certified]) -> list[str]:
    """What is wrong, or waits, in words."""
    wrong = [f"{one.scenario.name}: {kept.rule} {kept.message}" for one in found for kept in one.report.wrong]
    waits = [f"{one.scenario.name}: {at.type} {at.status} {at.reason}" for one in found for at in one.waiting]
    return wrong + waits
