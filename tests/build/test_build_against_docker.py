"""The same Dockerfile and context in a real Docker: same config, same files, same words."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from containerlab.images import Image
from tests.build.conftest import Site
from tests.dockerd import running_dockerd

pytestmark = [pytest.mark.root, pytest.mark.docker]

FIELDS = (
    "Env",
    "Cmd",
    "Entrypoint",
    "Labels",
    "ExposedPorts",
    "Volumes",
    "WorkingDir",
    "User",
    "StopSignal",
    "Shell",
    "Healthcheck",
)
# What a container of docker's has beside the image's own files.
_CONTAINERS_OWN = ("dev", "proc", "sys", ".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab")

CASES = {
    "config": (
        'FROM base\nENV a=1 b="x $a" c=\'$a\' d=\\$a\nENV old style value\nLABEL k=v "two words"="$b"\n'
        "EXPOSE 80 90-91/udp\nVOLUME /v\nWORKDIR /w\nWORKDIR $b/deep\nUSER ana\nSTOPSIGNAL SIGUSR1\n"
        'SHELL ["/bin/sh", "-ec"]\nENTRYPOINT exec top\nCMD ["x", "y"]\n'
    ),
    "entrypoint_drops_cmd": 'FROM base\nENTRYPOINT ["cat"]\n',
    "args": (
        "ARG T=latest\nFROM base:$T\nARG T\nARG v=${T:-none}\nENV e=${v:+set} f=${nothing:-dflt}\nRUN echo $v $T > /f\n"
    ),
    "copies": (
        "FROM base\nWORKDIR /w\nCOPY f new\nCOPY f d /many/\nCOPY d dir\nCOPY link /l/\nCOPY dirlink /dl\n"
        "COPY . /all/\nCOPY --chown=7 f /own/deep/f\nCOPY --chown=ana:lab d /ana\nADD a.tgz /unpacked\n"
        "COPY a.tgz /packed/\nCOPY f /etc\n"
    ),
    "runs": (
        "FROM base\nRUN echo a > /a && mkdir -m 700 /d && touch /d/x && chown 5:6 /d/x\nRUN rm /a && ln -s /d /l\n"
        'RUN ["sh", "-c", "echo $HOME > /home-is"]\nWORKDIR /w\nUSER ana\nRUN id > /tmp/id; pwd >> /tmp/id\n'
    ),
    "stages": (
        "ARG B=base\nFROM $B AS one\n"
        "RUN mkdir -p /out/d && echo x > /out/d/x && chown 5:6 /out/d/x && chmod 640 /out/d/x\n"
        "RUN ln -s d /out/l\nFROM base AS unused\nRUN echo unused\nFROM one AS two\nRUN echo two > /out/two\n"
        "FROM base\nCOPY --from=one /out /a\nCOPY --from=two /out/two /b/\nCOPY --from=0 --chown=ana:lab /out/d /c\n"
        "COPY --from=base /etc/passwd /etc/group /d/\nCOPY --from=one /out/l /e\n"
    ),
    "onbuild_of_a_stage": "FROM base AS a\nONBUILD RUN echo on > /on\nFROM a\nRUN cat /on > /seen\n",
    "health_and_signals": (
        'FROM base\nHEALTHCHECK --interval=5s --timeout=1m30s --start-period=2s --retries=4 CMD ["true", "x"]\n'
        'STOPSIGNAL 9\nUSER 1000:lab\nSHELL ["/bin/sh", "-ec"]\nRUN id > /tmp/id\nCMD echo $HOME\n'
        'VOLUME ["/data", "/more data"]\nLABEL a="b c" d=\'e "f"\' g=h\\ i\n'
    ),
    "no_healthcheck": "FROM base\nHEALTHCHECK NONE\n",
    "words": (
        "FROM base\nENV v=/a/b/c w= x='$v' y=\"$v\" z=\\$v\n"
        "ENV d=${v:-d} e=${w:-d} f=${w:+p} g=${v:+p} h=${u:-$v} i=a${v}b$v.c\n"
        "WORKDIR ${v}/${u:-d}\nEXPOSE ${p:-80}/tcp 443\nRUN echo $d $e $f $g $h $i > /words\n"
    ),
    "adds": (
        "FROM base\nADD a.tgz /x\nADD a.tgz f /y/\nADD d /z\nADD --chown=7:8 a.tgz /o\nADD f /bin/..\n"
        'COPY ["f", "/with space/f"]\n'
        "ADD f l*k /globbed/\n"
    ),
    "links_in_the_way": (
        "FROM base\nRUN mkdir /real && ln -s /real /lnk && ln -s /real/file /flnk && touch /real/file\n"
        "COPY f /lnk/f\nCOPY d /lnk\n"
        "COPY f /flnk\nWORKDIR /lnk/deep\nCOPY f .\n"
    ),
    "deletions": (
        "FROM base\nCOPY d /d\nRUN rm -r /d/sub && mkdir /d/sub && rm /bin/yes\nCOPY f /d/sub/f\nRUN mv /d /e\n"
    ),
    "continuations": "FROM base\nRUN echo one \\\n  # comment\n  two \\\n\n three > /f\nENV x=1 \\\n    y=2\n",
}


@pytest.fixture(scope="module")
def dockerd() -> Iterator[list[str]]:
    """The command line of a client of a Docker daemon of our own."""
    with running_dockerd() as address:
        yield ["docker", "-H", address]


@pytest.fixture
def context(site: Site) -> Site:
    site.write(f="file", d__g="g", d__sub__h="h", _dot_dockerignore="hidden\n*.log\n!keep.log\n")
    site.write(hidden="x", a_dot_log="x", keep_dot_log="x")
    (site.context / "link").symlink_to("f")
    (site.context / "dirlink").symlink_to("d")
    (site.context / "d" / "sub").chmod(0o711)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo("inside/x")
        info.size, info.uid, info.gid = 1, 5, 6
        archive.addfile(info, io.BytesIO(b"x"))
    site.write(a_dot_tgz=out.getvalue())
    return site


def run_docker(client: list[str], *words: str, data: bytes | None = None) -> bytes:
    return subprocess.run([*client, *words], input=data, stdout=subprocess.PIPE, check=True).stdout


def import_base(client: list[str], site: Site) -> None:
    """The site's base image, in Docker's store."""
    out = io.BytesIO()
    base = site.images.resolve("base")
    site.images.layers.tar(base.chain_ids[0], out)
    run_docker(client, "import", "-c", "ENV PATH=/bin:/usr/bin", "-c", 'CMD ["sh"]', "-", "base", data=out.getvalue())


def docker_build(client: list[str], site: Site) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """What the classic builder makes of the context."""
    import_base(client, site)
    image = run_docker(client, "build", "-q", "--no-cache", "--network", "none", str(site.context)).decode().strip()
    return image_facts(client, image)


def image_facts(client: list[str], image: str) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """Docker's image config, and its files: path to (type and mode, uid, gid, size)."""
    config = json.loads(run_docker(client, "inspect", image))[0]["Config"]
    container = run_docker(client, "create", "--network", "none", image, "x").decode().strip()
    files = {}
    with tarfile.open(fileobj=io.BytesIO(run_docker(client, "export", container))) as archive:
        for member in archive:
            kind = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK}.get(member.type, stat.S_IFREG)
            name = member.name.rstrip("/")
            if not name.startswith(_CONTAINERS_OWN) and member.type != tarfile.LNKTYPE:
                size = member.size if kind == stat.S_IFREG else 0
                files[name] = (kind | member.mode, member.uid, member.gid, size)
    run_docker(client, "rm", container)
    return config, files


def own_files(site: Site, image: Image) -> dict[str, tuple[int, ...]]:
    files = {}
    for name in site.tree(image, "/"):
        status = site.stat(image, name.rstrip("/"))
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        files[name.rstrip("/")] = (status.st_mode, status.st_uid, status.st_gid, size)
    return files


@pytest.mark.parametrize("case", CASES)
def test_docker_makes_the_same_image(context: Site, dockerd: list[str], case: str) -> None:
    (context.context / "Dockerfile").write_text(CASES[case])
    os.utime(context.context / "Dockerfile", (1, 1))
    config, files = docker_build(dockerd, context)
    image = context.build(CASES[case]).ok()
    settings = msgspec.to_builtins(image.config.config)
    ours = {name: settings.get(name) or None for name in FIELDS}
    assert ours == {name: config.get(name) or None for name in FIELDS}
    found = own_files(context, image)
    volumes = {path.strip("/") for path in config.get("Volumes") or {}}
    assert found == {name: status for name, status in files.items() if name not in volumes}
