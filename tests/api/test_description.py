"""What the engine says of its own API: the OpenAPI document and the table in the docs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from containerlab.api import coverage
from containerlab.api.app import routes

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def test_the_description_has_every_route_and_every_reference_leads_somewhere(serving):
    status, headers, body = serving.request("GET", "/containerlab/openapi.json")
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "application/json")
    described = json.loads(body)
    told = {(method.upper(), path) for path, item in described["paths"].items() for method in item}
    assert told == {(method, re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)) for method, path, _ in routes()}
    schemas = described["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/(\w+)"', body.decode()):
        assert name in schemas, name
    assert "StopSignal" in schemas["ContainerConfig"]["properties"]
    body_of = described["paths"]["/networks/create"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body_of == {"allOf": [{"$ref": "#/components/schemas/NetworkCreate"}]}
    assert "EnableIPv6" in schemas["NetworkCreate"]["properties"]
    identifiers = [operation["operationId"] for item in described["paths"].values() for operation in item.values()]
    assert len(set(identifiers)) == len(identifiers)


def test_the_page_of_routes_is_what_the_code_says():
    assert PAGE.read_text() == coverage.table(), "write it anew: python -m containerlab.api.coverage > docs/api.md"


def test_a_route_that_works_is_said_to_work_and_one_that_does_not_is_not():
    lines = coverage.table().splitlines()
    assert "| `POST /containers/create` | works |" in lines
    assert any(line.startswith("| `GET /containers/{id}/attach/ws` | not here") for line in lines)
