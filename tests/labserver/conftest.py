"""A store of a test's own, and a Jupyter server that the session's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import lab
from tests.clients.conftest import store
from tests.store import Store

__all__ = ["lab", "own_store", "store"]


@pytest.fixture
def own_store(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store that this process takes for the user's own; what a learner did is kept beside it."""
    for name in ("DOCKER_HOST", "CONTAINERLAB_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CONTAINERLAB_STORE", str(store.folder))
    monkeypatch.setenv("CONTAINERLAB_PROGRESS_FILE", str(tmp_path / "state/progress.json"))
    return store
