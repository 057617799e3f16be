"""What a Dockerfile, a context or an image made to do harm may try, and that nothing comes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from containerlab.build import BuildOptions
from containerlab.build.context import Context
from containerlab.errors import ContainerlabError
from containerlab.images import History, ImageConfig
from tests.build.conftest import Site, base_config

pytestmark = pytest.mark.root


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    (tmp_path / "canary").write_text("host")
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "COPY ../canary /c",
        "COPY ../../../../../../../../etc/passwd /c",
        "COPY out/canary /c",
        "COPY out /c",
        "COPY file /c",
        "COPY d/up/canary /c",
        "COPY o*/canary /c",
        "ADD file /c",
        "ADD out/ /c/",
        "RUN --mount=source=out,target=/m cp -r /m /c",
        "RUN --mount=source=file,target=/m cat /m > /c",
        "COPY --from=a ../../../../../../../../canary /c",
    ],
)
def test_nothing_outside_the_context_is_read(site: Site, canary: Path, line: str) -> None:
    (site.context / "out").symlink_to(canary)
    (site.context / "file").symlink_to(canary / "canary")
    (site.context / "d").mkdir()
    (site.context / "d" / "up").symlink_to(f"../../..{canary}")
    site.write(ok="x")
    built = site.build(f"FROM base AS a\nFROM base\n{line}\n")
    assert isinstance(built.error, ContainerlabError)
    assert built.image is None


def test_a_link_inside_a_copied_folder_stays_a_link(site: Site, canary: Path) -> None:
    site.write(d__f="f")
    (site.context / "d" / "out").symlink_to(canary)
    image = site.build("FROM base\nCOPY d /d\nCOPY d/f /d/out/f\n")
    assert image.image is not None
    assert [path.name for path in canary.iterdir()] == ["canary"]


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
def test_the_builds_own_files_may_not_be_links_out(site: Site, canary: Path, name: str) -> None:
    (canary / "text").write_text("FROM base\nLABEL stolen=yes\n")
    site.write(Dockerfile="FROM base\nCOPY . /all/\n", ok="x")
    (site.context / name).unlink(missing_ok=True)
    (site.context / name).symlink_to(canary / "text")
    with Context.from_directory(site.context) as context:
        try:
            text = context.dockerfile("Dockerfile")
        except ContainerlabError:
            return
    assert b"stolen" not in text


def test_an_images_own_history_is_no_cache(site: Site) -> None:
    """CVE-2024-24557: an image that claims to be the result of a step."""
    dockerfile = "FROM base\nRUN echo honest > /f\n"
    honest = site.build(dockerfile).ok()
    claim = honest.config.history[-1]
    site.database.rows("DELETE FROM build_steps")
    site.images.remove(honest.id)
    base = site.images.resolve("base")
    evil: ImageConfig = base_config(site.images, base.chain_ids[0])
    evil.config.Labels = {"evil": "yes"}
    evil.history.append(History(created=claim.created, created_by=claim.created_by, empty_layer=True))
    image = site.images.create(evil, base.chain_id, "evil:1")
    built = site.build(dockerfile, cache_from=("evil:1",))
    assert built.cached == [False, False]
    assert site.read(built.ok(), "/f") == "honest\n"
    assert built.ok().id != image.id
    assert "--cache-from=evil:1" in built.text


def test_a_run_cannot_widen_its_own_rights(site: Site) -> None:
    done = site.build("FROM base\nRUN --security=sandbox cat /proc/self/status > /s; ls /dev > /d\n").ok()
    status = dict(line.partition(":\t")[::2] for line in site.read(done, "/s").splitlines())
    assert int(status["CapEff"], 16) & ~0xA80425FB == 0
    assert status["Seccomp"].strip() == "2"
    assert not {"kmsg", "mem", "sda", "vda"} & set(site.read(done, "/d").split())


def test_a_step_sees_nothing_of_the_builds_own_files(site: Site) -> None:
    image = site.build("FROM base\nRUN cat /proc/self/mountinfo > /m; ls / > /l; ls -C /proc/self/fd > /fds\n").ok()
    assert site.read(image, "/fds").split() == ["0", "1", "2", "3"]
    assert set(site.read(image, "/l").split()) >= {"bin", "etc"}


@pytest.mark.parametrize("target", ["/etc", "/bin/sh", "/dev/shm", "/sys", "/dev", "/"])
def test_a_mount_over_what_the_container_needs_harms_itself_alone(site: Site, target: str) -> None:
    before = sorted(os.listdir("/dev"))  # noqa: PTH208
    site.write(f="f")
    site.build(f"FROM base\nRUN --mount=type=tmpfs,target={target} true\n")
    site.build(f"FROM base\nRUN --mount=source=f,target={target} true\n")
    assert sorted(os.listdir("/dev")) == before  # noqa: PTH208
    site.build("FROM base\nRUN true\n").ok()


def test_a_secret_is_in_no_repr_of_the_options() -> None:
    assert "hunter2" not in repr(BuildOptions(secrets={"a": b"hunter2"}))
