"""What the central database knows of a site: its projects, persons, accounts and DNs, learned from packets."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from amierules.database.upsert import conflict_insert
from amierules.tgcdb.tables import fact

# Built once: most of what the central database does is to ask for facts.
_GET = select(fact.c.value).where(
    fact.c.site == bindparam("of_site"), fact.c.kind == bindparam("of_kind"), fact.c.key == bindparam("of_key")
)


@dataclass(frozen=True)
class Presence:
    """A project on a resource. `here`: the site has answered for it; `settled`: that transaction has ended."""

    here: bool = False
    settled: bool = False
    active: bool = True


@dataclass(frozen=True)
class Knowledge:
    """The facts about one site, read and written through a connection."""

    connection: Connection
    site: str

    def project_id(self, grant: str) -> str | None:
        """The ProjectID that the site gave to a grant."""
        return self._text("project_id", grant)

    def grant_of(self, project_id: str) -> str | None:
        """The grant that has this ProjectID."""
        return self._text("grant", project_id)

    def learn_project(self, grant: str, project_id: str) -> None:
        """The site calls the project of a grant by this id."""
        self._put("project_id", grant, project_id)
        self._put("grant", project_id, grant)

    def presence(self, grant: str, resource: str) -> Presence | None:
        """How a project stands on a resource; None where nothing was ever asked about it."""
        found = self._get("presence", _key(grant, resource))
        return None if found is None else Presence(**found)

    def learn_presence(self, grant: str, resource: str, presence: Presence) -> None:
        """A project stands so on a resource."""
        self._put("presence", _key(grant, resource), vars(presence))

    def person_ids(self, person: str) -> list[str]:
        """The site's ids of a person (by GlobalID), the primary one first."""
        return list(self._get("person_ids", person) or ())

    def owner(self, person_id: str) -> str | None:
        """The person (GlobalID) who has this PersonID."""
        return self._text("owner", person_id)

    def learn_person(self, person: str, person_id: str) -> None:
        """The site calls a person by this id, too."""
        ids = self.person_ids(person)
        if person_id not in ids:
            self._put("person_ids", person, [*ids, person_id])
            self._put("owner", person_id, person)

    def dns(self, person: str) -> list[str]:
        """The DNs of a person that the site was told and has acknowledged."""
        return list(self._get("dns", person) or ())

    def learn_dns(self, person: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """The site holds these DNs of a person, and no longer those."""
        gone = set(remove)
        kept = dict.fromkeys(dn for dn in (*self.dns(person), *add) if dn not in gone)
        self._put("dns", person, list(kept))

    def login(self, person: str, grant: str, resource: str) -> str | None:
        """The login of an account; None where there is no account."""
        return self._text("login", _key(person, grant, resource))

    def login_owner(self, resource: str, login: str) -> str | None:
        """The person who has a login on a resource."""
        return self._text("login_owner", _key(resource, login))

    def logins(self, person: str) -> list[tuple[str, str]]:
        """Each resource and login of a person."""
        owned = [json.loads(key) for key, owner in self._rows("login_owner") if owner == person]
        return [(resource, login) for resource, login in owned]

    def learn_account(self, person: str, grant: str, resource: str, login: str) -> None:
        """A person has an account under this login."""
        self._put("login", _key(person, grant, resource), login)
        self._put("login_owner", _key(resource, login), person)

    def record(self, record_id: str) -> dict[str, Any] | None:
        """What the site answered to the first request_project_create of a RecordID."""
        found: dict[str, Any] | None = self._get("record", record_id)
        return found

    def learn_record(self, record_id: str, reply: dict[str, Any]) -> None:
        """The site answered so to a RecordID."""
        self._put("record", record_id, reply)

    def merge(self, keep: str, delete: str, keep_person_id: str) -> None:
        """Two persons are one: ids, logins, accounts and DNs of the other go over."""
        others = [one for one in (*self.person_ids(keep), *self.person_ids(delete)) if one != keep_person_id]
        ids = list(dict.fromkeys([keep_person_id, *others]))
        self._put("person_ids", keep, ids)
        for person_id in ids:
            self._put("owner", person_id, keep)
        self._put("person_ids", delete, ids)
        self.learn_dns(keep, add=self.dns(delete))
        for resource, login in self.logins(delete):
            self._put("login_owner", _key(resource, login), keep)
        for key, login in self._rows("login"):
            person, grant, resource = json.loads(key)
            if person == delete and self.login(keep, grant, resource) is None:
                self._put("login", _key(keep, grant, resource), login)

    def _text(self, kind: str, key: str) -> str | None:
        found = self._get(kind, key)
        return None if found is None else str(found)

    def _get(self, kind: str, key: str) -> Any:
        asked = {"of_site": self.site, "of_kind": kind, "of_key": key}
        return self.connection.execute(_GET, asked).scalar_one_or_none()

    def _rows(self, kind: str) -> list[tuple[str, Any]]:
        columns = fact.c
        statement = select(columns.key, columns.value).where(columns.site == self.site, columns.kind == kind)
        return [(row.key, row.value) for row in self.connection.execute(statement)]

    def _put(self, kind: str, key: str, value: Any) -> None:
        statement = conflict_insert(self.connection, fact).values(site=self.site, kind=kind, key=key, value=value)
        keys = ["site", "kind", "key"]
        self.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={"value": value}))


def _key(*parts: str) -> str:
    return json.dumps(parts)
