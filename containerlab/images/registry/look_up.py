"""What a registry has under a name, without fetching it: ``GET /distribution/NAME/json``."""

from __future__ import annotations

from typing import Any

from containerlab.images.config import parse_config
from containerlab.images.limits import CONFIG_BYTES
from containerlab.images.reference import Reference
from containerlab.images.registry.client import Repository
from containerlab.images.registry.place import Place
from containerlab.images.registry.pull import Asked, at_each

__all__ = ["look_up"]


def look_up(place: Place, reference: Reference, asked: Asked) -> dict[str, Any]:
    """The document's descriptor and the platforms that it is for; raises what ``pull`` raises."""

    def work(repository: Repository) -> dict[str, Any]:
        document = repository.manifest(reference.digest or reference.tag)
        if document.is_index:
            platforms = document.platforms()
        else:
            config = parse_config(repository.small_blob(document.manifest().config.digest, CONFIG_BYTES))
            variant = {"variant": config.variant} if config.variant else {}
            platforms = [{"architecture": config.architecture, "os": config.os, **variant}]
        told = {"mediaType": document.media_type, "digest": document.digest, "size": len(document.body)}
        return {"Descriptor": told, "Platforms": platforms}

    return at_each(place, reference, asked, work)
