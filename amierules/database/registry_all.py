"""Reading the whole registry at once, for what looks at all of it: listing, import, export."""

from collections import defaultdict

from sqlalchemy import Connection, Table, select

from amierules.database import own_tables as tables
from amierules.database.json_values import from_json
from amierules.database.made import Made
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow


def read_all(connection: Connection) -> list[RegistryRow]:
    """Every row of the registry: persons, projects, presences, allocations, accounts, with a query for each table."""
    ids, logins, dns = (_values(connection, one) for one in (_IDS, _LOGINS, _DNS))
    rows: list[RegistryRow] = []
    for row in _PERSONS.mappings(connection):
        key, data = row["key"], from_json(row["data"])
        lists = {"ids": tuple(ids[key]), "logins": tuple(logins[key]), "dns": tuple(dns[key])}
        rows.append(Person(**{**row, "data": data, **lists}))
    for row in _PROJECTS.mappings(connection):
        rows.append(Project(**{**row, "data": from_json(row["data"])}))
    rows += [Presence(**row) for row in _PRESENCES.mappings(connection)]
    rows += [Allocation(**row) for row in _ALLOCATIONS.mappings(connection)]
    rows += [Account(**row) for row in _ACCOUNTS.mappings(connection)]
    return rows


_TABLES = (tables.person, tables.project, tables.project_resource, tables.allocation, tables.account)
_PERSONS, _PROJECTS, _PRESENCES, _ALLOCATIONS, _ACCOUNTS = (Made(select(table)) for table in _TABLES)


def _listed(table: Table, value: str, order: str) -> Made:
    return Made(select(table.c.person, table.c[value]).order_by(table.c[order], table.c[value]))


_IDS = _listed(tables.person_alias, "person_id", "person_id")
_LOGINS = _listed(tables.person_login, "login", "position")
_DNS = _listed(tables.person_dn, "dn", "position")


def _values(connection: Connection, listed: Made) -> defaultdict[str, list[str]]:
    """The values of a table of lists by their person's key, in order."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for person, one in listed.rows(connection):
        found[person].append(one)
    return found
