"""The lab's namespace, names and ports, each scenario in a process and namespaces of its own (``world.py``)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = Path(__file__).with_name("world.py")


def _scenarios() -> list[str]:
    spec = importlib.util.spec_from_file_location("network_world", _PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.SCENARIOS)


@pytest.mark.parametrize("rung", ["own", "rootless"])
@pytest.mark.parametrize("scenario", _scenarios())
def test_scenario(scenario: str, rung: str, tmp_path: Path) -> None:
    links = Path("/proc/net/dev").read_text().count(":")
    words = [sys.executable, str(_PROGRAM), scenario, str(tmp_path), rung]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert Path("/proc/net/dev").read_text().count(":") == links, "a link was made in the host's own namespace"
