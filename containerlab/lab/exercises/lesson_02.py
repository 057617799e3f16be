"""Lesson 2: a container and a virtual machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from containerlab.lab.exercises.looking import container, container_is_there, remove_containers
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_IMAGE = "lab/busybox"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MEMORY = 512 * 1024 * 1024
_MANY = 10
_CROWD = {"label": "crowd"}


def _facts(client: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = container(client, name)  # type: ignore[assignment]
    return found


def _says_our_boot(client: Any) -> Missing | None:
    said = _UUID.findall(client.containers.get("witness").logs(tail=100).decode(errors="replace"))
    if not said:
        return Missing(
            "no boot id",
            (
                Words("No boot id stands in its log."),
                Words("Its program has to print the file /proc/sys/kernel/random/boot_id."),
            ),
        )
    if _BOOT_ID.read_text().strip() in said:
        return None
    return Missing(
        "another boot id",
        (
            Words("The boot id in its log isn't this host's: another kernel has answered."),
            Words("A virtual machine boots a kernel of its own. Leave out `--runtime vm`."),
        ),
    )


def _solve_witness(client: Any) -> None:
    witness = client.containers.run(_IMAGE, ["cat", str(_BOOT_ID)], detach=True, name="witness", network_mode="none")
    witness.wait()


def _is_a_container(client: Any) -> Missing | None:
    if _facts(client, "light")["HostConfig"]["Runtime"] != "vm":
        return None
    return Missing(
        "light is a machine",
        (
            Words("light is a virtual machine."),
            Words("Without `--runtime vm` the same command makes a container."),
        ),
    )


def _is_a_machine(client: Any) -> Missing | None:
    if _facts(client, "heavy")["HostConfig"]["Runtime"] == "vm":
        return None
    return Missing(
        "heavy is a container",
        (
            Words("heavy is a container like light."),
            Words("One option makes a machine of it; it stands in the second cell of this lesson."),
            Words("`%container run --runtime vm …`"),
        ),
    )


def _one_image(client: Any) -> Missing | None:
    light, heavy = _facts(client, "light"), _facts(client, "heavy")
    if light["Image"] == heavy["Image"]:
        return None
    return Missing(
        "two images",
        (
            Words("They are made from two images: {light} and {heavy}."),
            Words("Whatever differs shall come from the box. Use the same image for both."),
        ),
        {"light": light["Config"]["Image"], "heavy": heavy["Config"]["Image"]},
    )


def _has_512_mb(client: Any) -> Missing | None:
    given = _facts(client, "heavy")["HostConfig"]["Memory"]
    if given == _MEMORY:
        return None
    return Missing(
        "another memory",
        (
            Words("heavy was assigned {given} bytes; 512 MiB are {wanted}. (0 is: nothing was said.)"),
            Words("`-m` limits a container. A machine is given that much."),
        ),
        {"given": given, "wanted": _MEMORY},
    )


def _has_run(client: Any) -> Missing | None:
    state = _facts(client, "heavy")["State"]
    if state["Status"] == "exited" and state["ExitCode"] == 0:
        return None
    return Missing(
        "heavy hasn't ended well",
        (
            Words("heavy is {status}, with exit code {code}. It should have booted and ended with 0."),
            Words("A program such as `head -1 /proc/meminfo` ends by itself. `logs heavy` tells what went wrong."),
        ),
        {"status": state["Status"], "code": state["ExitCode"]},
    )


def _solve_boxes(client: Any) -> None:
    asked = ["head", "-1", "/proc/meminfo"]
    client.containers.run(_IMAGE, asked, detach=True, name="light", network_mode="none")
    heavy = client.containers.run(
        _IMAGE, asked, detach=True, name="heavy", network_mode="none", runtime="vm", mem_limit=_MEMORY
    )
    heavy.wait()


def _crowd(client: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.api.containers(filters=_CROWD, size=True)
    return found


def _many_run(client: Any) -> Missing | None:
    count = len(_crowd(client))
    if count >= _MANY:
        return None
    return Missing(
        "too few",
        (
            Words("{count} of ten containers with the label `crowd` run."),
            Words('`run -d -l crowd …`, ten times; or `client.containers.run(…, labels=["crowd"])` in a loop.'),
        ),
        {"count": count},
    )


def _all_alike(client: Any) -> Missing | None:
    images = {one["ImageID"] for one in _crowd(client)}
    if len(images) == 1:
        return None
    return Missing(
        "several images",
        (
            Words("They are made from {count} images."),
            Words("All of them shall stand on one image: then its files are there once."),
        ),
        {"count": len(images)},
    )


def _nothing_written(client: Any) -> Missing | None:
    written = sum(one.get("SizeRw") or 0 for one in _crowd(client))
    if written == 0:
        return None
    return Missing(
        "something is written",
        (
            Words("Together they have written {written} bytes of their own."),
            Words("`ps -s` says which. A program that only sleeps writes nothing."),
        ),
        {"written": written},
    )


def _solve_crowd(client: Any) -> None:
    for number in range(_MANY):
        client.containers.run(
            _IMAGE, "sleep 600", detach=True, name=f"crowd-{number}", labels=["crowd"], network_mode="none"
        )


def _reset_crowd(client: Any) -> None:
    for one in client.api.containers(all=True, filters=_CROWD):
        client.api.remove_container(one["Id"], force=True, v=True)


EXERCISES = (
    Exercise(
        "02.1",
        Words("a witness"),
        (container_is_there("witness"), Step(Words("its log tells this host's boot id"), _says_our_boot)),
        _solve_witness,
        remove_containers("witness"),
    ),
    Exercise(
        "02.2",
        Words("one image, two boxes"),
        (
            container_is_there("light"),
            Step(Words("light is a container"), _is_a_container),
            container_is_there("heavy"),
            Step(Words("heavy is a virtual machine"), _is_a_machine),
            Step(Words("both are made from one image"), _one_image),
            Step(Words("heavy was assigned 512 MiB"), _has_512_mb),
            Step(Words("heavy has booted and ended well"), _has_run),
        ),
        _solve_boxes,
        remove_containers("light", "heavy"),
    ),
    Exercise(
        "02.3",
        Words("ten of a kind"),
        (
            Step(Words("ten containers with the label crowd run"), _many_run),
            Step(Words("all are made from one image"), _all_alike),
            Step(Words("none has written anything"), _nothing_written),
        ),
        _solve_crowd,
        _reset_crowd,
    ),
)
