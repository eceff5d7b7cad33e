"""The REST front under calls that are made up from its OpenAPI description: none ends in an internal error."""

import copy
import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance

from amierules.protocol.catalogue import catalogue
from amierules.shipped import read_schema
from tests.support.model_site import SITE
from tests.support.rest_central import KEY, RestCentral, rest_central

EXAMPLES = int(os.environ.get("AMIERULES_FUZZ", "12"))
HEADERS = {"XA-SITE": SITE, "XA-API-KEY": KEY}
TAGS = ("ProjectID", "ResourceList", "PersonID", "PiPersonID", "StatusCode", "DetailCode", "DnList", "AcademicDegree")
STATUSES = {"200", "400", "401", "404", "405"}

load_all_checks()


def _description() -> dict[str, Any]:
    """The description for one site, with packets that may be there, and bodies that may be right."""
    described = copy.deepcopy(read_schema("tgcdb/openapi"))
    described.pop("$schema")
    described["paths"] = {path.replace("{site}", SITE): one for path, one in described["paths"].items()}
    for path in described["paths"].values():
        for operation in path.values():
            operation["parameters"] = [one for one in operation["parameters"] if one["name"] != "site"]
    submitted = described["components"]["schemas"]["Submitted"]["properties"]
    submitted["type"] = {"anyOf": [{"enum": sorted(catalogue().types)}, {"type": "string"}]}
    submitted["body"] = {"type": "object", "properties": {tag: {} for tag in TAGS}}
    return described


_FOUND = schemathesis.openapi.from_dict(_description()).get_all_operations()
OPERATIONS = [found.ok() for found in _FOUND if isinstance(found, Ok)]


@pytest.fixture(scope="module")
def central() -> Iterator[RestCentral]:
    with rest_central() as served:
        served.call("POST", f"test/{SITE}/scenarios", type="known_person")
        yield served


def test_every_operation_is_tried() -> None:
    described = read_schema("tgcdb/openapi")["paths"].values()
    assert len(OPERATIONS) == sum(len(path) for path in described) == 13


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_call_ends_in_an_internal_error(central: RestCentral, operation: Any, mode: Any) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def play(case: Any) -> None:
        response = case.call(base_url=central.url.rstrip("/"), headers=HEADERS, timeout=60)
        case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])
        assert str(response.status_code) in STATUSES or "Invalid HTTP request" in response.text

    play()
    central.faults.want_none()
    assert central.call("GET", f"packets/{SITE}").status == 200
