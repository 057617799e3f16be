"""The same Dockerfile in BuildKit, which dockerd 20.10 carries: what the classic builder has no word for.

Its own frontend reads syntax 1.2: mounts of RUN, ``--chmod``. Here-documents, ``--link``, ``--parents`` and
``--exclude`` came later and are fetched as an image (``# syntax=docker/dockerfile:1``), which can't be had without a
registry: those aren't compared.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.build.conftest import Site
from tests.build.test_build_against_docker import CASES as CLASSIC
from tests.build.test_build_against_docker import FIELDS, context, image_facts, import_base, own_files
from tests.dockerd import running_dockerd

__all__ = ["context"]

pytestmark = [pytest.mark.root, pytest.mark.docker]

CASES = {
    "cache_mount": (
        "FROM base\nRUN --mount=type=cache,target=/c echo hi > /c/x && cp /c/x /out\n"
        "RUN --mount=type=cache,target=/c,id=/c cat /c/x > /again\n"
        "RUN --mount=type=cache,target=/deep/er,mode=0700,uid=5 ls -ldn /deep/er | cut -c1-10 > /mode\n"
    ),
    "secret_mount": (
        "FROM base\nRUN --mount=type=secret,id=s cat /run/secrets/s | wc -c > /n\n"
        "RUN --mount=type=secret,id=s,target=/etc/token,mode=0444,uid=1000 ls -ln /etc/token | cut -c1-10 > /mode\n"
        "RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent && echo > /done\n"
    ),
    "bind_mount": (
        "FROM base AS one\nRUN mkdir /o && echo made > /o/made\nFROM base\n"
        "RUN --mount=target=/ctx cat /ctx/f /ctx/d/g > /seen\n"
        "RUN --mount=from=one,source=/o,target=/m cat /m/made > /made\n"
        "RUN --mount=type=bind,source=d,target=/w,rw echo lost > /w/lost; ls /w > /names\n"
        "RUN --mount=target=/ctx ls /ctx > /listing\n"
    ),
    "tmpfs_mount": "FROM base\nRUN --mount=type=tmpfs,target=/t echo > /t/x\nRUN test ! -e /t/x && echo > /seen\n",
    "chmod": "FROM base\nCOPY --chmod=600 f /f\nCOPY --chmod=755 d /d\nADD --chmod=640 f /deep/f\n",
    "stages_by_name_and_number": (
        "FROM base AS a\nRUN echo a > /a && chown 5:6 /a\nFROM base AS b\nCOPY --from=a /a /b\n"
        "FROM base AS never\nRUN false\nFROM b\nCOPY --from=0 /a /c\nCOPY --from=b /b /d\n"
    ),
    "network": "FROM base\nRUN --mount=type=tmpfs,target=/t test ! -e /sys/class/net/eth0 && echo alone > /net\n",
} | {
    name: CLASSIC[name]
    for name in (
        "config", "args", "words", "continuations", "no_healthcheck", "copies", "stages", "deletions",
        "links_in_the_way", "onbuild_of_a_stage",
    )
}  # fmt: skip

# This BuildKit leaves the places of its mounts in the image, as empty folders; newer ones clear them away. It gives a
# RUN of a named user none of that user's further groups, and root the folder that ``ADD --chown`` unpacks into, where
# the classic builder does otherwise: "runs" and "adds" aren't compared.
STUBS = {
    "cache_mount": {"c", "deep", "deep/er"},
    "secret_mount": {"run", "run/secrets"},
    "bind_mount": {"ctx", "m", "w"},
    "tmpfs_mount": {"t"},
    "network": {"t"},
}


@pytest.fixture(scope="module")
def buildkit() -> Iterator[list[str]]:
    """The command line of a client that speaks BuildKit's protocol by itself, as docker's up to 20.10 do."""
    client = next((path for path in ("/usr/bin/docker", shutil.which("docker")) if path and _speaks(path)), None)
    if client is None:
        pytest.skip("no docker CLI here has BuildKit built in")
    with running_dockerd() as address:
        yield [client, "-H", address]


def _speaks(path: str) -> bool:
    if not Path(path).exists():
        return False
    shown = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    version = shown.removeprefix("Docker version ").split(".")[0]
    return version.isdigit() and int(version) < 23


@pytest.mark.parametrize("case", CASES)
def test_buildkit_makes_the_same_image(context: Site, buildkit: list[str], case: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    (context.context / "Dockerfile").write_text(CASES[case])
    os.utime(context.context / "Dockerfile", (1, 1))
    import_base(buildkit, context)
    words = ["build", "-q", "--no-cache", "--network", "none", "--secret", f"id=s,src={secret}", str(context.context)]
    done = subprocess.run(
        [*buildkit, *words], env={**os.environ, "DOCKER_BUILDKIT": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    config, files = image_facts(buildkit, done.stdout.strip())
    image = context.build(CASES[case], secrets={"s": b"hunter2"}).ok()
    settings = msgspec.to_builtins(image.config.config)
    assert {name: settings.get(name) or None for name in FIELDS} == {name: config.get(name) or None for name in FIELDS}
    left_out = {path.strip("/") for path in config.get("Volumes") or {}}
    found = {name: status for name, status in own_files(context, image).items() if name not in left_out}
    assert STUBS.get(case, set()).isdisjoint(found)
    left_out |= STUBS.get(case, set())
    assert found == {name: status for name, status in files.items() if name not in left_out}
