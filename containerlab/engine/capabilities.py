"""Which capabilities a container gets: Docker's default set, changed by ``--cap-add`` and ``--cap-drop``.

Source: moby daemon/pkg/oci/caps/utils.go (``TweakCapabilities``).
"""

from __future__ import annotations

from collections.abc import Iterable

from containerlab.errors import InvalidParameter

__all__ = ["normalised", "tweak"]


def tweak(default: Iterable[str], known: Iterable[str], add: list[str], drop: list[str]) -> list[str]:
    """The granted names, in ``known``'s order.

    ``ALL`` in ``add`` grants all but the dropped ones, in ``drop`` only the added ones.
    Raises InvalidParameter for a name that isn't one.
    """
    order = list(known)
    added, dropped = normalised(add, order), normalised(drop, order, "CapDrop")
    if "ALL" in added:
        granted = set(order) - dropped
    elif "ALL" in dropped:
        granted = added
    else:
        granted = (set(default) - dropped) | added
    return [name for name in order if name in granted]


def normalised(names: list[str], known: Iterable[str], field: str = "CapAdd") -> set[str]:
    """The names with their prefix, ``ALL`` as it is. Raises InvalidParameter, in Docker's words, for one that isn't."""
    order = frozenset(known)
    result = set()
    for name in names:
        upper = name.upper()
        full = upper if upper == "ALL" or upper.startswith("CAP_") else f"CAP_{upper}"
        if full != "ALL" and full not in order:
            raise InvalidParameter(f'invalid {field}: unknown capability: "{full}"')
        result.add(full)
    return result
