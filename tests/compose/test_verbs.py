"""The verbs on small projects, as docker compose does them."""

from __future__ import annotations

import json
import signal
import time

import pytest

from containerlab.compose import labels
from containerlab.errors import (
    ComposeError,
    ContainerlabError,
    HostLacks,
    InvalidParameter,
    NotFound,
    StartFailed,
    UsageError,
)
from tests.compose.conftest import Project

IDLE = 'sh -c "trap exit TERM; while :; do sleep 0.1; done"'
TWO = f"""
x-idle: &idle {{image: lab/busybox, command: {IDLE!r}}}
services:
  db: {{<<: *idle, volumes: ["data:/data", /kept]}}
  web: {{<<: *idle, depends_on: [db], environment: {{STEP: "${{STEP:-1}}"}}}}
volumes: {{data: {{}}}}
"""


def idle(**services: str) -> str:
    """A file of services that do nothing until they are asked to end; each with more of its own."""
    lines = [
        f"  {name}: {{image: lab/busybox, network_mode: none, command: {IDLE!r}{more}}}"
        for name, more in services.items()
    ]
    return "services:\n" + "\n".join(lines) + "\n"


def test_up_makes_what_the_file_says_under_dockers_names_and_labels(project: Project) -> None:
    project.write(TWO)
    project("up -d")
    there = project.containers()
    assert sorted(there) == ["db-1", "web-1"]
    said = there["web-1"].labels
    assert said[labels.PROJECT] == project.name and said[labels.SERVICE] == "web" and said[labels.NUMBER] == "1"
    assert said[labels.ONEOFF] == "False" and said[labels.WORKING_DIR] == str(project.folder)
    assert said[labels.CONFIG_FILES] == str(project.folder / "compose.yaml")
    assert said[labels.DEPENDS_ON] == "db:service_started:false" and len(said[labels.HASH]) == 64
    assert said[labels.IMAGE] == there["web-1"].attrs["Image"]
    network = project.client.networks.get(f"{project.name}_default")
    assert network.attrs["Labels"][labels.NETWORK] == "default"
    assert project.client.volumes.get(f"{project.name}_data").attrs["Labels"][labels.VOLUME] == "data"
    assert f" Container {project.name}-web-1  Started" in project.told
    assert project.told.index("db-1  Started") < project.told.index("web-1  Starting")


def test_up_again_changes_nothing_and_a_change_its_service_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(TWO)
    project("up -d")
    before = project.ids()
    project("exec -T db sh -c 'echo 1 > /kept/file; echo 2 > /data/file'")
    project("up -d")
    assert project.ids() == before and f" Container {project.name}-db-1  Running" in project.told
    monkeypatch.setenv("STEP", "2")
    project("up -d -t 1")
    after = project.ids()
    assert after["db-1"] == before["db-1"] and after["web-1"] != before["web-1"]
    assert f" Container {project.name}-web-1  Recreated" in project.told and sorted(after) == ["db-1", "web-1"]

    project("up -d -t 1 --force-recreate --no-deps db")
    assert project.ids()["db-1"] != before["db-1"]
    project("exec -T db cat /kept/file /data/file")
    assert project.out == "1\n2\n", "an anonymous volume goes on with the new container"
    project("up -d -t 1 --force-recreate -V db")
    assert project("exec -T db cat /kept/file").exit_code == 1
    project("exec -T db cat /data/file")
    assert project.out == "2\n"


def test_scaled_services_are_made_anew_one_by_one(lone_project: Project) -> None:
    lone_project.write(idle(web=", environment: {A: '1'}"))
    lone_project("up -d --scale web=3")
    assert sorted(lone_project.containers()) == ["web-1", "web-2", "web-3"]
    lone_project.write(idle(web=", environment: {A: '2'}"))
    began = time.time()
    lone_project("up -d -t 1 --scale web=3")
    events = lone_project.client.api.events(
        since=began, until=time.time(), decode=True,
        filters={"label": f"com.docker.compose.project={lone_project.name}", "event": ["start", "die"]},
    )  # fmt: skip
    running, least = 3, 3
    for event in events:
        running += 1 if event["Action"] == "start" else -1
        least = min(least, running)
    assert running == 3 and least == 2
    lone_project("up -d --scale web=1")
    assert sorted(lone_project.containers()) == ["web-1"]
    lone_project("scale web=2")
    assert sorted(lone_project.containers()) == ["web-1", "web-2"]


def test_secrets_and_configs_of_every_kind_are_read_only_files(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "from the environment")
    (project.folder / "word.txt").write_text("from a file")
    project.write(
        f"""
services:
  web:
    image: lab/busybox
    network_mode: none
    command: {IDLE!r}
    secrets: [file, variable]
    configs: [{{source: text, target: /etc/app/text.conf, mode: 0400}}]
secrets:
  file: {{file: ./word.txt}}
  variable: {{environment: WORD}}
configs:
  text: {{content: "from the file itself"}}
"""
    )
    project("up -d")
    project("exec -T web sh -c 'cat /run/secrets/file; echo; cat /run/secrets/variable; echo; cat /etc/app/text.conf'")
    assert project.out.splitlines() == ["from a file", "from the environment", "from the file itself"]
    project("exec -T web stat -c %a /run/secrets/variable /etc/app/text.conf")
    assert project.out.split() == ["444", "400"]
    assert project("exec -T web sh -c 'echo > /run/secrets/file'").exit_code != 0


def test_a_dependency_that_is_unhealthy_or_fails_is_named_and_the_next_is_not_started(lone_project: Project) -> None:
    lone_project.write(
        idle(
            db=", healthcheck: {test: [CMD, 'false'], interval: 100ms, retries: 1}",
            web=", depends_on: {db: {condition: service_healthy}}",
        )
    )
    with pytest.raises(
        StartFailed, match=rf"dependency failed to start: container {lone_project.name}-db-1 is unhealthy"
    ):
        lone_project("up -d")
    assert lone_project.containers()["web-1"].status == "created"
    lone_project("down -t 0")
    lone_project.write(
        idle(web=", depends_on: {job: {condition: service_completed_successfully}}").replace(
            "services:", "services:\n  job: {image: lab/busybox, command: sh -c 'exit 3', network_mode: none}"
        )
    )
    with pytest.raises(StartFailed, match=r'service "job" didn\'t complete successfully: exit 3'):
        lone_project("up -d")
    lone_project.write(
        lone_project.folder.joinpath("compose.yaml")
        .read_text()
        .replace("_successfully", "_successfully, required: false")
    )
    lone_project("up -d")
    assert 'optional dependency "job" failed to start' in lone_project.told
    assert lone_project.containers()["web-1"].status == "running"


def test_down_removes_the_project_and_its_data_only_with_v(lone_project: Project) -> None:
    lone_project.write(TWO)
    lone_project("up -d")
    lone_project("down -t 1")
    client, name = lone_project.client, lone_project.name
    assert not lone_project.containers() and not client.networks.list(names=[f"{name}_default"])
    assert client.volumes.get(f"{name}_data")
    assert lone_project.told.index("web-1  Removed") < lone_project.told.index("db-1  Stopping")
    lone_project("up -d")
    lone_project("down -t 1 -v")
    assert f" Volume {name}_data  Removed" in lone_project.told
    assert f"{name}_data" not in [volume.name for volume in client.volumes.list()]
    lone_project("down")
    assert f'No resource found to remove for project "{name}"' in lone_project.told


def test_orphans_are_told_and_removed_when_asked(lone_project: Project) -> None:
    lone_project.write(idle(web="", old=""))
    lone_project("up -d")
    lone_project.write(idle(web=""))
    lone_project("up -d")
    assert f"Found orphan containers ([{lone_project.name}-old-1])" in lone_project.told
    assert "old-1" in lone_project.containers()
    lone_project("up -d --remove-orphans")
    assert sorted(lone_project.containers()) == ["web-1"]
    lone_project("up -d web")
    assert "orphan" not in lone_project.told


def test_builds_are_named_after_the_project_and_removed_by_rmi_local(project: Project) -> None:
    (project.folder / "Dockerfile").write_text("FROM lab/busybox\nARG WORD=none\nENV WORD=$WORD\nCMD echo $WORD\n")
    project.write("services:\n  job: {build: {context: ., args: {WORD: built}}, network_mode: none}\n")
    project("up --no-color")
    assert "job-1  | built" in project.out and "job-1 exited with code 0" in project.out
    assert "Building job" in project.told, "whose steps they are"
    image = f"{project.name}-job"
    assert project.client.images.get(image).labels[labels.SERVICE] == "job"
    before = project.ids()
    (project.folder / "Dockerfile").write_text("FROM lab/busybox\nCMD echo anew\n")
    project("up -d")
    assert project.ids() == before, "nothing is built that is there"
    project("up -d --build")
    assert project.ids() != before, "a new image makes a new container"
    project("down --rmi local")
    assert f" Image {image}  Removed" in project.told
    with pytest.raises(ContainerlabError, match="No such image"):
        project("up -d --no-build")


def test_run_is_a_container_of_its_own_with_its_dependencies_up(project: Project) -> None:
    project.write(TWO)
    result = project("run --rm -T -e WORD=said web sh -c 'echo $WORD $STEP; exit 4'")
    assert result.exit_code == 4 and project.out == "said 1\n"
    assert sorted(project.containers()) == ["db-1"], "--rm leaves none, and the service itself isn't started"
    project("run --rm -T web ping -c 1 -W 5 db")
    assert "1 packets transmitted, 1 packets received" in project.out or "1 received" in project.out
    project("down -t 1")
    project(f"run -d --no-deps --name {project.name}-aside web sleep 60")
    there = project.containers()
    assert list(there) == ["aside"] and there["aside"].labels[labels.ONEOFF] == "True"
    assert len(project("ps")) == 0 and len(project("ps -a")) == 1  # type: ignore[arg-type]
    project("down -t 1")
    assert not project.containers()


def test_looking_at_a_project(lone_project: Project) -> None:
    lone_project.write(idle(web="", db="").replace("trap", "echo up; trap"))
    lone_project("up -d --scale web=2")
    name = lone_project.name
    assert [row["name"] for row in lone_project("ps")] == [f"{name}-{one}" for one in ("db-1", "web-1", "web-2")]  # type: ignore[attr-defined]
    assert str(lone_project("ps --services")).split() == ["db", "web"]
    assert str(lone_project("ps --format '{{.Service}}={{.State}}' db")) == "db=running"
    assert json.loads(str(lone_project("ps --format json db")))["Name"] == f"{name}-db-1"
    assert len(lone_project("ps -q")) == 3  # type: ignore[arg-type]
    assert f"{name} " in str(lone_project("ls")) and "running(3)" in str(lone_project("ls"))
    assert {row["service"] for row in lone_project("top")} == {"db", "web"}  # type: ignore[attr-defined]
    assert {row["repository"] for row in lone_project("images")} == {"lab/busybox"}  # type: ignore[attr-defined]
    lone_project("logs web")
    assert sorted(lone_project.out.splitlines()) == ["web-1  | up", "web-2  | up"]
    lone_project("logs --no-log-prefix db")
    assert lone_project.out == "up\n"
    lone_project("logs --tail 0")
    assert lone_project.out == ""


def test_logs_are_merged_by_time(lone_project: Project) -> None:
    lone_project.write(
        """
services:
  one: {image: lab/busybox, network_mode: none, command: sh -c 'echo 1; sleep 0.6; echo 3'}
  other: {image: lab/busybox, network_mode: none, command: sh -c 'sleep 0.3; echo 2 >&2; sleep 0.6; echo 4'}
"""
    )
    lone_project("create")
    for title in ("other-1", "one-1"):
        lone_project.containers()[title].start()
    lone_project("logs -f")
    assert sorted(line[-1] for line in lone_project.out.splitlines() if "|" in line) == ["1", "2", "3", "4"]
    lone_project("logs -t --no-color")
    out, times = lone_project.out.splitlines(), []
    for line in out:
        times.append(line.partition("|")[2].split()[0])
    assert len(times) == 4 and all("T" in moment for moment in times)


def test_holding(lone_project: Project) -> None:
    """Where no cgroup can be had, as by many an unprivileged user, that is said, and the service runs on."""
    lone_project.write(idle(web=""))
    lone_project("up -d")
    try:
        lone_project("pause web")
    except HostLacks as error:
        assert "no freezer cgroup can be had here" in error.message
        assert lone_project.containers()["web-1"].status == "running"
        pytest.skip("needs a freezer cgroup")
    assert f" Container {lone_project.name}-web-1  Paused" in lone_project.told
    assert lone_project.containers()["web-1"].status == "paused"
    lone_project("unpause web")
    assert f" Container {lone_project.name}-web-1  Unpaused" in lone_project.told
    assert lone_project.containers()["web-1"].status == "running"


def test_ending(lone_project: Project) -> None:
    lone_project.write(idle(web="", db=""))
    lone_project("up -d")
    name = lone_project.name
    for line, word, state in (
        ("stop -t 1 web", "Stopped", "exited"),
        ("start web", "Started", "running"),
        ("restart -t 1 web", "Started", "running"),
        ("kill web", "Killed", "exited"),
    ):
        lone_project(line)
        assert f" Container {name}-web-1  {word}" in lone_project.told, line
        assert lone_project.containers()["web-1"].status == state, line
    assert str(lone_project("ps --status exited -q")) == lone_project.ids()["web-1"]
    lone_project("rm -f")
    assert sorted(lone_project.containers()) == ["db-1"]
    with pytest.raises(NotFound, match='service "web" is not running'):
        lone_project("exec -T web true")
    with pytest.raises(NotFound, match="no such service: wob"):
        lone_project("stop wob")


def test_the_first_exit_ends_all_and_gives_the_code(lone_project: Project) -> None:
    job = "  job: {image: lab/busybox, network_mode: none, command: sh -c 'echo working; sleep 0.3; exit 5'}\n"
    lone_project.write(idle(web="") + job)
    result = lone_project("up -t 1 --abort-on-container-exit")
    assert result.exit_code == 5 and "job-1  | working" in lone_project.out
    assert "Aborting on container exit..." in lone_project.told
    assert {container.status for container in lone_project.containers().values()} == {"exited"}
    assert lone_project("up -t 1 --exit-code-from web").exit_code == 0


def test_an_interrupt_stops_what_up_has_started(lone_project: Project) -> None:
    lone_project.write(idle(web="", db="").replace("trap", "echo up; trap"))
    with lone_project.begin("up") as process:
        try:
            assert process.stdout is not None
            lines = []
            while sum("| up" in line for line in lines) < 2:
                line = process.stdout.readline()
                assert line, (lines, process.communicate())
                lines.append(line)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130 and "Gracefully stopping..." in err and "web-1  Stopped" in err
    assert {container.status for container in lone_project.containers().values()} == {"exited"}


def test_mistakes_are_told_in_dockers_words(lone_project: Project) -> None:
    lone_project.write("services:\n  web:\n    imge: lab/busybox\n")
    with pytest.raises(ComposeError, match="additional properties 'imge' not allowed") as caught:
        lone_project("up -d")
    assert caught.value.line == 3
    lone_project.write(idle(web=", container_name: www"))
    with pytest.raises(InvalidParameter, match="custom container name"):
        lone_project("up -d --scale web=2")
    with pytest.raises(UsageError, match="--force-recreate and --no-recreate are incompatible"):
        lone_project("up --force-recreate --no-recreate")
    lone_project.write(idle(web="").replace("lab/busybox", "lab/nothing-such"))
    with pytest.raises(ContainerlabError, match="lab/nothing-such"):
        lone_project("up -d --pull never")
    assert not lone_project.containers()


def test_a_name_alone_is_enough_to_end_a_project(lone_project: Project) -> None:
    lone_project.write(TWO)
    lone_project("up -d")
    (lone_project.folder / "compose.yaml").rename(lone_project.folder / "gone")
    assert len(lone_project(f"-p {lone_project.name} ps")) == 2  # type: ignore[arg-type]
    lone_project(f"-p {lone_project.name} down -t 1 -v")
    assert not lone_project.containers()
    assert lone_project.told.index("web-1  Removed") < lone_project.told.index("db-1  Stopping"), (
        "labels have the order"
    )


def test_wait_gives_up_after_its_time_and_a_policy_that_cannot_be_kept_is_refused(lone_project: Project) -> None:
    lone_project.write(idle(web=", healthcheck: {test: [CMD, 'false'], interval: 100ms, retries: 1000}"))
    with pytest.raises(StartFailed, match="application not healthy after 1s"):
        lone_project("up --wait --wait-timeout 1")
    lone_project.write(idle(web=", pull_policy: daily"))
    with pytest.raises(InvalidParameter, match="pull_policy daily isn't carried out"):
        lone_project("up -d")


def test_a_second_network_and_a_shared_namespace(project: Project) -> None:
    project.write(
        f"""
x-idle: &idle {{image: lab/busybox, command: {IDLE!r}}}
services:
  web: {{<<: *idle, networks: {{front: {{}}, back: {{aliases: [www], priority: 5}}}}}}
  side: {{<<: *idle, network_mode: "service:web"}}
  far: {{<<: *idle, networks: [front]}}
networks: {{front: {{}}, back: {{internal: true}}}}
"""
    )
    project("up -d")
    networks = project.containers()["web-1"].attrs["NetworkSettings"]["Networks"]
    assert set(networks) == {f"{project.name}_front", f"{project.name}_back"}
    project("exec -T side ping -c 1 -W 5 far")
    before = project.ids()
    project("up -d -t 1 --force-recreate web")
    project("up -d -t 1")
    after = project.ids()
    assert after["side-1"] != before["side-1"] and after["far-1"] == before["far-1"]
    assert project.containers()["side-1"].attrs["HostConfig"]["NetworkMode"] == f"container:{after['web-1']}"
