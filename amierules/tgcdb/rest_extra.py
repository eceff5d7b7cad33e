"""The REST front, where its extra is installed."""

try:
    from amierules.tgcdb.rest import RestFront
    from amierules.tgcdb.rest_server import RestServer
except ModuleNotFoundError as error:
    if error.name not in ("starlette", "uvicorn", "anyio"):
        raise
    RestFront = None  # type: ignore[assignment, misc]
    RestServer = None  # type: ignore[assignment, misc]

NOT_INSTALLED = "the REST front needs starlette and uvicorn: pip install 'amierules[tgcdb]'"

__all__ = ["NOT_INSTALLED", "RestFront", "RestServer"]
