"""A second store and a registry beside the first: what lessons need for another machine, and that nothing is left."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

from containerlab import lab, paths
from containerlab.errors import ContainerlabError, HostLacks

WHEELS = Path(__file__).resolve().parents[2] / "notebooks/wheels"


@pytest.fixture
def registry_program() -> None:
    if not any(Path(folder, "docker-registry").exists() for folder in os.environ["PATH"].split(":")):
        pytest.skip("docker-registry isn't installed")


def test_another_store_is_another_one_and_goes_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    with lab.another_store() as store:
        store("run", "--detach", "--name", "left", "--network", "none", "lab/busybox", "sleep", "600")
        assert store("ps", "--format", "{{.Names}}").split() == ["left"]
        [pid] = store("inspect", "--format", "{{.State.Pid}}", "left").split()
        with pytest.raises(ContainerlabError, match=r"containerlab rm nobody ended with exit code 1: .*nobody"):
            store("rm", "nobody")
    assert not store.folder.exists()
    assert not Path("/proc", pid).exists()
    assert not paths.supervisor_socket(store.folder).exists() or _no_supervisor(store.folder)
    store.end()


def _no_supervisor(folder: Path) -> bool:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return str(paths.run_folder(folder)) not in listing


def test_a_fresh_store_takes_steps_over_from_an_image_in_a_registry(registry_program: None, tmp_path: Path) -> None:
    """What --cache-from is for: nothing of ours is there but what the registry has."""
    dockerfile = "FROM lab/busybox\nRUN head -c 100000 /dev/urandom > /made\nCOPY word /word\n"
    (tmp_path / "Dockerfile").write_text(dockerfile)
    (tmp_path / "word").write_text("one")
    with lab.local_registry() as registry, lab.another_store() as maker, lab.another_store() as fresh:
        cache = f"{registry.name}/app:cache"
        maker("build", "-t", cache, "--build-arg", "BUILDKIT_INLINE_CACHE=1", str(tmp_path))
        maker("push", "-q", cache)
        (tmp_path / "word").write_text("two")
        before = registry.sent()
        said = fresh("build", "-t", "app:2", "--cache-from", cache, str(tmp_path))
        assert said.count("CACHED") == 1
        assert 100_000 < registry.sent() - before < 300_000, "the new layers were fetched, the base was here"
        assert fresh("run", "--rm", "--network", "none", "app:2", "cat", "/word") == "two"
        made = [each("run", "--rm", "--network", "none", name, "sha256sum", "/made") for each, name in
                ((maker, cache), (fresh, "app:2"))]  # fmt: skip
        assert made[0] == made[1]


def test_the_registry_ends_with_who_asked_for_it(registry_program: None) -> None:
    registry = lab.local_registry()
    assert _listens(registry.name)
    registry.end()
    registry.end()
    assert not _listens(registry.name)


def _listens(name: str) -> bool:
    import socket

    host, _, port = name.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_without_the_program_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostLacks, match="apt install docker-registry"):
        lab.local_registry()


def test_the_lessons_wheels_are_what_their_sources_make(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("build_wheels", WHEELS / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = {wheel.name: wheel.read_bytes() for wheel in WHEELS.glob("*.whl")}
    made = {name: module.build(name, tmp_path).read_bytes() for name in module.WHEELS}
    assert sorted(made.values()) == sorted(kept.values())
    assert len(kept) == 2
