"""Lesson 12: a program, packed with care."""

from __future__ import annotations

import io
import time
from typing import Any

import docker.errors

from containerlab.lab.audit import gives_away, is_root
from containerlab.lab.exercises.inside import made_in, ran
from containerlab.lab.exercises.looking import image, image_is_there, remove_images
from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_IMAGE = "guestbook:1"
_PROGRAM = "/app/web.py"
_SECRET = "open-sesame"
_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_FIND_PACKAGE = ["python3", "-B", "-c", "import plural; print(plural.__file__)"]


def _packages_come_first(client: Any) -> Missing | None:
    program = made_in(client, _IMAGE, _PROGRAM)
    code, found = ran(client, _IMAGE, _FIND_PACKAGE)
    package = 0 if code else made_in(client, _IMAGE, found.strip())
    if not program or not package:
        return Missing(
            "no package" if program else "no program",
            (
                Words("The program `{path}`, or the package `plural`, isn't in guestbook:1."),
                Words("`COPY` the programs to /app, and `pip install` what requirements.txt names."),
            ),
            {"path": _PROGRAM},
        )
    if package < program:
        return None
    return Missing(
        "the program comes first",
        (
            Words(
                "A change of web.py installs `plural` again: its layer {package} stands on the program's, {program}."
            ),
            Words("What changes seldom comes first: wheels and requirements, `pip install`, and then the programs."),
        ),
        {"program": program, "package": package},
    )


def _is_not_root(client: Any) -> Missing | None:
    if not is_root(image(client, _IMAGE)["Config"].get("User") or ""):  # type: ignore[index]
        return None
    return Missing(
        "root",
        (
            Words("The programs run as root."),
            Words("`USER 1000` at the end of the Dockerfile. A number needs no entry in /etc/passwd."),
        ),
    )


def _has_a_check(client: Any) -> Missing | None:
    test = (image(client, _IMAGE)["Config"].get("Healthcheck") or {}).get("Test") or []  # type: ignore[index]
    if test and test[0] != "NONE":
        return None
    return Missing(
        "no health check",
        (
            Words("Nobody can tell whether the guestbook is well."),
            Words("`HEALTHCHECK --interval=1s CMD …` in the Dockerfile; a command that asks the port will do."),
        ),
    )


def _keeps_the_secret(client: Any) -> Missing | None:
    if not gives_away(client, _IMAGE, _SECRET):
        return None
    return Missing(
        "the secret is inside",
        (
            Words("The password is in guestbook:1, for everybody who has the image."),
            Words(
                "Not in `ENV`, not in a file: it comes when the container runs, from `secrets:` of the Compose file."
            ),
        ),
    )


def _service(client: Any, name: str) -> dict[str, Any] | None:
    """The first container of a service of the project ``guestbook``, as ``inspect`` gives it."""
    wanted = [f"{_PROJECT}=guestbook", f"{_SERVICE}={name}"]
    for each in client.api.containers(all=True, filters={"label": wanted}):
        found: dict[str, Any] = client.api.inspect_container(each["Id"])
        return found
    return None


def _service_runs(name: str) -> Step:
    def look(client: Any) -> Missing | None:
        found = _service(client, name)
        if found is not None and found["State"]["Running"]:
            return None
        return Missing(
            f"no {name}",
            (
                Words("The service {name} of the project guestbook doesn't run."),
                Words("`%%compose up --wait` starts it; `%compose logs {name}` says why it may have ended."),
            ),
            {"name": name},
        )

    return Step(Words("the service {name} runs"), look, {"name": name})


def _web_is_locked(client: Any) -> Missing | None:
    host: dict[str, Any] = _service(client, "web")["HostConfig"]  # type: ignore[index]
    if "ALL" not in [each.upper() for each in host.get("CapDrop") or []]:
        return Missing(
            "capabilities",
            (
                Words("The web server has capabilities that it doesn't need."),
                Words("It needs none: `cap_drop: [ALL]`."),
            ),
        )
    if host["ReadonlyRootfs"]:
        return None
    return Missing(
        "writable",
        (
            Words("Whoever breaks into the web server can change its files."),
            Words("`read_only: true`. What has to be written belongs on a volume or a tmpfs."),
        ),
    )


def _web_is_healthy(client: Any) -> Missing | None:
    status = _service(client, "web")["State"].get("Health", {}).get("Status", "none")  # type: ignore[index]
    if status == "healthy":
        return None
    return Missing(
        "not healthy",
        (
            Words("The health of the web server is: {status}."),
            Words("`%compose logs web` tells what it says; wait for the check, or run it by hand with `exec`."),
        ),
        {"status": status},
    )


def _db_remembers(client: Any) -> Missing | None:
    found: dict[str, Any] = _service(client, "db")  # type: ignore[assignment]
    environment = dict(each.partition("=")[::2] for each in found["Config"]["Env"] or [])
    place = environment.get("DATA", "/tmp")
    if any(mount["Type"] == "volume" and mount["Destination"] == place for mount in found["Mounts"]):
        return None
    return Missing(
        "no volume",
        (
            Words("The database writes to {place}, and that goes with its container."),
            Words('A volume outlives it: `volumes: ["guests:/data"]`, and `DATA: /data` in its environment.'),
        ),
        {"place": place},
    )


def _db_is_closed(client: Any) -> Missing | None:
    found: dict[str, Any] = _service(client, "db")  # type: ignore[assignment]
    if not any(found["NetworkSettings"]["Ports"].values()):
        return None
    return Missing(
        "the database is open",
        (
            Words("The database has a published port: the web server isn't the only one who can ask it."),
            Words("Services of one network reach each other without `ports:`."),
        ),
    )


def _solve_image(client: Any) -> None:
    check = "import socket; socket.create_connection(('127.0.0.1', 8000), 1)"
    lines = [
        "FROM lab/python",
        "ENV PYTHONPATH=/packages PYTHONDONTWRITEBYTECODE=1",
        "RUN mkdir /packages && echo 'word = 1' > /packages/plural.py",
        "RUN mkdir /app && echo 'import http.server as s; s.test(port=8000)' > /app/web.py",
        "USER 1000",
        f'HEALTHCHECK --interval=1s CMD ["python3", "-c", "{check}"]',
        'CMD ["python3", "/app/web.py"]',
    ]
    client.images.build(fileobj=io.BytesIO("\n".join(lines).encode()), tag=_IMAGE, rm=True)


def _run(client: Any, service: str, **options: Any) -> Any:
    labels = {_PROJECT: "guestbook", _SERVICE: service}
    name = f"guestbook-{service}-1"
    return client.containers.run(_IMAGE, detach=True, name=name, labels=labels, network_mode="none", **options)


def _solve_web(client: Any) -> None:
    _solve_image(client)
    web = _run(client, "web", read_only=True, cap_drop=["ALL"])
    deadline = time.monotonic() + 20
    while client.api.inspect_container(web.id)["State"]["Health"]["Status"] != "healthy":
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)


def _solve_db(client: Any) -> None:
    _solve_image(client)
    _run(client, "db", environment={"DATA": "/data"}, volumes={"guestbook_guests": {"bind": "/data"}})


def _forget(client: Any) -> None:
    for each in client.api.containers(all=True, filters={"label": f"{_PROJECT}=guestbook"}):
        client.api.remove_container(each["Id"], force=True, v=True)
    for remove in (client.api.remove_volume, client.api.remove_network):
        name = "guestbook_guests" if remove == client.api.remove_volume else "guestbook_default"
        try:
            remove(name)
        except docker.errors.NotFound:
            continue
    remove_images(_IMAGE)(client)


EXERCISES = (
    Exercise(
        "12.1",
        Words("a rebuild in a moment"),
        (image_is_there(_IMAGE), Step(Words("a change of the program installs nothing again"), _packages_come_first)),
        _solve_image,
        _forget,
    ),
    Exercise(
        "12.2",
        Words("an image that anyone may see"),
        (
            image_is_there(_IMAGE),
            Step(Words("it holds no password"), _keeps_the_secret),
            Step(Words("its programs aren't root"), _is_not_root),
            Step(Words("it says how to look after its health"), _has_a_check),
        ),
        _solve_image,
        _forget,
    ),
    Exercise(
        "12.3",
        Words("a web server behind locks"),
        (
            _service_runs("web"),
            Step(Words("without capabilities, on files that it can't change"), _web_is_locked),
            Step(Words("it is healthy"), _web_is_healthy),
        ),
        _solve_web,
        _forget,
    ),
    Exercise(
        "12.4",
        Words("a database that remembers"),
        (
            _service_runs("db"),
            Step(Words("its guests outlive it"), _db_remembers),
            Step(Words("only its own network can ask it"), _db_is_closed),
        ),
        _solve_db,
        _forget,
    ),
)
