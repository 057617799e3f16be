"""An engine, a client of it, and a progress file of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import client, host, name

__all__ = ["client", "host", "name"]


@pytest.fixture(autouse=True)
def own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test writes into the progress of the person who runs it."""
    path = tmp_path / "state/progress.json"
    monkeypatch.setenv("CONTAINERLAB_PROGRESS_FILE", str(path))
    return path
