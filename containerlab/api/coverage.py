"""Which routes of the Docker Engine API are answered: the table of ``docs/api.md``, made from the code.

``python -m containerlab.api.coverage`` prints it. The routes are those of the API reference 1.50
(https://docs.docker.com/reference/api/engine/version/v1.50/).
"""

from __future__ import annotations

import re

__all__ = ["DOCKER_ROUTES", "table"]

_CONTAINERS = """
GET /containers/json
POST /containers/create
GET /containers/{id}/json
GET /containers/{id}/top
GET /containers/{id}/logs
GET /containers/{id}/changes
GET /containers/{id}/export
GET /containers/{id}/stats
POST /containers/{id}/resize
POST /containers/{id}/start
POST /containers/{id}/stop
POST /containers/{id}/restart
POST /containers/{id}/kill
POST /containers/{id}/update
POST /containers/{id}/rename
POST /containers/{id}/pause
POST /containers/{id}/unpause
POST /containers/{id}/attach
GET /containers/{id}/attach/ws
POST /containers/{id}/wait
DELETE /containers/{id}
HEAD /containers/{id}/archive
GET /containers/{id}/archive
PUT /containers/{id}/archive
POST /containers/prune
POST /containers/{id}/exec
POST /exec/{id}/start
POST /exec/{id}/resize
GET /exec/{id}/json
"""
_IMAGES = """
GET /images/json
POST /build
POST /build/prune
POST /images/create
GET /images/{name}/json
GET /images/{name}/history
POST /images/{name}/push
POST /images/{name}/tag
DELETE /images/{name}
GET /images/search
POST /images/prune
POST /commit
GET /images/{name}/get
GET /images/get
POST /images/load
GET /distribution/{name}/json
"""
_SYSTEM = """
POST /auth
GET /info
GET /version
GET /_ping
HEAD /_ping
GET /events
GET /system/df
POST /session
"""
_NETWORKS_AND_VOLUMES = """
GET /networks
POST /networks/create
GET /networks/{id}
DELETE /networks/{id}
POST /networks/{id}/connect
POST /networks/{id}/disconnect
POST /networks/prune
GET /volumes
POST /volumes/create
GET /volumes/{name}
PUT /volumes/{name}
DELETE /volumes/{name}
POST /volumes/prune
"""
_NEVER = ("/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs", "/plugins")

DOCKER_ROUTES: dict[str, list[tuple[str, str]]] = {
    title: [(method, path) for method, path in map(str.split, text.split("\n")[1:-1])]
    for title, text in (
        ("Containers", _CONTAINERS),
        ("Images and builds", _IMAGES),
        ("The engine", _SYSTEM),
        ("Networks and volumes", _NETWORKS_AND_VOLUMES),
    )
}

_WHY_NOT = {
    "/containers/{id}/attach/ws": "no client of today attaches by WebSocket",
    "/session": "BuildKit's own protocol; the classic builder answers `/build`",
    "/images/search": "searching is a service of Docker Hub, not of registries",
    "/volumes/{name}": "swarm's cluster volumes, for PUT",
}


def table() -> str:
    """The page as Markdown."""
    answered = {(method, _plain(path)) for method, path in _own_routes()}
    parts = [_HEAD]
    for title, routes in DOCKER_ROUTES.items():
        rows = [
            f"| `{method} {path}` | {_state((method, _plain(path)) in answered, path)} |" for method, path in routes
        ]
        parts.append(f"## {title}\n\n| route | here |\n|---|---|\n" + "\n".join(rows) + "\n")
    parts.append(_NOT_HERE.format(", ".join(f"`{prefix}`" for prefix in _NEVER)))
    known = {(method, _plain(path)) for routes in DOCKER_ROUTES.values() for method, path in routes}
    own = [f"| `{method} {path}` |" for method, path in _own_routes() if (method, _plain(path)) not in known]
    parts.append("## This engine's own\n\n| route |\n|---|\n" + "\n".join(own) + "\n")
    return "\n".join(parts)


_HEAD = """# Routes of the Docker Engine API

Made from the code by `python -m containerlab.api.coverage`; a test holds this page to it. API 1.24 to 1.50. A route
that is not here answers 404 in Docker's form (`{"message": "page not found"}`). A parameter or field that a route here
doesn't carry out is refused by its name, with 400 or 501.
"""

_NOT_HERE = """## Not here, and not planned

Swarm and plugins: {}.
"""


def _own_routes() -> list[tuple[str, str]]:
    from containerlab.api.app import routes

    return [(method, re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)) for method, path, _ in routes()]


def _plain(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def _state(works: bool, path: str) -> str:
    if works:
        return "works"
    return f"not here: {_WHY_NOT[path]}" if path in _WHY_NOT else "not here yet"


if __name__ == "__main__":
    print(table(), end="")
