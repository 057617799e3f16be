"""The words of ``--link``. Source: docker/cli opts (``ParseLink``)."""

from __future__ import annotations

from containerlab.errors import InvalidParameter

__all__ = ["parse_link"]


def parse_link(text: str) -> tuple[str, str]:
    """The other container, and what it is called. Raises InvalidParameter."""
    parts = text.split(":")
    if not text or not parts[0] or len(parts) > 2:
        raise InvalidParameter(f"bad format for links: {text}" if text else "empty string specified for links")
    # As inspect shows them: /NAME:/OWN/ALIAS.
    name, alias = parts[0].lstrip("/"), parts[-1].rpartition("/")[2]
    return name, alias or name
