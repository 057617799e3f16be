"""Lesson 5: images and layers."""

from __future__ import annotations

import io
from typing import Any

import docker.errors

from containerlab.lab.exercises.looking import image, image_is_there, remove_images
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.sharing import read_sharing
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_NINE_MB = 9_000_000
_TRIMMED_LIMIT = 10_000_000


def _layers(client: Any, name: str) -> list[str]:
    found = image(client, name)
    return [] if found is None else list(found["RootFS"].get("Layers") or [])


def _build(client: Any, tag: str, *lines: str) -> None:
    client.images.build(fileobj=io.BytesIO("\n".join(lines).encode()), tag=tag, rm=True)


def _ensure_report(client: Any) -> None:
    """The images that the lesson has made by then."""
    if image(client, "tools:1") is None:
        _build(client, "tools:1", "FROM lab/python", "RUN head -c 8000000 /dev/zero > /libraries")
    if image(client, "report:1") is None:
        _build(client, "report:1", "FROM tools:1", "RUN echo 'print(\"the report\")' > /app.py")


def _one_more_layer(client: Any) -> Missing | None:
    below, above = _layers(client, "report:1"), _layers(client, "poster:1")
    if not below or above[: len(below)] != below:
        return Missing(
            "another base",
            (
                Words("poster:1 doesn't stand on report:1."),
                Words("What an image stands on is its first line: `FROM report:1`."),
            ),
        )
    more = len(above) - len(below)
    if more == 1:
        return None
    return Missing(
        "no layer of its own" if not more else "too many layers",
        (
            Words("It has {more} layers more than report:1; one file needs one."),
            Words("Each `RUN`, `COPY` and `ADD` makes a layer, `CMD` and `ENV` make none. One line makes the file."),
        ),
        {"more": more},
    )


def _solve_poster(client: Any) -> None:
    _ensure_report(client)
    _build(client, "poster:1", "FROM report:1", "RUN echo poster > /poster")


def _tools_have_nine(client: Any) -> Missing | None:
    [tools] = read_sharing(client, ["tools:1"]).images
    size = tools.layers[-1].size if tools.layers else 0
    if size == _NINE_MB:
        return None
    return Missing(
        "another size",
        (
            Words("The uppermost layer of tools:1 has {size} bytes, not 9,000,000."),
            Words("Change the number in `head -c`, and build under the same name."),
        ),
        {"size": f"{size:,}"},
    )


def _report_stays_on_the_old(client: Any) -> Missing | None:
    tools, report = _layers(client, "tools:1"), _layers(client, "report:1")
    if report and report[: len(tools)] != tools:
        return None
    return Missing(
        "report:1 was built anew",
        (
            Words("report:1 stands on the new tools:1: it was built anew, too."),
            Words("The question is what happens to an image that isn't. Build both with 8 MB, then tools:1 alone."),
        ),
    )


def _solve_tools(client: Any) -> None:
    _ensure_report(client)
    _build(client, "tools:1", "FROM lab/python", "RUN head -c 9000000 /dev/zero > /libraries")


def _holds_the_result(client: Any) -> Missing | None:
    made = client.api.create_container("trimmed:1", command=["true"])
    try:
        client.api.get_archive(made["Id"], "/result")[0].close()
    except docker.errors.NotFound:
        return Missing(
            "no result",
            (
                Words("trimmed:1 has no file /result."),
                Words("The count is the point of it all: `wc -c < /archive > /result`."),
            ),
        )
    finally:
        client.api.remove_container(made["Id"], v=True)
    return None


def _wastes_nothing(client: Any) -> Missing | None:
    [trimmed] = read_sharing(client, ["trimmed:1"]).images
    own = sum(layer.size for layer in trimmed.layers[1:])
    if own < _TRIMMED_LIMIT:
        return None
    return Missing(
        "the archive is still in it",
        (
            Words("Its own layers hold {own} bytes: the archive is still in one of them."),
            Words("A layer keeps what is there when its step ends. In which step is the archive deleted?"),
            Words("Fetch, use and delete in one `RUN`, joined with `&&`."),
        ),
        {"own": f"{own:,}"},
    )


def _solve_trimmed(client: Any) -> None:
    step = "RUN head -c 20000000 /dev/zero > /archive && wc -c < /archive > /result && rm /archive"
    _build(client, "trimmed:1", "FROM lab/busybox", step)


EXERCISES = (
    Exercise(
        "05.1",
        Words("one more layer"),
        (image_is_there("poster:1"), Step(Words("it is report:1 and one layer"), _one_more_layer)),
        _solve_poster,
        remove_images("poster:1"),
    ),
    Exercise(
        "05.2",
        Words("a base that changes"),
        (
            image_is_there("tools:1"),
            Step(Words("tools:1 holds 9 MB"), _tools_have_nine),
            image_is_there("report:1"),
            Step(Words("report:1 stands on what it was built on"), _report_stays_on_the_old),
        ),
        _solve_tools,
        remove_images("report:1", "tools:1"),
    ),
    Exercise(
        "05.3",
        Words("an image without ballast"),
        (
            image_is_there("trimmed:1"),
            Step(Words("the result is in it"), _holds_the_result),
            Step(Words("the archive isn't"), _wastes_nothing),
        ),
        _solve_trimmed,
        remove_images("trimmed:1"),
    ),
)
