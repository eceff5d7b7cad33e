"""Seeded traffic: days of projects and people, as a central database sends them to a site."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

Step = dict[str, Any]

_USERS = (1, 1, 2, 2, 3, 4, 6)
"""How many users a project gets besides its PI."""
_KNOWN = 0.3
"""The share of users who have an account somewhere already."""
_CHANGES = ("supplement", "advance", "transfer", "adjustment", "extension")


@dataclass(frozen=True)
class Traffic:
    """How much is sent: `projects` over so many `days` up to today, `rate` transactions a second (0: at once)."""

    seed: int
    projects: int
    days: int
    rate: float = 0.0

    def steps(self, resources: int, now: datetime) -> list[Step]:
        """The steps of a run at a site with so many resources. `now` is aware."""
        return _Writer(self, resources, now).write()


@dataclass
class _Writer:
    traffic: Traffic
    resources: int
    now: datetime
    steps: list[Step] = field(default_factory=list)
    people: int = 0
    has_account: dict[int, int] = field(default_factory=dict)
    """By person: the step after which the person has an account somewhere."""

    def __post_init__(self) -> None:
        self.chance = random.Random(f"traffic/{self.traffic.seed}")  # noqa: S311 - people in a play

    def write(self) -> list[Step]:
        days = sorted(self.chance.randrange(max(self.traffic.days, 1)) for _ in range(self.traffic.projects))
        for number, day in enumerate(days, 1):
            self._project(number, day)
        return self.steps

    def _add(self, send: str, after: int | None, day: int, when: str = "over", **more: Any) -> int:
        step: Step = {"send": send, "after": after, "when": when, "day": day, **more}
        if self.traffic.rate > 0:
            step["at"] = (self.now + timedelta(seconds=len(self.steps) / self.traffic.rate)).isoformat()
        self.steps.append(step)
        return len(self.steps) - 1

    def _day(self, day: int) -> date:
        """The date of a day of the traffic; the last one is today."""
        return self.now.date() - timedelta(days=max(self.traffic.days - 1 - day, 0))

    def _project(self, number: int, day: int) -> None:
        resource = self.chance.randrange(self.resources)
        pi = self._somebody()
        place: Mapping[str, Any] = {"project": number, "resource": resource}
        dates = {
            "StartDate": self._day(day).isoformat(),
            "EndDate": (self._day(day) + timedelta(days=364)).isoformat(),
        }
        first = self._add("request_project_create", self.has_account.get(pi), day, person=pi, set=dates, **place)
        self.has_account.setdefault(pi, first)
        last, users, early_ones = first, [], set[int]()
        for _ in range(self.chance.choice(_USERS)):
            user = self._somebody()
            if user in early_ones:
                user = self._newcomer()
            # Some come before the project is finished.
            early = user not in self.has_account and self.chance.random() < 0.2
            step = self._add(
                "request_account_create",
                first if early else last,
                day,
                "started" if early else "over",
                person=user,
                **place,
            )
            self.has_account.setdefault(user, step)
            if early:
                # What follows waits for one step alone, which is not this one.
                early_ones.add(user)
                continue
            last = step
            if user != pi and user not in users:
                users.append(user)
        last = self._changes(last, day, pi, place, dates)
        if users and self.chance.random() < 0.3:
            user = self.chance.choice(users)
            last = self._add("request_account_inactivate", last, day, person=user, **place)
            last = self._add("request_account_create", last, day, person=user, **place)
        if self.chance.random() < 0.25:
            last = self._add("request_project_inactivate", last, day, person=pi, **place)
            self._add("request_project_reactivate", last, day, person=pi, **place)
        if self.chance.random() < 0.1:
            self._duplicate(last, day, place)

    def _changes(self, last: int, day: int, pi: int, place: Mapping[str, Any], dates: Mapping[str, str]) -> int:
        if self.chance.random() < 0.4:
            kind = self.chance.choice(_CHANGES)
            tags = {**dates, "AllocationType": kind, "ServiceUnitsAllocated": str(self.chance.choice((100, 250, 1000)))}
            if kind == "extension":
                tags["EndDate"] = (self._day(day) + timedelta(days=500)).isoformat()
            last = self._add("request_project_create", last, day, person=pi, set=tags, **place)
        if self.chance.random() < 0.4:
            last = self._add(
                "request_user_modify", last, day, person=pi, action=self.chance.choice(("replace", "delete"))
            )
        return last

    def _duplicate(self, last: int, day: int, place: Mapping[str, Any]) -> None:
        """Two persons who turn out to be one, and who do nothing else."""
        keep, delete = self._newcomer(), self._newcomer()
        last = self._add("request_account_create", last, day, person=keep, **place)
        last = self._add("request_account_create", last, day, person=delete, **place)
        self._add("request_person_merge", last, day, person=keep, other=delete)

    def _somebody(self) -> int:
        if self.has_account and self.chance.random() < _KNOWN:
            return self.chance.choice(sorted(self.has_account))
        return self._newcomer()

    def _newcomer(self) -> int:
        self.people += 1
        return self.people
