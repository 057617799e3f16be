"""Dockerfiles as well-known kinds of project have them, on the embedded bases: built by docker-py, and run."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import docker
import pytest

from tests.store import Store


@dataclass
class Project:
    """A project's files, and what its image prints."""

    dockerfile: str
    prints: str
    files: dict[str, str] = field(default_factory=dict)
    command: list[str] | None = None
    options: dict[str, Any] = field(default_factory=dict)


SCRIPT = '#!/bin/sh\nset -e\necho tool "$@"\n'
APP = "import json, sys\nfrom pkg import greet\nprint(json.dumps({'says': greet(*sys.argv[1:])}))\n"
PKG = "def greet(name='world'):\n    return 'hello ' + name\n"

PROJECTS = {
    "shell tool": Project(
        'FROM lab/busybox\nCOPY --chmod=755 tool.sh /usr/bin/tool\nENTRYPOINT ["tool"]\nCMD ["--help"]\n',
        "tool --help\n",
        {"tool.sh": SCRIPT},
    ),
    "python program": Project(
        "FROM lab/python\nWORKDIR /app\nCOPY requirements.txt .\nRUN test ! -s requirements.txt\nCOPY . .\n"
        'ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1\nENTRYPOINT ["python3", "main.py"]\n',
        '{"says": "hello class"}\n',
        {"requirements.txt": "", "main.py": APP, "pkg/__init__.py": PKG, ".dockerignore": "*.md\n", "README.md": "x"},
        ["class"],
    ),
    "python zipapp in two stages": Project(
        "FROM lab/python AS build\nWORKDIR /src\nCOPY src/ .\nRUN python3 -m zipapp . -m 'main:main' -o /app.pyz\n"
        'FROM lab/python\nCOPY --from=build /app.pyz /app.pyz\nUSER 1000:1000\nCMD ["python3", "/app.pyz"]\n',
        "zipped\n",
        {"src/main.py": "def main():\n    print('zipped')\n"},
    ),
    "tests as a stage of their own": Project(
        "FROM lab/python AS base\nWORKDIR /app\nCOPY . .\nFROM base AS test\nRUN python3 -m unittest -q test_it\n"
        'CMD ["echo", "tested"]\nFROM base AS release\nRUN exit 1\n',
        "tested\n",
        {
            "test_it.py": "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n"
            "        self.assertTrue(True)\n"
        },
        options={"target": "test"},
    ),
    "static site": Project(
        "# syntax=docker/dockerfile:1.7\nFROM lab/python AS site\nCOPY pages /pages\nRUN <<EOF python3 -\n"
        "import html, pathlib\nfor page in pathlib.Path('/pages').glob('*.txt'):\n"
        "    out = pathlib.Path('/out') / (page.stem + '.html')\n    out.parent.mkdir(exist_ok=True)\n"
        "    out.write_text('<p>' + html.escape(page.read_text().strip()) + '</p>')\nEOF\n"
        'FROM lab/busybox\nEXPOSE 80\nCOPY --from=site /out /www\nCMD ["cat", "/www/index.html"]\n',
        "<p>a &lt; b</p>",
        {"pages/index.txt": "a < b\n"},
    ),
    "web service with a health check": Project(
        "FROM lab/python\nARG PORT=8000\nENV PORT=$PORT\nEXPOSE ${PORT}\nSTOPSIGNAL SIGINT\n"
        "HEALTHCHECK --interval=5s --start-period=1s CMD python3 -c \"import os; print(os.environ['PORT'])\"\n"
        "COPY server.py /srv/\nWORKDIR /srv\nCMD python3 server.py $PORT\n",
        "serving 9000\n",
        {"server.py": "import sys\nprint('serving', sys.argv[1])\n"},
        options={"buildargs": {"PORT": "9000"}},
    ),
    "dependencies before sources": Project(
        "FROM lab/busybox AS deps\nWORKDIR /app\nCOPY package.json package-lock.json* ./\n"
        "RUN --mount=type=cache,target=/root/.npm mkdir node_modules && cp package.json node_modules/installed\n"
        "FROM deps AS build\nCOPY . .\nRUN mkdir dist && cat src/*.js > dist/app.js\n"
        "FROM lab/busybox\nWORKDIR /app\nENV NODE_ENV=production\nCOPY --from=deps /app/node_modules ./node_modules\n"
        "COPY --from=build /app/dist ./dist\nCMD cat dist/app.js node_modules/installed\n",
        "b();\na();\n{}\n",
        {"package.json": "{}\n", "src/a.js": "b();\n", "src/b.js": "a();\n"},
    ),
    "one binary on nothing": Project(
        "FROM lab/python AS build\nRUN --mount=source=main.txt,target=/main.txt mkdir /out && cp /main.txt /out/data\n"
        "FROM lab/busybox AS rootfs\nCOPY --link --from=build /out/data /data\nFROM scratch\n"
        'COPY --from=rootfs / /\nENV PATH=/bin:/usr/bin\nENTRYPOINT ["cat", "/data"]\n',
        "from nothing\n",
        {"main.txt": "from nothing\n"},
    ),
    "compiled modules alone": Project(
        "FROM lab/python AS compile\nCOPY lib /lib2\nRUN python3 -m compileall -q -b /lib2 && rm /lib2/*.py\n"
        "FROM lab/python\nCOPY --from=compile /lib2 /opt/lib\nENV PYTHONPATH=/opt/lib\n"
        'CMD ["python3", "-c", "import mod, os; print(mod.x, sorted(os.listdir(\'/opt/lib\')))"]\n',
        "7 ['mod.pyc']\n",
        {"lib/mod.py": "x = 7\n"},
    ),
    "settings by arguments": Project(
        "ARG BASE=lab/busybox\nFROM ${BASE}\nARG ENVIRONMENT=dev\nARG VERSION=0.0.0-rc1\n"
        "ENV APP_ENV=${ENVIRONMENT:-dev} MAJOR=${VERSION%%.*} PLAIN=${VERSION%-*} DASHED=${VERSION//./-}\n"
        'LABEL org.opencontainers.image.version=$VERSION\nRUN echo "$APP_ENV $MAJOR $PLAIN $DASHED" > /settings\n'
        'CMD ["cat", "/settings"]\n',
        "prod 12 12.3.4 12-3-4-rc1\n",
        options={"buildargs": {"ENVIRONMENT": "prod", "VERSION": "12.3.4-rc1"}},
    ),
    "service with an entry script": Project(
        "FROM lab/busybox\nCOPY --chmod=0755 <<'EOF' /entry.sh\n#!/bin/sh\nset -e\n: ${DATA:=/var/lib/db}\n"
        'mkdir -p "$DATA"\necho "starting in $DATA as $(id -u)"\nexec "$@"\nEOF\n'
        'VOLUME /var/lib/db\nEXPOSE 5432\nENTRYPOINT ["/entry.sh"]\nCMD ["echo", "ready"]\n',
        "starting in /var/lib/db as 0\nready\n",
    ),
    "data pipeline": Project(
        "FROM lab/python AS load\nCOPY data/*.csv /data/\nRUN <<EOF python3 -\n"
        "import csv\ntotal = sum(int(row['n']) for row in csv.DictReader(open('/data/a.csv')))\n"
        "open('/total', 'w').write(f'{total}\\n')\nEOF\nFROM lab/busybox\nCOPY --from=load /total /total\n"
        'CMD ["cat", "/total"]\n',
        "42\n",
        {"data/a.csv": "n\n40\n2\n", "data/b.txt": "no"},
    ),
    "monorepo": Project(
        "FROM lab/busybox AS tree\nCOPY --parents services/*/manifest libs/ /repo/\n"
        "FROM tree AS api\nWORKDIR /repo\nCOPY --exclude=*.md services/api services/api\n"
        'CMD ["sh", "-c", "find . -type f | sort"]\n',
        "./libs/l\n./services/api/manifest\n./services/api/run\n./services/web/manifest\n",
        {
            "services/api/manifest": "",
            "services/api/run": "",
            "services/api/x.md": "",
            "services/web/manifest": "",
            "services/web/run": "",
            "libs/l": "",
        },
    ),
    "notebook user": Project(
        "FROM lab/busybox\nARG NB_USER=jovyan\nARG NB_UID=1000\nENV HOME=/home/${NB_USER}\n"
        'RUN echo "$NB_USER:x:$NB_UID:100::$HOME:/bin/sh" >> /etc/passwd && mkdir -p $HOME && chown $NB_UID:100 $HOME\n'
        "WORKDIR ${HOME}\nCOPY --chown=${NB_UID}:100 work ${HOME}/work\nUSER ${NB_USER}\n"
        "RUN touch work/mine\nCMD ls -n work | tail -n +2 | tr -s ' ' | cut -d' ' -f3,4,9\n",
        "1000 100 a\n1000 100 mine\n",
        {"work/a": ""},
    ),
    "vendored archive": Project(
        "FROM lab/busybox\nADD vendor.tar.gz /opt/\nRUN ln -s /opt/vendor-1.0 /opt/vendor\n"
        'SHELL ["/bin/sh", "-euc"]\nRUN test -f /opt/vendor/lib\nCMD ["cat", "/opt/vendor/lib"]\n',
        "vendored\n",
    ),
    "windows escapes": Project(
        '# escape=`\nFROM lab/busybox\nRUN echo one `\n    two > /f\nENV d=C:\\dir\nCMD cat /f; echo "$d"\n',
        "one two\nC:\\dir\n",
    ),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    store = Store(tmp_path_factory.mktemp("projects") / "store")
    try:
        store.start()
        opened = docker.DockerClient(base_url=store.host, version="1.43")
        yield opened
        opened.close()
    finally:
        store.end()


def tar_of(project: Project) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in {"Dockerfile": project.dockerfile, **project.files}.items():
            _add(archive, name, text.encode())
        _add(archive, "vendor.tar.gz", _vendored())
    out.seek(0)
    return out


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime = len(data), 1_700_000_000  # a zip has no time before 1980
    archive.addfile(entry, io.BytesIO(data))


def _vendored() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        _add(archive, "vendor-1.0/lib", b"vendored\n")
    return out.getvalue()


# Their images have users beside root.
_OF_OTHERS = ("python zipapp in two stages", "notebook user")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.ids) if kind in _OF_OTHERS else kind for kind in PROJECTS]
)
def test_a_project_builds_and_runs(client: docker.DockerClient, kind: str) -> None:
    project = PROJECTS[kind]
    image, _ = client.images.build(fileobj=tar_of(project), custom_context=True, rm=True, **project.options)
    printed = client.containers.run(image.id, project.command, remove=True, network_mode="none")
    assert printed.decode() == project.prints


def test_a_second_build_of_a_project_comes_from_the_cache(client: docker.DockerClient) -> None:
    project = PROJECTS["dependencies before sources"]
    first, _ = client.images.build(fileobj=tar_of(project), custom_context=True, rm=True)
    changed = Project(project.dockerfile, "", {**project.files, "src/a.js": "changed();\n"})
    second, log = client.images.build(fileobj=tar_of(changed), custom_context=True, rm=True)
    assert first.id != second.id
    text = "".join(line.get("stream", "") for line in log)
    steps = text.split("Step ")[1:]
    assert ["Using cache" in step for step in steps if "FROM" not in step] == [
        True, True, True, False, False, True, True, True, False, False
    ]  # fmt: skip


def test_a_prune_keeps_what_it_is_told_to_and_takes_the_rest(client: docker.DockerClient) -> None:
    def used() -> int:
        return sum(entry["Size"] for entry in client.df()["BuildCache"])

    project = Project(
        "FROM lab/busybox AS a\nRUN head -c 100000 /dev/zero > /big\nFROM lab/busybox\nLABEL a=b\n"
        "COPY --from=a /big /b\n",
        "",
    )
    client.images.build(fileobj=tar_of(project), custom_context=True)
    before = used()
    assert before >= 100_000
    client.api.prune_builds(keep_storage=before)
    assert used() == before
    client.api.prune_builds(filters={"until": "1h"})
    assert used() == before
    done = client.api.prune_builds()
    assert done["SpaceReclaimed"] >= 100_000
    assert used() == 0
