"""Hosts that aren't at hand, told by their files: what is recognised, and what is said to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from containerlab.errors import HostLacks, StorageFull
from containerlab.runtime import hindrances
from containerlab.runtime.hindrances import System
from containerlab.runtime.storage import Storage, check_store, look_at


def system(folder: Path, **files: str) -> System:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return System(folder, 1000, find=lambda _: None)


@pytest.mark.parametrize(
    ("file", "content", "name", "remedy"),
    [
        ("proc__sys__user__max_user_namespaces", "0\n", "max_user_namespaces", "sysctl -w user.max_user_namespaces="),
        ("proc__sys__kernel__unprivileged_userns_clone", "0\n", "unprivileged_userns_clone", "userns_clone=1"),
        ("proc__sys__kernel__apparmor_restrict_unprivileged_userns", "1\n", "apparmor", "/etc/apparmor.d"),
        ("proc__self__status", "Name:\tx\nSeccomp:\t2\n", "seccomp", "--security-opt seccomp="),
    ],
)
def test_what_keeps_user_namespaces_away(tmp_path: Path, file: str, content: str, name: str, remedy: str) -> None:
    (found,) = hindrances.user_namespaces(system(tmp_path, **{file: content}))
    assert found.name == name
    assert remedy in found.remedy


def test_nothing_is_said_of_a_host_that_forbids_nothing(tmp_path: Path) -> None:
    files = {
        "proc__sys__user__max_user_namespaces": "15000\n",
        "proc__sys__kernel__unprivileged_userns_clone": "1\n",
        "proc__sys__kernel__apparmor_restrict_unprivileged_userns": "0\n",
        "proc__self__status": "Seccomp:\t0\n",
    }
    assert hindrances.user_namespaces(system(tmp_path, **files)) == []


def test_missing_programs_and_ranges_of_ids(tmp_path: Path) -> None:
    (missing,) = hindrances.subordinate(system(tmp_path), has_ranges=True)
    assert missing.name == "newuidmap" and "install uidmap" in missing.remedy
    there = System(tmp_path, 1000, find=lambda name: f"/usr/bin/{name}")
    (ranges,) = hindrances.subordinate(there, has_ranges=False)
    assert ranges.name == "subuid" and "usermod --add-subuids" in ranges.remedy
    assert hindrances.subordinate(there, has_ranges=True) == []


@pytest.mark.parametrize(
    ("cgroup", "controllers", "name", "remedy"),
    [
        ("0::/user.slice/user-1000.slice/session-3.scope\n", set(), "user_slice", "systemd-run --user --scope"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice\n", {"pids"}, "delegation", "Delegate="),
    ],
)
def test_cgroups_that_are_not_handed_on(
    tmp_path: Path, cgroup: str, controllers: set[str], name: str, remedy: str
) -> None:
    (found,) = hindrances.delegation(system(tmp_path, proc__self__cgroup=cgroup), "v2", frozenset(controllers))
    assert found.name == name
    assert remedy in found.remedy


def test_a_user_slice_with_delegation_lacks_nothing(tmp_path: Path) -> None:
    own = system(tmp_path, proc__self__cgroup="0::/user.slice/user-1000.slice/user@1000.service/app.slice\n")
    assert hindrances.delegation(own, "v2", frozenset({"cpu", "memory", "pids", "io"})) == []


def storage(**changes: object) -> Storage:
    plain = {"network": "", "is_overlay": False, "is_noexec": False, "is_readonly": False, "free": 1 << 30}
    return Storage(**(plain | changes))


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"network": "NFS"}, HostLacks, "lies on NFS"),
        ({"is_noexec": True}, HostLacks, "mounted noexec"),
        ({"is_readonly": True}, HostLacks, "mounted read-only"),
        ({"is_overlay": True}, HostLacks, "on which overlayfs writes no other one"),
        ({"free": 1 << 20}, StorageFull, "only 1 MiB are free"),
    ],
)
def test_a_file_system_that_can_not_carry_a_store(changes: dict[str, object], kind: type, words: str) -> None:
    problem = storage(**changes).problem(mounts=True, is_new=True)
    assert isinstance(problem, kind)
    assert words in problem.message
    assert "CONTAINERLAB_STORE" in problem.hint


def test_a_copied_root_needs_no_overlay_and_a_full_store_can_be_emptied() -> None:
    assert storage(is_overlay=True).problem(mounts=False, is_new=True) is None
    assert storage(free=0).problem(mounts=True, is_new=False) is None


def test_a_folder_that_is_not_there_yet_lies_where_it_will(tmp_path: Path) -> None:
    assert look_at(tmp_path / "not" / "there").free == look_at(tmp_path).free


@pytest.mark.parametrize("made_by_copies", [True, False])
def test_a_store_is_not_opened_on_a_rung_that_reads_its_layers_otherwise(tmp_path: Path, made_by_copies: bool) -> None:
    check_store(tmp_path, mounts=not made_by_copies)
    (tmp_path / "db.sqlite").touch()
    check_store(tmp_path, mounts=not made_by_copies)
    with pytest.raises(HostLacks, match="its layers were unpacked") as refused:
        check_store(tmp_path, mounts=made_by_copies)
    assert "Set CONTAINERLAB_STORE to another folder" in refused.value.hint


@pytest.mark.root
@pytest.mark.parametrize("verb", [["ps"], ["run", "lab/busybox", "true"], ["serve"]])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("noexec", "its file system is mounted noexec"),
        ("ro", "can't be made: Read-only file system"),
        ("size=4m", "only 4 MiB are free there"),
    ],
)
def test_an_engine_says_at_its_start_that_its_store_can_not_lie_there(
    tmp_path: Path, options: str, words: str, verb: list[str]
) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "cl-store", tmp_path], check=True)
    try:
        environment = {**os.environ, "CONTAINERLAB_STORE": str(tmp_path / "store")}
        environment.pop("DOCKER_HOST", None)
        command = [sys.executable, "-m", "containerlab", *verb]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    finally:
        # At once, whoever is still in it: the engine that refused may be on its way out.
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
    assert done.returncode != 0
    assert words in done.stderr
    assert "et CONTAINERLAB_STORE to a folder on " in done.stderr


@pytest.mark.root
def test_root_is_not_let_down_to_a_rung_that_isolates_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "CONTAINERLAB_STORE": str(tmp_path / "store"), "CONTAINERLAB_RUNG": "proot"}
    environment.pop("DOCKER_HOST", None)
    done = subprocess.run(
        [sys.executable, "-m", "containerlab", "ps"], env=environment, capture_output=True, text=True, check=False
    )
    assert "as root a container's root would be the host's" in done.stderr


def test_a_rung_that_does_not_exist_is_refused_by_its_name(tmp_path: Path) -> None:
    environment = {**os.environ, "CONTAINERLAB_STORE": str(tmp_path / "store"), "CONTAINERLAB_RUNG": "ladder"}
    environment.pop("DOCKER_HOST", None)
    done = subprocess.run(
        [sys.executable, "-m", "containerlab", "ps"], env=environment, capture_output=True, text=True, check=False
    )
    assert "CONTAINERLAB_RUNG=ladder: there is no such rung" in done.stderr


def test_the_page_of_hosts_says_what_the_table_says() -> None:
    from tests.hosts.document import document

    page = Path(__file__).resolve().parents[2] / "docs/hosts.md"
    assert page.read_text() == document(), "python -m tests.hosts.document writes it anew"
