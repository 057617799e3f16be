"""Lesson 9: volumes."""

from __future__ import annotations

import contextlib
import io
import tarfile
from typing import Any

import docker.errors

from containerlab.lab.exercises.looking import container, container_is_there, is_running, remove_containers
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_IMAGE = "lab/busybox"
_VOLUME = "ledger"
_LIMIT = 1 << 20
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _volume_is_there(client: Any) -> Missing | None:
    try:
        client.api.inspect_volume(_VOLUME)
    except docker.errors.NotFound:
        return Missing(
            "no volume",
            (
                Words("There is no volume named {name}."),
                Words("`-v {name}:/PLACE` makes it and mounts it; `volume ls` lists them."),
            ),
            {"name": _VOLUME},
        )
    return None


def _users(client: Any) -> list[str]:
    found = client.api.containers(all=True, filters={"volume": _VOLUME})
    return sorted(one["Names"][0].lstrip("/") for one in found)


def _nobody_uses_it(client: Any) -> Missing | None:
    users = _users(client)
    if not users:
        return None
    return Missing(
        "a container uses it",
        (
            Words("A container still uses it: {users}."),
            Words("Remove it, or let it remove itself: `run --rm`. The volume stays all the same."),
        ),
        {"users": ", ".join(users)},
    )


def _holds_a_file(client: Any) -> Missing | None:
    """Looked at through a container that is never started, and removed again."""
    mount = {"Type": "volume", "Source": _VOLUME, "Target": "/ledger", "ReadOnly": True}
    looker = client.api.create_container(
        _IMAGE, ["true"], host_config={"Mounts": [mount], "NetworkMode": "none"}
    )["Id"]  # fmt: skip
    try:
        pieces, _ = client.api.get_archive(looker, "/ledger")
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            if any(entry.isfile() for entry in archive):
                return None
    finally:
        client.api.remove_container(looker)
    return Missing(
        "an empty volume",
        (
            Words("The volume {name} holds no file."),
            Words("What is written at the place where it is mounted is in it; all else is in the writable layer."),
        ),
        {"name": _VOLUME},
    )


def _solve_ledger(client: Any) -> None:
    client.containers.run(
        _IMAGE, ["sh", "-c", "echo 42 > /ledger/total"], volumes={_VOLUME: {"bind": "/ledger"}}, network_mode="none",
        remove=True,
    )  # fmt: skip


def _mount_at(client: Any, name: str, place: str) -> dict[str, Any] | None:
    shown: dict[str, Any] = container(client, name)  # type: ignore[assignment]
    return next((mount for mount in shown["Mounts"] if mount["Destination"] == place), None)


def _has_the_volume(client: Any) -> Missing | None:
    mount = _mount_at(client, "auditor", "/ledger")
    if mount is None:
        return Missing(
            "nothing at /ledger",
            (Words("Nothing is mounted at /ledger in auditor."), Words("`-v ledger:/ledger…` mounts it there.")),
        )
    if mount["Type"] != "volume" or mount.get("Name") != _VOLUME:
        return Missing(
            "another mount at /ledger",
            (
                Words("What is mounted at /ledger is not the volume ledger, but: {kind} {source}."),
                Words("In `-v` a name means a volume, and a path means a folder of the host."),
            ),
            {"kind": mount["Type"], "source": mount.get("Name") or mount["Source"]},
        )
    return None


def _is_read_only(client: Any) -> Missing | None:
    mount = _mount_at(client, "auditor", "/ledger")
    if mount is not None and not mount["RW"]:
        return None
    return Missing(
        "auditor may write",
        (Words("auditor may write into it."), Words("A third word in `-v NAME:PLACE:WORD` says how it is mounted.")),
    )


def _solve_auditor(client: Any) -> None:
    client.containers.run(
        _IMAGE, "sleep 600", detach=True, name="auditor", network_mode="none",
        volumes={_VOLUME: {"bind": "/ledger", "mode": "ro"}},
    )  # fmt: skip


def _reset_ledger(client: Any) -> None:
    with contextlib.suppress(docker.errors.NotFound):
        for name in _users(client):
            client.api.remove_container(name, force=True, v=True)
        client.api.remove_volume(_VOLUME)


def _reset_auditor(client: Any) -> None:
    remove_containers("auditor")(client)
    _reset_ledger(client)


def _tmpfs_size(shown: dict[str, Any], place: str) -> int | None:
    """In bytes, 0 for one without a bound, None where there is no tmpfs."""
    for mount in shown["HostConfig"].get("Mounts") or []:
        if mount["Type"] == "tmpfs" and mount["Target"].rstrip("/") == place:
            return int((mount.get("TmpfsOptions") or {}).get("SizeBytes") or 0)
    words = {path.rstrip("/"): options for path, options in (shown["HostConfig"].get("Tmpfs") or {}).items()}
    if place not in words:
        return None
    for word in reversed(words[place].lower().split(",")):
        if word.startswith("size="):
            text = word.removeprefix("size=")
            number = text.rstrip("kmg")
            return int(number) * _UNITS.get(text[-1], 1) if number.isdigit() else 0
    return 0


def _is_memory(client: Any) -> Missing | None:
    shown: dict[str, Any] = container(client, "vault")  # type: ignore[assignment]
    if _tmpfs_size(shown, "/secret") is not None:
        return None
    return Missing(
        "no tmpfs at /secret",
        (
            Words("There is no tmpfs at /secret in vault."),
            Words("A volume or a bind lies on a disk. `--tmpfs PLACE` is memory."),
        ),
    )


def _is_small(client: Any) -> Missing | None:
    shown: dict[str, Any] = container(client, "vault")  # type: ignore[assignment]
    size = _tmpfs_size(shown, "/secret") or 0
    if 0 < size <= _LIMIT:
        return None
    return Missing(
        "too large" if size else "without a bound",
        (
            Words("It may grow to {size} bytes: more than 1 MiB.") if size else Words("Nothing bounds its size."),
            Words("`--tmpfs PLACE:size=1m`"),
        ),
        {"size": f"{size:,}"},
    )


def _solve_vault(client: Any) -> None:
    client.containers.run(
        _IMAGE, "sleep 600", detach=True, name="vault", network_mode="none", tmpfs={"/secret": "size=1m"}
    )


EXERCISES = (
    Exercise(
        "09.1",
        Words("data without a container"),
        (
            Step(Words("a volume named {name}"), _volume_is_there, {"name": _VOLUME}),
            Step(Words("no container uses it"), _nobody_uses_it),
            Step(Words("it holds a file"), _holds_a_file),
        ),
        _solve_ledger,
        _reset_ledger,
    ),
    Exercise(
        "09.2",
        Words("a reader that can't write"),
        (
            container_is_there("auditor"),
            is_running("auditor"),
            Step(Words("the volume ledger is at /ledger"), _has_the_volume),
            Step(Words("it is mounted read-only"), _is_read_only),
        ),
        _solve_auditor,
        _reset_auditor,
    ),
    Exercise(
        "09.3",
        Words("a place that forgets"),
        (
            container_is_there("vault"),
            is_running("vault"),
            Step(Words("/secret is memory"), _is_memory),
            Step(Words("1 MiB of it at most"), _is_small),
        ),
        _solve_vault,
        remove_containers("vault"),
    ),
)
