"""An engine of two calls, for pictures: images that share a base."""

from __future__ import annotations

from typing import Any

import docker.errors


class ScriptedApi:
    """The two calls of docker-py's low-level client that the diagram needs."""

    base_url, timeout = "http://scripted", 1

    def __init__(self, images: dict[str, tuple[list[str], list[tuple[str, int]]]]) -> None:
        self._images = images

    def inspect_image(self, name: str) -> dict[str, Any]:
        return {"RootFS": {"Type": "layers", "Layers": self._images[name][0]}}

    def history(self, name: str) -> list[dict[str, Any]]:
        return [{"CreatedBy": words, "Size": size} for words, size in reversed(self._images[name][1])]

    def get(self, url: str, **arguments: Any) -> Any:
        """Docker has none of the kit's own routes."""
        raise docker.errors.NotFound("page not found")


class ScriptedClient:
    def __init__(self, **images: tuple[list[str], list[tuple[str, int]]]) -> None:
        self.api = ScriptedApi(images)


BASE = ("ADD rootfs /", 2_000_000)
CLIENT = ScriptedClient(
    one=(["sha256:base", "sha256:one"], [BASE, ("/bin/sh -c echo 1 > /a", 100), ('/bin/sh -c #(nop)  CMD ["a"]', 0)]),
    two=(["sha256:base", "sha256:two"], [BASE, ("COPY b /b # buildkit", 300)]),
    empty_run=(["sha256:base", "sha256:nothing"], [BASE, ("/bin/sh -c true", 0)]),
    scratch=([], []),
)
