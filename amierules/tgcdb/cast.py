"""The people and projects of a run: made up, and the same for the same seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from amierules.shipped import read_schema

_PEOPLE_OF_A_RUN = 100_000


@dataclass(frozen=True)
class Person:
    """A made-up person, as the central database knows one."""

    global_id: str
    portal_login: str
    tags: Mapping[str, Any]
    """Tags without prefix."""
    dns: tuple[str, ...]
    degree: Mapping[str, str]
    status: str


@dataclass(frozen=True)
class Project:
    """A made-up project."""

    grant_number: str
    title: str
    field: Mapping[str, str]
    units: int
    start: date
    end: date


@dataclass(frozen=True)
class Cast:
    """Everybody and everything in a run, by number. `today` is the day on which the run began."""

    run_id: int
    seed: int
    resources: Sequence[str]
    today: date

    def person(self, number: int) -> Person:
        """A person."""
        return _person(self.run_id, self.seed, number)

    def project(self, number: int) -> Project:
        """A project."""
        chance = self._chance("project", number)
        words = _words()
        start = self.today - timedelta(days=chance.randrange(0, 30))
        number_field, name = chance.choice(words["fields"])
        return Project(
            grant_number=f"TST{self._group:06d}{self.run_id:03d}{number:04d}",
            title=f"{chance.choice(words['methods'])} of {chance.choice(words['subjects'])}",
            field={"Number": number_field, "Description": name},
            units=chance.choice((1000, 5000, 25_000, 100_000, 400_000)),
            start=start,
            end=start + timedelta(days=364),
        )

    def resource(self, number: int) -> str:
        """A resource of the site; there are as many as were given, and they are counted round."""
        return self.resources[number % len(self.resources)]

    def record_id(self, label: object) -> str:
        """A RecordID."""
        return f"{self._group}.{self.run_id}.{label}"

    @property
    def _group(self) -> int:
        return self.seed % 1_000_000

    def _chance(self, kind: str, number: int) -> random.Random:
        return random.Random(f"{self.seed}/{self.run_id}/{kind}/{number}")  # noqa: S311 - people in a play


@lru_cache(maxsize=1000)
def _person(run_id: int, seed: int, number: int) -> Person:
    chance = random.Random(f"{seed}/{run_id}/person/{number}")  # noqa: S311 - people in a play
    words = _words()
    first, last = chance.choice(words["first_names"]), chance.choice(words["last_names"])
    code, organization, city, state, domain = chance.choice(words["organizations"])
    global_id = str((seed % 1_000_000 + 1) * 10_000_000_000 + run_id * _PEOPLE_OF_A_RUN + number)
    login = f"{first[0]}{last}{number}".lower().replace("'", "").replace("-", "")
    common_name = f"{first} {last} {number}"
    tags = {
        "FirstName": first, "MiddleName": chance.choice(("", "", "Q", "Lee", "M.")), "LastName": last,
        "Organization": organization, "OrgCode": code, "Department": chance.choice(words["departments"]),
        "Title": "", "Email": f"{login}@{domain}", "BusinessPhoneNumber": f"55501{chance.randrange(100_000):05d}",
        "StreetAddress": f"{chance.randrange(1, 999)} College Street", "City": city, "State": state,
        "Zip": f"00{chance.randrange(1000):03d}", "Country": "9US",
    }  # fmt: skip
    dns = [f"/C=US/O=Example Grid/OU={organization}/CN={common_name}", f"/DC=EDU/DC=EXAMPLE/O=MYPROXY/CN={login}"]
    return Person(
        global_id=global_id,
        portal_login=login,
        tags=tags,
        dns=tuple(dns[: chance.choice((0, 1, 2, 2))]),
        degree={"Degree": chance.choice(("BS", "MS", "PhD")), "Field": chance.choice(words["fields"])[1]},
        status=chance.choice(("F", "GS", "PD", "UG", "NP")),
    )


def _words() -> dict[str, Any]:
    words: dict[str, Any] = read_schema("tgcdb/words")
    return words
