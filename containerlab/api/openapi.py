"""``GET /containerlab/openapi.json``: an OpenAPI 3.1 description made from the routes and the models themselves."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from containerlab import __version__
from containerlab.api.streams import json_answer
from containerlab.engine import models
from containerlab.engine.system import API_VERSION

__all__ = ["describe", "openapi"]

_MODELS = (
    models.ContainerConfig,
    models.HostConfig,
    models.NetworkingConfig,
    models.ExecConfig,
    models.RestartPolicy,
    models.NetworkCreate,
)
# What a request's JSON body is made of; each of these schemas holds.
_BODIES: dict[tuple[str, str], list[str]] = {
    ("post", "/containers/create"): ["ContainerConfig"],
    ("post", "/containers/{name}/update"): ["HostConfig"],
    ("post", "/containers/{name}/exec"): ["ExecConfig"],
    ("post", "/commit"): ["ContainerConfig"],
    ("post", "/networks/create"): ["NetworkCreate"],
}


async def openapi(request: web.Request) -> web.Response:
    """The description as JSON."""
    from containerlab.api.app import routes

    return json_answer(describe(routes()))


def describe(routes: list[tuple[str, str, Handler]]) -> dict[str, Any]:
    """The document for ``routes`` (method, aiohttp's path, handler)."""
    paths: dict[str, dict[str, Any]] = {}
    for method, pattern, handler in routes:
        path = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", pattern)
        paths.setdefault(path, {})[method.lower()] = _operation(method.lower(), path, handler)
    _, components = msgspec.json.schema_components(_MODELS, ref_template="#/components/schemas/{name}")
    components["ContainerConfig"]["properties"] |= {
        "HostConfig": {"$ref": "#/components/schemas/HostConfig"},
        "NetworkingConfig": {"$ref": "#/components/schemas/NetworkingConfig"},
    }
    components["Error"] = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "containerlab: the Docker Engine API as it is answered here",
            "version": API_VERSION,
            "description": f"containerlab {__version__}. Every path but those of /containerlab may start with /v1.NN.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(method: str, path: str, handler: Handler) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", path)
    summary = (handler.__doc__ or "").strip().splitlines()
    operation: dict[str, Any] = {
        "operationId": f"{method}{_camel(path)}",
        "responses": {
            "default": {
                "description": "An error in Docker's form.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            }
        },
    }
    if summary:
        operation["summary"] = summary[0].replace("``", "`")
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    bodies = _BODIES.get((method, path))
    if bodies:
        schema = {"allOf": [{"$ref": f"#/components/schemas/{name}"} for name in bodies]}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _camel(path: str) -> str:
    return "".join(word.capitalize() for word in re.findall(r"\w+", path))
