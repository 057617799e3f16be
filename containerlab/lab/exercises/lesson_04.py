"""Lesson 4: the engine."""

from __future__ import annotations

import time
from typing import Any

from containerlab.lab.exercises.looking import container, container_is_there, remove_containers
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_IMAGE = "lab/busybox"


def _config(client: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = container(client, name)["Config"]  # type: ignore[index]
    return found


def _carries_the_label(client: Any) -> Missing | None:
    labels = _config(client, "raw")["Labels"] or {}
    if labels.get("made-by") == "hand":
        return None
    if "made-by" in labels:
        return Missing(
            "another value",
            (
                Words("Its label made-by says {value}."),
                Words(
                    "It should say `hand`. A container's labels can't be changed later: remove it, and make it anew."
                ),
            ),
            {"value": labels["made-by"]},
        )
    return Missing(
        "no label",
        (
            Words("It has no label made-by."),
            Words("The request's body has a place for them: `Labels`, an object from names to values."),
        ),
    )


def _solve_raw(client: Any) -> None:
    client.api.create_container(_IMAGE, name="raw", labels={"made-by": "hand"})


def _has_the_color(client: Any) -> Missing | None:
    variables = dict(word.partition("=")[::2] for word in _config(client, "twin")["Env"] or [])
    if variables.get("COLOR") == "blue":
        return None
    if "COLOR" in variables:
        return Missing(
            "another color",
            (Words("COLOR is {value} in it, not blue."), Words("Remove it, and make it anew.")),
            {"value": variables["COLOR"]},
        )
    return Missing(
        "no color",
        (
            Words("Its program has no variable COLOR."),
            Words("The API calls them `Env`, a list of words with an equals sign: `NAME=value`."),
        ),
    )


def _works_in_tmp(client: Any) -> Missing | None:
    folder = _config(client, "twin")["WorkingDir"] or "/"
    if folder == "/tmp":
        return None
    return Missing(
        "another folder",
        (
            Words("Its program begins in {folder}."),
            Words("The API calls it `WorkingDir`."),
        ),
        {"folder": folder},
    )


def _solve_twin(client: Any) -> None:
    client.api.create_container(_IMAGE, name="twin", environment=["COLOR=blue"], working_dir="/tmp")


def _was_called_before(client: Any) -> Missing | None:
    id = container(client, "after")["Id"]  # type: ignore[index]
    told = client.api.events(
        since=0, until=f"{time.time():.9f}", filters={"container": id, "event": "rename"}, decode=True
    )
    old = [event["Actor"]["Attributes"].get("oldName", "").lstrip("/") for event in told]
    if "before" in old:
        return None
    if old:
        return Missing(
            "another name before",
            (Words("It was called {old} before."), Words("It has to be called `before` first, and `after` then.")),
            {"old": old[-1]},
        )
    return Missing(
        "never renamed",
        (
            Words("It has been called `after` from the beginning."),
            Words("Make a container named `before`, and then give it another name: there is a request for that."),
        ),
    )


def _solve_rename(client: Any) -> None:
    made = client.containers.create(_IMAGE, name="before")
    made.rename("after")


EXERCISES = (
    Exercise(
        "04.1",
        Words("a container by hand"),
        (container_is_there("raw"), Step(Words("it carries the label made-by=hand"), _carries_the_label)),
        _solve_raw,
        remove_containers("raw"),
    ),
    Exercise(
        "04.2",
        Words("the API's words"),
        (
            container_is_there("twin"),
            Step(Words("COLOR is blue in it"), _has_the_color),
            Step(Words("it begins in /tmp"), _works_in_tmp),
        ),
        _solve_twin,
        remove_containers("twin"),
    ),
    Exercise(
        "04.3",
        Words("what the engine tells"),
        (container_is_there("after"), Step(Words("it was called before, before"), _was_called_before)),
        _solve_rename,
        remove_containers("before", "after"),
    ),
)
