"""Lesson 7: the Dockerfile."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

from containerlab.lab.exercises.inside import file_of, made_in, ran
from containerlab.lab.exercises.looking import image, image_is_there, remove_images
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_REPORT = "Emma: "
_SLIM_LIMIT = 4_000_000
_TOKEN = b"open-sesame"
_PROOF = hashlib.sha256(_TOKEN + b"\n").hexdigest()
_PROGRAM = "/app/report.py"
_FIND_PACKAGE = ["python3", "-B", "-c", "import shelf; print(shelf.__file__)"]


def _build(client: Any, tag: str, *lines: str) -> None:
    client.images.build(fileobj=io.BytesIO("\n".join(lines).encode()), tag=tag, rm=True)


def _prints_the_report(client: Any) -> Missing | None:
    code, output = ran(client, "quick:1")
    if code == 0 and _REPORT in output:
        return None
    return Missing(
        "it fails" if code else "another output",
        (
            Words("`run quick:1` doesn't print the report: it ends with exit code {code}."),
            Words("`CMD` says what an image runs. Are the program, and the packages that it needs, in the image?"),
        ),
        {"code": code},
    )


def _packages_come_first(client: Any) -> Missing | None:
    program = made_in(client, "quick:1", _PROGRAM)
    if not program:
        return Missing(
            "another place",
            (
                Words("There is no {path} in quick:1."),
                Words("`COPY report.py /app/` puts it there."),
            ),
            {"path": _PROGRAM},
        )
    code, found = ran(client, "quick:1", _FIND_PACKAGE)
    package = 0 if code else made_in(client, "quick:1", found.strip())
    if 0 < package < program:
        return None
    return Missing(
        "the program comes first",
        (
            Words("The program is in layer {program}, the package `shelf` in layer {package}: it must be below."),
            Words("A step is done again when one above it in the Dockerfile is. What should stand above what?"),
            Words("First `COPY` the requirements and the wheels, then install, and `COPY report.py` last."),
        ),
        {"program": program, "package": package or "?"},
    )


def _solve_quick(client: Any) -> None:
    shelf = (
        "class Shelf:\\n def __init__(self, books): self.books = books\\n def report(self): return str(self.books)\\n"
    )
    _build(
        client,
        "quick:1",
        "FROM lab/python",
        "ENV PYTHONPATH=/packages PYTHONDONTWRITEBYTECODE=1",
        f"RUN mkdir /packages && printf '{shelf}' > /packages/shelf.py",
        "RUN mkdir /app && printf 'from shelf import Shelf\\nprint(\"Emma: \", Shelf(3).report())\\n' > /app/report.py",
        'CMD ["python3", "/app/report.py"]',
    )


def _holds_the_report(client: Any) -> Missing | None:
    report = file_of(client, "slim:1", "/report.txt")
    if report is not None and _REPORT in report:
        return None
    return Missing(
        "no report" if report is None else "another report",
        (
            Words("slim:1 has no /report.txt that holds the report."),
            Words(
                "A stage with Python writes it: `RUN python3 /app/report.py > /report.txt`, and `COPY --from` takes it."
            ),
        ),
    )


def _is_small(client: Any) -> Missing | None:
    size = image(client, "slim:1")["Size"]  # type: ignore[index]
    if size < _SLIM_LIMIT:
        return None
    return Missing(
        "too large",
        (
            Words("slim:1 has {size} bytes, and 4,000,000 is the most."),
            Words("Only what the last `FROM` begins becomes the image. Which base is small?"),
            Words("`FROM lab/busybox`, and `COPY --from=` the stage that wrote the report."),
        ),
        {"size": f"{size:,}"},
    )


def _solve_slim(client: Any) -> None:
    _build(
        client,
        "slim:1",
        "FROM lab/python AS pages",
        "RUN python3 -B -c \"print('Emma: 3 copies')\" > /report.txt",
        "FROM lab/busybox",
        "COPY --from=pages /report.txt /report.txt",
    )


def _holds_the_proof(client: Any) -> Missing | None:
    proof = file_of(client, "proof:1", "/proof")
    if proof is not None and proof.split()[:1] == [_PROOF]:
        return None
    return Missing(
        "no proof" if proof is None else "another proof",
        (
            Words("proof:1 has no /proof with the sum of the token and a line's end."),
            Words("In a build that sees the token as a file: `sha256sum < FILE > /proof`. It begins with {start}."),
        ),
        {"start": _PROOF[:8]},
    )


def _settings_keep_quiet(client: Any) -> Missing | None:
    known = [client.api.inspect_image("proof:1"), client.api.history("proof:1")]
    if _TOKEN.decode() not in json.dumps(known):
        return None
    return Missing(
        "in the settings",
        (
            Words("The token stands in the image's settings or history: `history --no-trunc proof:1` shows it."),
            Words("`ARG`, `ENV` and the text of each `RUN` are written down. The token must come as a file."),
        ),
    )


def _layers_keep_quiet(client: Any) -> Missing | None:
    last = b""
    for piece in client.api.get_image("proof:1"):
        if _TOKEN in last + piece:
            return Missing(
                "in a layer",
                (
                    Words("The token is still in one of the layers, whether you see its file or not."),
                    Words("What one step writes, a later one can only hide. `RUN --mount=type=secret` writes nothing."),
                ),
            )
        last = (last + piece)[-len(_TOKEN) :]
    return None


def _solve_proof(client: Any) -> None:
    """In an earlier stage, which no engine keeps in the image: docker-py has no secrets."""
    _build(
        client,
        "proof:1",
        "FROM lab/busybox AS sum",
        f"RUN echo {_TOKEN.decode()} | sha256sum > /proof",
        "FROM lab/busybox",
        "COPY --from=sum /proof /proof",
    )


EXERCISES = (
    Exercise(
        "07.1",
        Words("what changes seldom comes first"),
        (
            image_is_there("quick:1"),
            Step(Words("it prints the report"), _prints_the_report),
            Step(Words("a change of the program installs nothing again"), _packages_come_first),
        ),
        _solve_quick,
        remove_images("quick:1"),
    ),
    Exercise(
        "07.2",
        Words("the tools stay behind"),
        (
            image_is_there("slim:1"),
            Step(Words("the report is in it"), _holds_the_report),
            Step(Words("it has less than 4 MB"), _is_small),
        ),
        _solve_slim,
        remove_images("slim:1"),
    ),
    Exercise(
        "07.3",
        Words("a secret that leaves no trace"),
        (
            image_is_there("proof:1"),
            Step(Words("the proof is in it"), _holds_the_proof),
            Step(Words("settings and history don't hold the token"), _settings_keep_quiet),
            Step(Words("no layer holds the token"), _layers_keep_quiet),
        ),
        _solve_proof,
        remove_images("proof:1"),
    ),
)
