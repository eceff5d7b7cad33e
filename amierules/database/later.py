"""A moment that lies some seconds after now, by the clock of the database."""

from typing import Any

from sqlalchemy import DateTime
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class Later(FunctionElement[Any]):
    """Now and as many seconds as its parameter says, without zone; none where that is none."""

    type = DateTime()
    inherit_cache = True


@compiles(Later, "sqlite")
def _by_this_host(element: Later, compiler: SQLCompiler, **options: Any) -> str:
    (seconds,) = (compiler.process(clause, **options) for clause in element.clauses)
    # With six digits of a second, as SQLAlchemy writes and reads them.
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', {seconds} || ' seconds') || '000')"


@compiles(Later, "postgresql")
def _by_the_server(element: Later, compiler: SQLCompiler, **options: Any) -> str:
    (seconds,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(clock_timestamp() AT TIME ZONE 'utc' + make_interval(secs => {seconds}))"
