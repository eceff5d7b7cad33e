"""Reading the whole registry at once, for what looks at all of it: listing, import, export."""

from collections import defaultdict

from sqlalchemy import Connection, Table, select

from amierules.database import own_tables as tables
from amierules.database.json_values import from_json
from amierules.database.rows import Account, Allocation, Person, Presence, Project, RegistryRow


def read_all(connection: Connection) -> list[RegistryRow]:
    """Every row of the registry: persons, projects, presences, allocations, accounts, with a query for each table."""
    ids = _values(connection, tables.person_alias, "person_id", "person_id")
    logins = _values(connection, tables.person_login, "login", "position")
    dns = _values(connection, tables.person_dn, "dn", "position")
    rows: list[RegistryRow] = []
    for row in connection.execute(select(tables.person)).mappings():
        key, data = row["key"], from_json(row["data"])
        lists = {"ids": tuple(ids[key]), "logins": tuple(logins[key]), "dns": tuple(dns[key])}
        rows.append(Person(**{**row, "data": data, **lists}))
    for row in connection.execute(select(tables.project)).mappings():
        rows.append(Project(**{**row, "data": from_json(row["data"])}))
    rows += [Presence(**row) for row in connection.execute(select(tables.project_resource)).mappings()]
    rows += [Allocation(**row) for row in connection.execute(select(tables.allocation)).mappings()]
    rows += [Account(**row) for row in connection.execute(select(tables.account)).mappings()]
    return rows


def _values(connection: Connection, table: Table, value: str, order: str) -> defaultdict[str, list[str]]:
    """The values of a table of lists by their person's key, in order."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    query = select(table.c.person, table.c[value]).order_by(table.c[order], table.c[value])
    for person, one in connection.execute(query):
        found[person].append(one)
    return found
