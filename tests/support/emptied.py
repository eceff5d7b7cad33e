"""A PostgreSQL database that tests have one after the other: between them it becomes again what it was.

To make a database costs a hundred times what emptying the few tables costs that a test has written.
"""

from tests.support.postgres import PostgresServer

_META = "amierules_meta"


class EmptiedDatabase:
    """A database made from a template."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._name = server.create_database(template)
        self.url = server.url(self._name)
        listed = server.query("select tablename from pg_tables where schemaname = 'public'", template)
        counted = " union all ".join(f"select '{name}', count(*) from \"{name}\"" for (name,) in sorted(listed))
        self._counts = counted
        self._at_first = dict(server.query(counted, template))
        self._meta = server.query(f"select name, value from {_META} order by name", template)

    def refresh(self) -> None:
        """Makes it what it was: who is connected still is one of the test's and goes."""
        self._server.end_connections(self._name)
        self._server.wait_until_alone(self._name)
        written = [
            name
            for name, count in self._server.query(self._counts, self._name)
            if count and (not self._at_first[name] or name == _META)
        ]
        deletes = "".join(f'delete from "{name}";' for name in written)
        values = ", ".join(f"('{name}', '{value}')" for name, value in self._meta)
        restart = "perform setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)"
        self._server.query(
            f"set session_replication_role = replica; {deletes} insert into {_META} (name, value) values {values};"
            f" do $$ begin {restart} from pg_sequences where last_value is not null; end $$",
            self._name,
        )
        assert dict(self._server.query(self._counts, self._name)) == self._at_first

    def remove(self) -> None:
        """Drops it."""
        self._server.drop_database(self._name)
