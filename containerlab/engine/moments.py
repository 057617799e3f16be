"""A moment as Docker's filters write it."""

from __future__ import annotations

import time
from datetime import datetime

from containerlab.engine.matching import seconds

__all__ = ["moment"]


def moment(value: str) -> float:
    """Seconds since 1970: given as such, as an RFC 3339 time, or as a Go duration back from now.

    Raises InvalidParameter.
    """
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        return time.time() - seconds(value)
