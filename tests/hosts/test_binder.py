"""The lowest rung, where it is needed: in a Binder-like host, made here (``binder.py``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hosts import binder

_SOURCE = Path(__file__).resolve().parents[2]
_LIMIT_S = 1800

# Of the tests of every room, those that hold on this rung too; docs/hosts.md tells how far the others do.
_MODULES = (
    binder.PARTS[:-1],
    binder.PARTS[-1:],
    (
        "tests/clients/test_docker_py.py",
        "tests/clients/test_docker_py_archives.py",
        "tests/clients/test_cli_archives.py",
    ),
)


def inside(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command's end, in a Binder-like host."""
    words = [f"{name}={value}" for name, value in environment.items()]
    return subprocess.run(
        [sys.executable, "-m", "tests.hosts.binder", *words, *command],
        cwd=_SOURCE,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.root
def test_the_host_is_as_narrow_as_binder_is() -> None:
    script = (
        "id -u; unshare --user true 2>&1; unshare --mount true 2>&1; chroot / true 2>&1; test -e /dev/fuse; echo $?;"
        "grep -c '^CapEff:.0*$' /proc/self/status; stat -f -c %T $HOME"
    )
    said = inside("sh", "-c", script).stdout.splitlines()
    assert said[0] == "1000"
    assert all("Operation not permitted" in line for line in said[1:4])
    assert said[4:] == ["1", "1", "overlayfs"]


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.parametrize("modules", _MODULES, ids=("its-own", "lessons", "clients"))
def test_the_engine_passes_its_tests_there(modules: tuple[str, ...]) -> None:
    words = ["-p", "no:cacheprovider", "-q", "-n", "0", "--tb=short", *modules]
    done = inside(sys.executable, "-m", "pytest", *words, CONTAINERLAB_TEST_HOST="binder")
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.root
def test_a_host_without_proot_says_so_in_one_sentence_for_every_verb() -> None:
    python = f"{sys.executable} -m containerlab"
    done = inside("/bin/sh", "-c", f"{python} ps; {python} run lab/busybox true; {python} doctor", PATH="/nowhere")
    sentence = "this host lets user 1000 make no user namespace (Operation not permitted), and proot is not installed"
    assert done.stderr.count(sentence) == 2, done.stderr
    assert "none: no container can run here" in done.stdout
    assert "apt install proot" in done.stdout


@pytest.mark.root
def test_the_host_leaves_nothing_behind() -> None:
    before = set(Path("/dev/shm").glob("cl-binder-*"))
    inside("sh", "-c", "touch /tmp/here $HOME/there; sleep 60 &")
    assert set(Path("/dev/shm").glob("cl-binder-*")) <= before
    assert not os.path.exists(binder.HOME)  # noqa: PTH110


@pytest.mark.root
@pytest.mark.slow
def test_the_demo_makes_its_report_of_what_can_be_measured_there_and_does_so_again() -> None:
    demo = f"{sys.executable} -m containerlab.lab.demo $HOME/demo >&2"
    done = inside("sh", "-c", f"{demo} && {demo} && cat $HOME/demo/measurements.json && cat $HOME/demo/index.html")
    assert done.returncode == 0, done.stderr[-4000:]
    measured, end = json.JSONDecoder().raw_decode(done.stdout)
    page = done.stdout[end:]
    assert measured["host"]["rung"] == "proot"
    assert set(measured["startup_ms"]) == {"process", "container", "container_api"}
    assert measured["memory_mb"]["container"] > 0 and measured["layers"]["bytes_on_disk"] > 0
    assert set(measured["not_measured"]) == {"startup_ms.vm", "memory_mb.vm", "disk_mb.vm"}
    assert all("needs a mount namespace" in reason for reason in measured["not_measured"].values())
    assert "Not measured on this host" in page and "rung “proot”" in page and page.count("<figure") >= 4
