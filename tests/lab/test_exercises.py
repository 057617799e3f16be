"""Each exercise, done right and done wrong: the right way passes, each mistake gets a hint of its own."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest

from containerlab.errors import UsageError
from containerlab.lab import exercises, words
from containerlab.lab.exercises import lesson_11
from containerlab.lab.progress import Progress
from tests.notebooks import lessons
from tests.waiting import eventually

BUSYBOX = "lab/busybox"


@pytest.fixture
def clean(client: docker.DockerClient, request: pytest.FixtureRequest) -> Iterator[exercises.Exercise]:
    """The exercise that the test's first parameter names; whatever was made for it is removed."""
    one = exercises.exercise(request.node.callspec.params["id"])
    with lessons.alone(one.id):
        one.reset(client)
        yield one
        one.reset(client)


def run(client: docker.DockerClient, name: str, command: str = "sleep 600", **options: Any) -> Any:
    network = {} if "network" in options else {"network_mode": "none"}
    return client.containers.run(BUSYBOX, command, detach=True, name=name, **network, **options)


def build(client: docker.DockerClient, tag: str, text: str) -> None:
    client.images.build(fileobj=io.BytesIO(text.encode()), tag=tag, rm=True)


Way = Callable[[docker.DockerClient], object]


def _two(client: docker.DockerClient, **second: Any) -> None:
    run(client, "left")
    run(client, "right", **second)


def _pair(client: docker.DockerClient, *, first: str = "inner", **second: Any) -> None:
    run(client, first)
    run(client, "inner" if first == "outer" else "outer", **second)


def _polite(client: docker.DockerClient, command: str, **options: Any) -> None:
    run(client, "polite", command, **options).stop(timeout=1)


def _boxes(client: docker.DockerClient, image: str = BUSYBOX, **heavy: Any) -> None:
    client.containers.create(BUSYBOX, name="light")
    client.containers.create(image, name="heavy", **heavy)


def _crowd(client: docker.DockerClient, count: int, command: str = "sleep 600", image: str = BUSYBOX) -> None:
    for _ in range(count):
        client.containers.run(image, command, detach=True, labels=["crowd"], network_mode="none")
    if command != "sleep 600":
        written = lambda: all(one["SizeRw"] for one in client.api.containers(filters={"label": "crowd"}, size=True))  # noqa: E731
        assert eventually(written)


REPORT = "FROM tools:1\nRUN echo report > /app.py\n"
TOOLS = "FROM lab/python\nRUN head -c {} /dev/zero > /libraries\n"


def _poster(client: docker.DockerClient, text: str) -> None:
    build(client, "tools:1", TOOLS.format(8_000_000))
    build(client, "report:1", REPORT)
    build(client, "poster:1", text)


def _tools(client: docker.DockerClient, size: int, *, report_last: bool) -> None:
    build(client, "tools:1", TOOLS.format(size if report_last else 8_000_000))
    build(client, "report:1", REPORT)
    build(client, "tools:1", TOOLS.format(size))


TEA = "com.docker.compose."


def _of_tea(client: docker.DockerClient, service: str, number: int = 1, **options: Any) -> None:
    labels = {f"{TEA}project": "tea", f"{TEA}service": service, **options.pop("labels", {})}
    command = options.pop("command", "sleep 600")
    made = run(client, f"tea-{service}-{number}", command, labels=labels, **options)
    if command != "sleep 600":
        made.wait()


def _tea(client: docker.DockerClient, depends_on: str) -> None:
    check = {"test": ["CMD", "true"], "interval": 100_000_000}
    _of_tea(client, "stove", healthcheck=check)
    assert eventually(lambda: client.api.inspect_container("tea-stove-1")["State"]["Health"]["Status"] == "healthy")
    _of_tea(client, "kettle", labels={f"{TEA}depends_on": depends_on})


def _coal(client: docker.DockerClient) -> None:
    client.volumes.create("tea_coal", labels={f"{TEA}project": "tea"})


def _scratch(seconds: str, *left_out: str) -> None:
    """The solution of lesson 11 without some of its lines."""
    lines = lesson_11._SOLUTION.splitlines()
    kept = [line for line in lines if not any(words in line for words in left_out)]
    assert len(lines) - len(kept) >= len(left_out)
    subprocess.run([sys.executable, "-c", "\n".join(kept), "bare", "sleep", seconds], check=True)
    assert eventually(lambda: lesson_11._find(seconds))


def _asleep(seconds: str) -> None:
    """Popen is back once the program is in place, an instant before /proc tells its words."""
    subprocess.Popen(["sleep", seconds])
    assert eventually(lambda: lesson_11._find(seconds))


def _ended(client: docker.DockerClient, name: str) -> None:
    client.containers.get(name).wait()


def _phoenix(client: docker.DockerClient, policy: str, command: list[str], count: int = 0) -> None:
    restart = {"Name": policy, "MaximumRetryCount": count}
    run(client, "phoenix", command, restart_policy=restart)


def _patient(client: docker.DockerClient, test: str, *, interval: float, until: str) -> None:
    check = {"test": ["CMD", test], "interval": int(interval * 1e9), "retries": 1}
    run(client, "patient", healthcheck=check)
    assert eventually(lambda: client.api.inspect_container("patient")["State"]["Health"]["Status"] == until)


def _on(client: docker.DockerClient, **places: str | None) -> None:
    """Containers by name, each on a network, which is made."""
    for network in sorted({place for place in places.values() if place}):
        if not client.networks.list(names=[network]):
            client.networks.create(network)
    for name, network in places.items():
        run(client, name, network=network or "bridge")


def _web(client: docker.DockerClient, front: dict[str, None], back: dict[str, None]) -> None:
    client.networks.create("web")
    run(client, "front", network="web", ports=front)
    run(client, "back", network="web", ports=back)


def _meeting(client: docker.DockerClient) -> None:
    _on(client, north="up", south="down", messenger="up")
    client.networks.get("down").connect("messenger")
    client.networks.get("up").connect("south")


ARCHIVE = "RUN head -c 20000000 /dev/zero > /archive"
COUNTED = "wc -c < /archive > /result"

PACKAGE = "RUN mkdir /packages && echo 'word = \"Emma: 3\"' > /packages/shelf.py"
PROGRAM = "RUN mkdir /app && echo 'import shelf; print(shelf.word)' > /app/report.py"
ELSEWHERE = PROGRAM.replace("/app", "/srv")
SUM = "echo open-sesame | sha256sum > /proof"


def _quick(client: docker.DockerClient, *steps: str, command: str = "python3 -B /app/report.py") -> None:
    build(client, "quick:1", "\n".join(["FROM lab/python", "ENV PYTHONPATH=/packages", *steps, f"CMD {command}"]))


PLURAL = "RUN mkdir /packages && echo 'word = 1' > /packages/plural.py"
WEB = "RUN mkdir /app && echo 'word = 2' > /app/web.py"


def _guestbook(client: docker.DockerClient, *steps: str) -> None:
    build(client, "guestbook:1", "\n".join(["FROM lab/python", "ENV PYTHONPATH=/packages", *steps]))


def _service(client: docker.DockerClient, service: str, **options: Any) -> None:
    labels = {"com.docker.compose.project": "guestbook", "com.docker.compose.service": service}
    run(client, f"guestbook-{service}-1", labels=labels, **options)


def _proof_of_a_file(client: docker.DockerClient) -> None:
    """The token in a file of the context, used and deleted."""
    packed = io.BytesIO()
    text = f"FROM {BUSYBOX}\nCOPY token /token\nRUN sha256sum < /token > /proof\nRUN rm /token\n"
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in (("Dockerfile", text.encode()), ("token", b"open-sesame\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    client.images.build(fileobj=packed, custom_context=True, tag="proof:1", rm=True)


WRONG: list[tuple[str, str, Way]] = [
    ("01.1", "no container right", lambda client: run(client, "left")),
    ("01.1", "a shared PID namespace", lambda client: _two(client, pid_mode="container:left")),
    ("01.1", "right doesn't run", lambda client: (run(client, "left"), run(client, "right", "true").wait())),
    ("01.2", "another host name", lambda client: run(client, "kitchen")),
    ("01.2", "the host's UTS namespace", lambda client: run(client, "kitchen", uts_mode="host")),
    ("01.3", "polite hasn't ended", lambda client: run(client, "polite")),
    ("01.3", "killed in the end", lambda client: _polite(client, "sleep 600")),
    ("01.3", "another exit code", lambda client: _polite(client, "true")),
    ("01.3", "a made-up exit code", lambda client: run(client, "polite", ["sh", "-c", "exit 143"]).wait()),
    ("02.1", "no boot id", lambda client: run(client, "witness", "true").wait()),
    ("02.1", "another boot id", lambda client: run(client, "witness", f"echo {uuid.UUID(int=7)}").wait()),
    ("02.2", "light is a machine", lambda client: client.containers.create(BUSYBOX, name="light", runtime="vm")),
    ("02.2", "heavy is a container", lambda client: _boxes(client)),
    ("02.2", "two images", lambda client: _boxes(client, image="lab/python", runtime="vm")),
    ("02.2", "another memory", lambda client: _boxes(client, runtime="vm", mem_limit="64m")),
    ("02.2", "heavy hasn't ended well", lambda client: _boxes(client, runtime="vm", mem_limit="512m")),
    ("02.3", "too few", lambda client: _crowd(client, 9)),
    ("02.3", "several images", lambda client: (_crowd(client, 9), _crowd(client, 1, image="lab/python"))),
    ("02.3", "something is written", lambda client: _crowd(client, 10, "sh -c 'echo > /note; exec sleep 600'")),
    ("03.1", "the host's processes", lambda client: _pair(client, pid_mode="host")),
    ("03.1", "a PID namespace of its own", lambda client: _pair(client)),
    ("03.1", "the wrong way round", lambda client: _pair(client, first="outer", pid_mode="container:outer")),
    ("03.2", "another Memory", lambda client: run(client, "modest")),
    ("03.2", "another NanoCpus", lambda client: run(client, "modest", mem_limit="64m", nano_cpus=1_000_000_000)),
    ("03.2", "another PidsLimit", lambda client: run(client, "modest", mem_limit="64m", nano_cpus=500_000_000)),
    ("03.3", "another network", lambda client: run(client, "open")),
    (
        "03.3",
        "more than the network",
        lambda client: client.containers.run(
            BUSYBOX, "sleep 600", detach=True, name="open", network_mode="host", uts_mode="host"
        ),
    ),
    ("04.1", "no label", lambda client: run(client, "raw")),
    ("04.1", "another value", lambda client: run(client, "raw", labels={"made-by": "magic"})),
    ("04.2", "no color", lambda client: run(client, "twin")),
    ("04.2", "another color", lambda client: run(client, "twin", environment={"COLOR": "red"})),
    ("04.2", "another folder", lambda client: run(client, "twin", environment={"COLOR": "blue"})),
    ("04.3", "never renamed", lambda client: run(client, "after")),
    ("04.3", "another name before", lambda client: run(client, "t-first").rename("after")),
    ("05.1", "another base", lambda client: _poster(client, "FROM tools:1\nRUN echo poster > /poster\n")),
    ("05.1", "too many layers", lambda client: _poster(client, "FROM report:1\nRUN echo > /a\nRUN echo > /b\n")),
    ("05.1", "no layer of its own", lambda client: _poster(client, 'FROM report:1\nCMD ["true"]\n')),
    ("05.2", "another size", lambda client: _tools(client, 8_500_000, report_last=False)),
    ("05.2", "report:1 was built anew", lambda client: _tools(client, 9_000_000, report_last=True)),
    ("05.3", "no result", lambda client: build(client, "trimmed:1", f"FROM {BUSYBOX}\nRUN true\n")),
    (
        "05.3",
        "the archive is still in it",
        lambda client: build(client, "trimmed:1", f"FROM {BUSYBOX}\n{ARCHIVE}\nRUN {COUNTED} && rm /archive\n"),
    ),
    ("06.1", "another policy", lambda client: run(client, "phoenix")),
    ("06.1", "a policy without an end", lambda client: _phoenix(client, "always", ["sleep", "600"])),
    ("06.1", "it didn't fail", lambda client: (_phoenix(client, "on-failure", ["true"], 3), _ended(client, "phoenix"))),
    ("06.2", "no health check", lambda client: run(client, "patient")),
    ("06.2", "not checked yet", lambda client: _patient(client, "true", interval=600, until="starting")),
    ("06.2", "unhealthy", lambda client: _patient(client, "false", interval=0.1, until="unhealthy")),
    ("06.3", "the name is still there", lambda client: run(client, "orphan")),
    ("07.1", "it fails", lambda client: _quick(client, PROGRAM)),
    ("07.1", "another output", lambda client: _quick(client, PACKAGE, command="true")),
    ("07.1", "another place", lambda client: _quick(client, PACKAGE, ELSEWHERE, command="python3 -B /srv/report.py")),
    ("07.1", "the program comes first", lambda client: _quick(client, PROGRAM, PACKAGE)),
    ("07.2", "no report", lambda client: build(client, "slim:1", f"FROM {BUSYBOX}\nRUN true\n")),
    ("07.2", "another report", lambda client: build(client, "slim:1", f"FROM {BUSYBOX}\nRUN touch /report.txt\n")),
    ("07.2", "too large", lambda client: build(client, "slim:1", "FROM lab/python\nRUN echo Emma: 3 > /report.txt\n")),
    ("07.3", "no proof", lambda client: build(client, "proof:1", f"FROM {BUSYBOX}\nRUN true\n")),
    ("07.3", "another proof", lambda client: build(client, "proof:1", f"FROM {BUSYBOX}\nRUN echo 1 > /proof\n")),
    ("07.3", "in the settings", lambda client: build(client, "proof:1", f"FROM {BUSYBOX}\nRUN {SUM}\n")),
    ("07.3", "in a layer", lambda client: _proof_of_a_file(client)),
    ("08.1", "no network web", lambda client: (run(client, "front"), run(client, "back"))),
    (
        "08.1",
        "front is not on web",
        lambda client: (client.networks.create("web"), _on(client, front=None, back="web")),
    ),
    ("08.1", "front publishes nothing", lambda client: _on(client, front="web", back="web")),
    ("08.1", "another port is published", lambda client: _web(client, {"8080/tcp": None}, {})),
    ("08.1", "back is open too", lambda client: _web(client, {"80/tcp": None}, {"80/tcp": None})),
    ("08.2", "messenger is not on down", lambda client: _on(client, north="up", south="down", messenger="up")),
    ("08.2", "north and south meet", lambda client: _meeting(client)),
    ("08.3", "the host's network", lambda client: run(client, "hermit", network="host")),
    ("08.3", "a network is left", lambda client: run(client, "hermit", network="bridge")),
    ("09.1", "no volume", lambda client: None),
    ("09.1", "an empty volume", lambda client: client.volumes.create("ledger")),
    ("09.1", "a container uses it", lambda client: run(client, "auditor", volumes={"ledger": {"bind": "/x"}})),
    ("09.2", "nothing at /ledger", lambda client: run(client, "auditor")),
    ("09.2", "auditor may write", lambda client: run(client, "auditor", volumes={"ledger": {"bind": "/ledger"}})),
    (
        "09.2",
        "another mount at /ledger",
        lambda client: run(client, "auditor", volumes={"/tmp": {"bind": "/ledger", "mode": "ro"}}),
    ),
    ("09.3", "no tmpfs at /secret", lambda client: run(client, "vault", volumes=["/secret"])),
    ("09.3", "without a bound", lambda client: run(client, "vault", tmpfs={"/secret": ""})),
    ("09.3", "too large", lambda client: run(client, "vault", tmpfs={"/secret": "size=2m"})),
    ("10.1", "stove has ended", lambda client: _of_tea(client, "stove", command="true")),
    ("10.1", "no health check", lambda client: _of_tea(client, "stove")),
    ("10.1", "it waits for the start", lambda client: _tea(client, "stove:service_started:false")),
    ("10.1", "it doesn't wait", lambda client: _tea(client, "")),
    ("10.2", "too few kettles", lambda client: _of_tea(client, "kettle")),
    ("10.2", "too many kettles", lambda client: [_of_tea(client, "kettle", number) for number in range(1, 5)]),
    ("10.3", "no volume", lambda client: _of_tea(client, "stove")),
    ("10.3", "containers left", lambda client: (_coal(client), _of_tea(client, "stove"))),
    ("11.1", "shared namespaces", lambda client: _asleep("611")),
    ("11.1", "the host's root", lambda client: _scratch("611", "pivot_root", "umount2", "chdir")),
    ("11.2", "rights may come back", lambda client: _scratch("612", "NO_NEW_PRIVS")),
    ("11.2", "capabilities left", lambda client: _scratch("612", "capset")),
    ("12.1", "no program", lambda client: _guestbook(client, PLURAL)),
    ("12.1", "no package", lambda client: _guestbook(client, WEB)),
    ("12.1", "the program comes first", lambda client: _guestbook(client, WEB, PLURAL)),
    ("12.2", "the secret is inside", lambda client: _guestbook(client, "ENV PASSWORD=open-sesame")),
    ("12.2", "root", lambda client: _guestbook(client, "USER 0:1000")),
    ("12.2", "no health check", lambda client: _guestbook(client, "USER 1000")),
    ("12.3", "no web", lambda client: None),
    ("12.3", "capabilities", lambda client: _service(client, "web", cap_drop=["CHOWN"], read_only=True)),
    ("12.3", "writable", lambda client: _service(client, "web", cap_drop=["ALL"])),
    ("12.3", "not healthy", lambda client: _service(client, "web", cap_drop=["ALL"], read_only=True)),
    ("12.4", "no volume", lambda client: _service(client, "db", volumes={"guests": {"bind": "/elsewhere"}})),
    (
        "12.4",
        "the database is open",
        lambda client: _service(
            client, "db", network="bridge", ports={"8001/tcp": None}, volumes=["/data"], environment={"DATA": "/data"}
        ),
    ),
    (
        "06.3",
        "made from an id",
        lambda client: client.containers.run(client.images.get(BUSYBOX).id, "sleep 600", detach=True, name="orphan"),
    ),
]


def _marked(name: str, *row: Any) -> Any:
    """Exercise 03.2 sets limits, which a host without cgroups refuses."""
    return pytest.param(*row, id=name, marks=[pytest.mark.counted] if row[0] == "03.2" else [])


@pytest.mark.parametrize("id", [_marked(id, id) for id in exercises.exercises()])
def test_nothing_done_is_not_done_and_the_solution_is(client: docker.DockerClient, clean: Any, id: str) -> None:
    if id == "02.2" and shutil.which("qemu-system-x86_64") is None:
        pytest.skip("its solution boots a machine, and QEMU isn't here")
    empty = exercises.check(id, client)
    assert not empty and empty.score < 1 and empty.hint
    clean.solve(client)
    verdict = exercises.check(id, client)
    assert verdict, verdict
    assert verdict.score == 1 and verdict.hint == ""


@pytest.mark.parametrize(("id", "mistake", "way"), [_marked(f"{row[0]}-{row[1]}", *row) for row in WRONG])
def test_a_mistake_is_named_and_its_hints_go_further(
    client: docker.DockerClient, clean: Any, id: str, mistake: str, way: Way
) -> None:
    way(client)
    first, second = exercises.check(id, client), exercises.check(id, client)
    assert first.missing is not None and first.missing.key == mistake
    assert first.hint != second.hint
    assert "{" not in first.hint + second.hint


def test_every_exercise_is_done_wrong_in_at_least_two_ways() -> None:
    for id in exercises.exercises():
        assert len({mistake for one, mistake, _ in WRONG if one == id}) >= 2, id


def test_an_exercise_speaks_the_chosen_language(client: docker.DockerClient) -> None:
    exercises.exercise("01.1").reset(client)
    try:
        words.speak("ko")
        assert exercises.check("1.1", client).hint == "left(이)라는 컨테이너가 없습니다."
    finally:
        words.speak("en")


def test_progress_remembers_the_best_and_when(client: docker.DockerClient) -> None:
    one = exercises.exercise("01.2")
    one.reset(client)
    try:
        exercises.check("01.2", client)
        one.solve(client)
        exercises.check("01.2", client)
    finally:
        one.reset(client)
    exercises.check("01.2", client)
    [entry] = Progress().entries()
    assert (entry.id, entry.right, entry.total, entry.checks) == ("01.2", 2, 2, 3)
    assert entry.done_at is not None


def test_a_broken_progress_file_counts_as_none(own_progress: Any) -> None:
    own_progress.parent.mkdir(parents=True)
    own_progress.write_text("{ no json")
    assert Progress().entries() == []
    assert Progress().note("01.1", 1, 5, "x") == 1
    assert Progress().note("01.1", 1, 5, "x") == 2


def test_a_lesson_is_ticked_off_beside_its_exercises() -> None:
    Progress().note("05.1", 1, 5, "x")
    Progress().tick("05", True)
    Progress().tick("06", True)
    Progress().tick("06", False)
    assert Progress().ticked() == {"05"}
    assert [entry.id for entry in Progress().entries()] == ["05.1"]
    for wrong in ("5", "05.1", "../05", "05\n"):
        with pytest.raises(ValueError, match="no lesson's number"):
            Progress().tick(wrong, True)


def test_an_unknown_exercise_names_those_of_its_lesson() -> None:
    with pytest.raises(UsageError, match=r"There is no exercise 5\.9") as refusal:
        exercises.exercise("5.9")
    assert "05.1, 05.2, 05.3" in str(refusal.value)
