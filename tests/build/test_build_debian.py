"""Dockerfiles of kinds of project that need a distribution, on a Debian that mmdebstrap makes: built, and run."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.build.test_build_projects import Project, tar_of
from tests.store import Store

pytestmark = [pytest.mark.root, pytest.mark.slow]

_PACKAGES = "tcc,libc6-dev,make,perl-base,passwd"

PROJECTS = {
    "compiled in one stage, the binary and its libraries on nothing": Project(
        "FROM debian:test AS build\nWORKDIR /src\nCOPY Makefile main.c ./\n"
        "RUN --mount=type=cache,target=/root/.cache make && mkdir /out && mv tool /out/ \\\n"
        " && ldd /out/tool | grep -o '/[^ ]*' | xargs -I '{}' cp -L --parents '{}' /out\n"
        'FROM scratch\nCOPY --from=build /out /\nUSER 65534\nENTRYPOINT ["/tool"]\nCMD ["nobody"]\n',
        "the class\n",
        {
            "Makefile": "tool: main.c\n\ttcc -o $@ $<\n",
            "main.c": '#include <stdio.h>\nint main(int n, char **a) { puts(a[1]); return n - 2; }\n',
        },
        ["the class"],
    ),
    "a service with a user of its own and a shell of its own": Project(
        'FROM debian:test\nSHELL ["/bin/bash", "-o", "pipefail", "-euc"]\n'
        "RUN groupadd -r svc && useradd -r -g svc -d /var/lib/svc -m -s /usr/sbin/nologin svc\n"
        "COPY --chown=svc:svc --chmod=0750 start /usr/local/bin/start\nVOLUME /var/lib/svc\nUSER svc\n"
        'HEALTHCHECK CMD test -e /var/lib/svc\nENTRYPOINT ["start"]\n',
        "svc in /var/lib/svc\n",
        {"start": '#!/bin/bash\necho "$(id -un) in $(cd && pwd)"\n'},
    ),
    "a Perl program": Project(
        "FROM debian:test\nWORKDIR /app\nCOPY lib lib\nCOPY main.pl .\nENV PERL5LIB=/app/lib\n"
        'RUN perl -c main.pl\nCMD ["perl", "main.pl"]\n',
        "hello from Greeter\n",
        {"lib/Greeter.pm": 'package Greeter; sub hi { "hello from Greeter\\n" } 1;\n',
         "main.pl": "use strict; use Greeter; print Greeter::hi();\n"},
    ),
    "packages changed by dpkg": Project(
        "FROM debian:test AS base\nRUN dpkg-divert --local --rename --add /usr/bin/tcc && test ! -e /usr/bin/tcc\n"
        "FROM base\nRUN <<EOF\nset -e\ndpkg-query -W -f '${Status}\\n' tcc > /status\n"
        "rm -rf /var/lib/apt/lists/* /usr/share/doc\nEOF\nCMD cat /status; ls /usr/bin/tcc*\n",
        "install ok installed\n/usr/bin/tcc.distrib\n",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tar of a small Debian."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap isn't installed")
    archive = tmp_path_factory.mktemp("debian") / "root.tar"
    command = ["mmdebstrap", "--variant=minbase", f"--include={_PACKAGES}", "--quiet", "bookworm", str(archive)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no Debian can be had here: {done.stderr[-300:]}")
    return archive


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, debian: Path) -> Iterator[docker.DockerClient]:
    store = Store(tmp_path_factory.mktemp("projects") / "store")
    try:
        store.start()
        opened = docker.DockerClient(base_url=store.host, version="1.43", timeout=300)
        opened.api.import_image_from_file(str(debian), repository="debian", tag="test")
        yield opened
        opened.close()
    finally:
        store.end()


@pytest.mark.parametrize("kind", PROJECTS)
def test_a_project_builds_and_runs(client: docker.DockerClient, kind: str) -> None:
    project = PROJECTS[kind]
    image, _ = client.images.build(fileobj=tar_of(project), custom_context=True, rm=True, **project.options)
    printed = client.containers.run(image.id, project.command, remove=True, network_mode="none")
    assert printed.decode() == project.prints
