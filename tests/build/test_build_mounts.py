"""RUN --mount: bind, cache, tmpfs and secret; what they show, what they keep, and that nothing leaks through them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from containerlab.build import Builder
from containerlab.errors import BuildFailed, DockerfileError
from tests.build.conftest import Site, run

pytestmark = pytest.mark.root

TOKEN = "s3cr3t-t0k3n-that-nobody-keeps"


def test_a_bind_shows_the_context_without_being_part_of_the_image(site: Site) -> None:
    site.write(f="f", d__g="g", hidden="h", _dot_dockerignore="hidden\n")
    image = site.build(
        "FROM base\nWORKDIR /w\nRUN --mount=target=/src --mount=source=d,target=rel --mount=source=f,target=/one/f "
        "ls /src > /names; cat rel/g /one/f > /read; touch /src/x || echo ro > /ro\n"
    ).ok()
    assert site.read(image, "/names").split() == ["Dockerfile", "d", "f"]
    assert (site.read(image, "/read"), site.read(image, "/ro")) == ("gf", "ro\n")
    assert not {"src/", "one/", "w/rel/"} & set(site.tree(image, "/"))


def test_a_writable_bind_loses_what_is_written_to_it(site: Site) -> None:
    site.write(d__g="g")
    dockerfile = "FROM base\nRUN --mount=source=d,target=/d,rw echo > /d/new && ls /d > /names\n"
    assert site.read(site.build(dockerfile).ok(), "/names").split() == ["g", "new"]
    assert os.listdir(site.context / "d") == ["g"]  # noqa: PTH208


def test_a_bind_shows_a_stage_and_reruns_when_it_changes(site: Site) -> None:
    dockerfile = (
        "FROM base AS a\nARG v\nRUN mkdir /d && echo $v > /d/x\nFROM base\n"
        "RUN --mount=from=a,source=/d,target=/mnt cat /mnt/x > /got; echo no > /mnt/x || true\n"
        "RUN --mount=from=a,target=/root,rw echo yes > /root/d/x && cat /root/d/x > /rw\n"
    )
    built = site.build(dockerfile, build_args={"v": "1"})
    assert (site.read(built.ok(), "/got"), site.read(built.ok(), "/rw")) == ("1\n", "yes\n")
    assert site.build(dockerfile, build_args={"v": "1"}).cached == [False, True, True, False, True, True]
    assert site.read(site.build(dockerfile, build_args={"v": "2"}).ok(), "/got") == "2\n"


def test_a_cache_is_kept_from_build_to_build_and_is_no_part_of_the_image(site: Site) -> None:
    dockerfile = "FROM base\nRUN --mount=type=cache,target=/root/.cache,mode=0700,uid=7 {}\n"
    first = site.build(dockerfile.format("stat -c %u:%a /root/.cache > /s; echo kept > /root/.cache/f")).ok()
    second = site.build(dockerfile.format("cat /root/.cache/f > /out")).ok()
    assert site.read(first, "/s") == "7:700\n"
    assert site.read(second, "/out") == "kept\n"
    assert ".cache" not in str(site.tree(second, "/"))


def test_a_cache_begins_with_what_it_is_given_and_shows_a_part_of_itself(site: Site) -> None:
    image = site.build(
        "FROM base AS a\nRUN mkdir -p /x/y && echo y > /x/y/f\nFROM base\n"
        "RUN --mount=type=cache,from=a,id=c,source=x/y,target=/c cat /c/f > /out; echo > /c/new\n"
        "RUN --mount=type=cache,id=c,target=/c ls /c/x/y > /names\n"
    ).ok()
    assert (site.read(image, "/out"), site.read(image, "/names")) == ("y\n", "f\nnew\n")


@pytest.mark.parametrize("identity", ["../../../escape", "/etc", "..", "a/../../b", "x" * 300])
def test_an_id_is_never_part_of_a_path(site: Site, identity: str) -> None:
    site.build(f"FROM base\nRUN --mount=type=cache,id={identity},target=/c echo > /c/f\n").ok()
    (folder,) = (site.store / "build-cache").iterdir()
    assert len(folder.name) == 64
    assert not (site.folder / "escape").exists()


@pytest.mark.parametrize("source", ["../../../../../canary", "/out/canary", "up/canary"])
def test_a_part_of_a_cache_is_never_outside_of_it(site: Site, tmp_path: Path, source: str) -> None:
    """CVE-2024-9675: a path, and links that an earlier step left in the cache, stay inside the cache."""
    (tmp_path / "canary").mkdir()
    (tmp_path / "canary" / "host").write_text("host")
    built = site.build(
        f"FROM base\nRUN --mount=type=cache,id=c,target=/c ln -s {tmp_path} /c/out; ln -s ../../..{tmp_path} /c/up\n"
        f"RUN --mount=type=cache,id=c,source={source},target=/m ls -A /m > /names; echo > /m/new\n"
    )
    if built.error is None:
        assert "host" not in site.read(built.ok(), "/names")
    assert [path.name for path in (tmp_path / "canary").iterdir()] == ["host"]


def test_locked_caches_are_used_one_after_the_other_and_private_ones_are_apart(site: Site) -> None:
    def two(sharing: str) -> str:
        step = f"RUN --mount=type=cache,id={sharing},target=/c,sharing={sharing}"
        body = "mkdir /c/busy || exit 9; sleep 0.3; rmdir /c/busy; echo > /{}"
        return (
            f"FROM base AS a\n{step} {body.format('a')}\nFROM base AS b\n{step} {body.format('b')}\n"
            "FROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n"
        ).replace("rmdir", "rm -r")

    site.build(two("locked")).ok()
    site.build(two("private")).ok()


def test_a_tmpfs_is_empty_and_forgotten(site: Site) -> None:
    image = site.build(
        "FROM base\nRUN --mount=type=tmpfs,target=/usr,size=1m ls -A /usr > /l; echo > /usr/x; cat /proc/mounts > /m\n"
    ).ok()
    assert site.read(image, "/l") == ""
    assert "tmpfs /usr tmpfs" in site.read(image, "/m")
    assert "size=1024k" in site.read(image, "/m")
    assert "usr/x" not in site.tree(image, "/")


def test_a_secret_is_shown_to_its_run_alone_and_kept_nowhere(site: Site) -> None:
    dockerfile = (
        "FROM base\nRUN --mount=type=secret,id=tok,required stat -c '%a %u' /run/secrets/tok > /s; "
        "wc -c < /run/secrets/tok > /n\nRUN --mount=type=secret,id=tok,target=/x/y,mode=0444,uid=1000 "
        "stat -c '%a %u' /x/y > /s2; test -e /run/secrets/tok || echo gone > /g\n"
    )
    seen: list[str] = []
    built = site.build(dockerfile, secrets={"tok": TOKEN.encode()})
    seen.append(str(built.messages))
    image = built.ok()
    assert (site.read(image, "/s"), site.read(image, "/s2")) == ("400 0\n", "444 1000\n")
    assert (site.read(image, "/n").strip(), site.read(image, "/g")) == (str(len(TOKEN)), "gone\n")
    assert TOKEN not in "".join(seen)
    for path in site.store.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert TOKEN.encode() not in path.read_bytes(), path
    assert "run/secrets" not in str(site.tree(image, "/"))


def test_a_failing_run_shows_no_secret_and_leaves_no_mount(site: Site) -> None:
    built = site.build(
        "FROM base\nRUN --mount=type=secret,id=tok --mount=type=cache,target=/c --mount=target=/s exit 1\n",
        secrets={"tok": TOKEN.encode()},
    )
    assert isinstance(built.error, BuildFailed)
    assert TOKEN not in str(built.messages) + repr(built.error) + str(built.error)
    assert str(site.store) not in Path("/proc/self/mountinfo").read_text()


def test_a_secret_that_was_not_given_is_missing_or_refused(site: Site) -> None:
    assert site.build("FROM base\nRUN --mount=type=secret,id=t test ! -e /run/secrets/t\n").error is None
    required = site.build("FROM base\n\nRUN --mount=type=secret,id=t,required true\n").error
    assert isinstance(required, BuildFailed)
    assert (required.line, "--secret id=t,src=FILE" in required.hint) == (3, True)


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        ("source=none,target=/x", "file not found"),
        ("source=../x,target=/x", "forbidden path outside the build context"),
        ("source=out,target=/x", "forbidden path outside the build context"),
        ("from=a,source=/none,target=/x", "not found"),
        ("target=/", "can't have / as its target"),
        ("target=/proc/x", "inside /proc"),
        ("target=/etc/passwd/x", "/etc/passwd"),
    ],
)
def test_a_mount_that_cannot_be_is_refused_with_its_reason(site: Site, mount: str, words: str) -> None:
    (site.context / "out").symlink_to("/etc")
    built = site.build(f"FROM base AS a\nFROM base\nRUN --mount={mount} true\n")
    assert isinstance(built.error, DockerfileError | BuildFailed), built.error
    assert (built.error.line, words in str(built.error)) == (3, True)


def test_mount_points_go_where_the_links_of_the_image_lead_and_never_out(site: Site, tmp_path: Path) -> None:
    (tmp_path / "canary").mkdir()
    image = site.build(
        f"FROM base\nRUN ln -s {tmp_path}/canary /out && mkdir /real && ln -s /real /lnk && ln -s ../../../etc /up\n"
        "RUN --mount=type=tmpfs,target=/out/x --mount=type=tmpfs,target=/lnk/y --mount=type=tmpfs,target=/up/z "
        "cut -d' ' -f2 /proc/mounts > /m || sed 's/^[^ ]* //' /proc/mounts > /m\n".replace("cut -d' ' -f2", "cat")
    ).ok()
    mounts = site.read(image, "/m")
    assert f" {tmp_path}/canary/x " in mounts
    assert " /real/y " in mounts
    assert " /etc/z " in mounts
    assert list((tmp_path / "canary").iterdir()) == []
    names = set(site.tree(image, "/"))
    assert {"lnk", "real/", "out"} <= names
    assert not {"real/y/", "etc/z/"} & names


def test_a_step_cannot_have_a_mount_point_removed_through_a_link(site: Site, tmp_path: Path) -> None:
    """CVE-2024-23652: nothing is removed from the root after the step, so there is nothing to lead astray."""
    (tmp_path / "y").mkdir()
    built = site.build(
        f"FROM base\nRUN --mount=type=tmpfs,target=/x/y rm -rf /x; mv /x /z; ln -s {tmp_path} /x || true\n"
    )
    built.ok()
    assert (tmp_path / "y").is_dir()


def test_parallel_steps_cannot_swap_a_part_of_a_cache_for_a_link(site: Site, tmp_path: Path) -> None:
    """CVE-2024-23651: one stage exchanges ``sub`` for a link to the host while others mount ``sub``."""
    (tmp_path / "canary").write_text("host")
    stages = (
        "FROM base AS swap\nRUN --mount=type=cache,id=c,target=/c "
        f"i=0; while [ $i -lt 300 ]; do i=$((i+1)); rm -rf /c/sub; ln -s {tmp_path} /c/sub; rm -f /c/sub; "
        "mkdir -p /c/sub; done; echo > /done\n"
    )
    for number in range(6):
        stages += (
            f"FROM base AS v{number}\nRUN --mount=type=cache,id=c,source=sub,target=/m "
            f"ls /m > /l{number}; echo x > /m/written-{number} || true\n"
        )
    copies = "".join(f"COPY --from=v{number} /l{number} /\n" for number in range(6))
    built = site.build(f"{stages}FROM base\nCOPY --from=swap /done /\n{copies}")
    if built.error is None:
        for number in range(6):
            assert "canary" not in site.read(built.ok(), f"/l{number}")
    assert [path.name for path in tmp_path.iterdir()] == ["canary"]


def test_what_a_killed_engine_left_mounted_is_taken_away(site: Site) -> None:
    from containerlab.build.staging import Staging

    folder = site.store / "builds" / ("e" * 64)
    folder.mkdir(parents=True)
    place = Staging(folder / "mounts").tmpfs()
    (place / "secret").write_text(TOKEN)

    async def opened() -> Builder:
        builder, client = await site.connected()
        client.close()
        return builder

    run(opened())
    assert not folder.exists()
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()
