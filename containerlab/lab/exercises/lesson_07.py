"""Lesson 7: the Dockerfile."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from typing import Any

import docker.errors

from containerlab.client import lab_get
from containerlab.lab.exercises.looking import image, image_is_there, remove_images
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_REPORT = "Emma: "
_SLIM_LIMIT = 4_000_000
_TOKEN = b"open-sesame"
_PROOF = hashlib.sha256(_TOKEN + b"\n").hexdigest()
_MOST_BYTES = 1 << 20
_LONGEST_S = 20
_PROGRAM = "/app/report.py"
_FIND_PACKAGE = ["python3", "-B", "-c", "import shelf; print(shelf.__file__)"]


def _build(client: Any, tag: str, *lines: str) -> None:
    client.images.build(fileobj=io.BytesIO("\n".join(lines).encode()), tag=tag, rm=True)


def _ran(client: Any, name: str, command: Sequence[str] | None = None) -> tuple[int, str]:
    """The exit code and the output of an image's program, or of ``command`` in its place; one that goes on is ended."""
    entrypoint = {} if command is None else {"entrypoint": command[0], "command": list(command[1:])}
    try:
        container = client.containers.create(name, network_mode="none", **entrypoint)
    except docker.errors.APIError as error:  # an image without any program
        return 127, str(error.explanation)
    try:
        container.start()
        code = int(container.wait(timeout=_LONGEST_S)["StatusCode"])
        return code, container.logs(stdout=True, stderr=False, tail=100).decode(errors="replace")
    except (docker.errors.APIError, OSError) as error:
        return 127, str(error)
    finally:
        container.remove(force=True, v=True)


def _file(client: Any, name: str, path: str) -> str | None:
    """What stands in a file of an image, its first megabyte; None where there is none."""
    made = client.api.create_container(name, command=["true"])
    try:
        pieces, _ = client.api.get_archive(made["Id"], path)
        packed = io.BytesIO(b"".join(pieces))
        with tarfile.open(fileobj=packed) as archive:
            member = archive.next()
            content = archive.extractfile(member) if member is not None and member.isfile() else None
            return None if content is None else content.read(_MOST_BYTES).decode(errors="replace")
    except docker.errors.NotFound:
        return None
    finally:
        client.api.remove_container(made["Id"], v=True)


def _prints_the_report(client: Any) -> Missing | None:
    code, output = _ran(client, "quick:1")
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


def _made_in(client: Any, name: str, path: str) -> int:
    """The number of the layer that a file of an image was made in, from 1; 0 where there is no such file."""
    try:
        made_by = lab_get(client, "/containerlab/where", image=name, path=path)["made_by"]
    except docker.errors.NotFound:
        return 0
    return int(made_by["number"]) if made_by else 0


def _packages_come_first(client: Any) -> Missing | None:
    program = _made_in(client, "quick:1", _PROGRAM)
    if not program:
        return Missing(
            "another place",
            (
                Words("There is no {path} in quick:1."),
                Words("`COPY report.py /app/` puts it there."),
            ),
            {"path": _PROGRAM},
        )
    code, found = _ran(client, "quick:1", _FIND_PACKAGE)
    package = 0 if code else _made_in(client, "quick:1", found.strip())
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
    report = _file(client, "slim:1", "/report.txt")
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
    proof = _file(client, "proof:1", "/proof")
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
        last = piece[-len(_TOKEN) :]
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
