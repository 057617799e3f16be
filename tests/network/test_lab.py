"""The lab's namespace, names and ports, each scenario in a process and namespaces of its own (``scenarios.py``)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.network.scenarios import SCENARIOS


@pytest.mark.parametrize("rung", ["own", "rootless"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, rung: str, tmp_path: Path) -> None:
    links = Path("/proc/net/dev").read_text().count(":")
    words = [sys.executable, "-m", "tests.network.scenarios", scenario, str(tmp_path), rung]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert Path("/proc/net/dev").read_text().count(":") == links, "a link was made in the host's own namespace"
