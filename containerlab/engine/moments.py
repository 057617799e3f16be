"""A moment as Docker's filters write it."""

from __future__ import annotations

import re
import time
from datetime import datetime

from containerlab.engine.matching import seconds

__all__ = ["moment"]


def moment(value: str) -> float:
    """Seconds since 1970: given as such, as an RFC 3339 time, or as a Go duration back from now.

    Raises InvalidParameter.
    """
    if re.fullmatch(r"-?[0-9]+(\.[0-9]*)?", value):
        return float(value)
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        return time.time() - seconds(value)
