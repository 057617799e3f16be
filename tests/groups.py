"""Which cgroups there are, while others come and go (pathlib's ``**`` fails when one vanishes under it)."""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path


def groups(pattern: str) -> list[Path]:
    """Every cgroup whose name matches, in any hierarchy."""
    return [
        Path(folder) / name
        for folder, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if fnmatch.fnmatch(name, pattern)
    ]
