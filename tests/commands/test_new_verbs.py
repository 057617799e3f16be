"""pause, update, port, prune and df against the engine, and the options that later came to older verbs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.errors import Conflict, ContainerlabError, InvalidParameter, NotFound, UsageError
from tests.commands.conftest import Kept
from tests.store import Store
from tests.waiting import eventually

Verb = Callable[[str], Any]
RUN = "run --network none"
IMAGE = "lab/busybox"


@pytest.fixture
def lone(store: Store, output: Kept) -> Iterator[Context]:
    """A context with an engine to itself: what is pruned is nobody else's."""
    store.start()
    client = docker.DockerClient(base_url=store.host)
    yield Context(output=output, connect=lambda: client)
    client.close()


@pytest.mark.counted
def test_pause_and_unpause(verb: Verb, name: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    assert verb(f"pause {name}").lines == [name]
    assert verb(f"inspect -f '{{{{.State.Status}}}}' {name}").lines == ["paused"]
    with pytest.raises(Conflict, match="is already paused"):
        verb(f"pause {name}")
    assert verb(f"container unpause {name}").lines == [name]
    with pytest.raises(ContainerlabError, match="is not paused"):
        verb(f"unpause {name}")


@pytest.mark.counted
def test_update_changes_limits_and_policy(verb: Verb, name: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    assert verb(f"update -m 64m --memory-swap 64m --pids-limit 50 --restart on-failure:2 {name}").lines == [name]
    facts = verb(f"inspect {name}")[0]["HostConfig"]
    assert (facts["Memory"], facts["PidsLimit"]) == (64 * 2**20, 50)
    assert facts["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    with pytest.raises(InvalidParameter, match="you must provide one or more flags when using this command"):
        verb(f"update {name}")
    with pytest.raises(InvalidParameter, match="--cpu-rt-period isn't carried out"):
        verb(f"update --cpu-rt-period 1 {name}")


class Published:
    """An engine whose one container has ports."""

    def __init__(self) -> None:
        self.api = self

    def inspect_container(self, name: str) -> dict[str, Any]:
        ports = {
            "443/tcp": [{"HostIp": "::", "HostPort": "8443"}],
            "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
            "53/udp": None,
        }
        return {"NetworkSettings": {"Ports": ports}}

    def close(self) -> None: ...


def test_port_tells_where_ports_are(verb: Verb, name: str) -> None:
    context = Context(connect=Published)
    table = invoke(["port", "web"], context)
    assert str(table) == "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n443/tcp -> [::]:8443"
    assert table[0] == {"port": "80/tcp", "address": "0.0.0.0", "host_port": "8080"}
    assert "<th" in table._repr_mimebundle_()["text/html"]
    assert invoke(["port", "web", "80"], context).lines == ["0.0.0.0:8080", "[::]:8080"]
    with pytest.raises(NotFound, match="No public port '53/udp' published for web"):
        invoke(["port", "web", "53/udp"], context)
    with pytest.raises(InvalidParameter, match="invalid port"):
        invoke(["port", "web", "x"], context)


def answering(lone: Context, answer: bytes, line: str) -> Any:
    """Run a verb with ``answer`` on its standard input."""
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, answer)
        os.close(write_end)
        lone.stdin_fd = read_end
        return invoke(line.split(), lone)
    finally:
        os.close(read_end)
        lone.stdin_fd = None


def test_prune_asks_and_goes_on_with_yes_alone(lone: Context, output: Kept) -> None:
    kept = invoke(f"{RUN} -d {IMAGE} sleep 100".split(), lone)
    made = invoke(f"create --network none {IMAGE}".split(), lone)
    for answer in (b"n\n", b"", b"\n"):
        output.out = b""
        assert answering(lone, answer, "container prune").lines == []
        assert output.out.decode() == (
            "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] "
        )
    pruned = answering(lone, b"y\n", "container prune")
    assert pruned.containers == [made.id]
    assert str(pruned).startswith(f"Deleted Containers:\n{made.id}\n\nTotal reclaimed space: ")
    assert pruned.calm().startswith("Removed 1 container; ")
    assert invoke(["ps", "-aq", "--no-trunc"], lone).lines == [kept.id]
    assert str(invoke(["container", "prune", "-f"], lone)) == "Total reclaimed space: 0B"


def test_system_prune_warns_in_dockers_words(lone: Context, output: Kept) -> None:
    answering(lone, b"n\n", "system prune")
    assert output.out.decode() == (
        "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n"
        "  - all dangling images\n  - unused build cache\n\nAre you sure you want to continue? [y/N] "
    )
    output.out = b""
    answering(lone, b"n\n", "system prune -a --filter label=x")
    assert (
        "  - all images without at least one container associated to them\n  - all build cache\n\n"
        in output.out.decode()
    )
    assert "  Items to be pruned will be filtered with:\n  - label=x\n\nAre you sure" in output.out.decode()


def test_system_prune_takes_what_nobody_needs(lone: Context) -> None:
    invoke(f"create --network none {IMAGE}".split(), lone)
    pruned = invoke(["system", "prune", "-af"], lone)
    assert len(pruned.containers) == 1 and f"untagged: {IMAGE}:latest" in pruned.images
    assert pruned.to_dict()["reclaimed"] == pruned.reclaimed > 0
    assert not invoke(["images", "-q"], lone).lines
    with pytest.raises(InvalidParameter, match='The "until" filter is not supported with "--volumes"'):
        invoke(["system", "prune", "-f", "--volumes", "--filter", "until=1h"], lone)


def test_a_filter_spares_what_it_does_not_name(lone: Context, output: Kept) -> None:
    invoke(f"create --network none --label keep=yes {IMAGE}".split(), lone)
    assert invoke(["system", "prune", "-f", "--filter", "label=other"], lone).containers == []
    assert len(invoke(["ps", "-aq"], lone).lines) == 1


@pytest.mark.parametrize("line", ["container prune", "image prune -a", "builder prune", "system prune"])
def test_a_cell_cannot_be_asked(line: str) -> None:
    with pytest.raises(UsageError, match=r"A cell can't be asked(.|\n)*prune -f"):
        invoke(line.split(), Context(notebook=True))


def test_df_counts_by_kind(lone: Context) -> None:
    invoke(f"{RUN} -d {IMAGE} sleep 100".split(), lone)
    invoke(f"create --network none {IMAGE}".split(), lone)
    table = invoke(["system", "df"], lone)
    assert [row["type"] for row in table] == ["Images", "Containers", "Local Volumes", "Build Cache"]
    assert [(row["total"], row["active"]) for row in table][:2] == [(1, 1), (2, 1)]
    assert table[0]["reclaimable"] == 0 and str(table).splitlines()[1].endswith("0B (0%)")
    assert str(table).splitlines()[0].split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]
    assert str(invoke(["system", "df", "--format", "{{.Type}}: {{.TotalCount}}"], lone)).startswith("Images: 1\n")


def test_df_tells_each_with_v(lone: Context) -> None:
    invoke(f"create --network none --name web -v /data {IMAGE}".split(), lone)
    details = invoke(["system", "df", "-v"], lone)
    assert [row["name"] for row in details.tables["Containers"]] == ["web"]
    assert details.to_dict()["Images"][0]["containers"] == 1
    for words in (
        "Images space usage:",
        "Containers space usage:",
        "Local Volumes space usage:",
        "Build cache usage: 0B",
    ):
        assert words in str(details) and words in details._repr_mimebundle_()["text/html"]
    shown = json.loads(str(invoke(["system", "df", "-v", "--format", "json"], lone)))
    assert shown["Containers"][0]["LocalVolumes"] == "1"


def test_cidfile_takes_the_id_and_goes_when_nothing_was_made(verb: Verb, name: str, tmp_path: Path) -> None:
    file = tmp_path / "id"
    made = verb(f"create --network none --cidfile {file} --name {name} {IMAGE}")
    assert file.read_text() == made.id
    with pytest.raises(Conflict, match="container ID file found"):
        verb(f"create --network none --cidfile {file} {IMAGE}")
    with pytest.raises(Conflict):
        verb(f"create --network none --cidfile {tmp_path}/other --name {name} {IMAGE}")
    assert not (tmp_path / "other").exists()


@pytest.mark.counted
def test_health_log_and_name_options_reach_the_container(verb: Verb, name: str) -> None:
    options = "--health-cmd true --health-interval 2s --log-opt max-size=1m --annotation a=b --dns 10.0.0.1"
    verb(f"create --network none --name {name} {options} --expose 80 --oom-score-adj 5 --cpu-shares 99 {IMAGE}")
    facts = verb(f"inspect {name}")[0]
    assert facts["Config"]["Healthcheck"]["Test"] == ["CMD-SHELL", "true"]
    assert facts["Config"]["Healthcheck"]["Interval"] == 2 * 10**9
    assert facts["Config"]["ExposedPorts"] == {"80/tcp": {}}
    host = facts["HostConfig"]
    assert host["LogConfig"]["Config"]["max-size"] == "1m" and host["Annotations"] == {"a": "b"}
    assert (host["Dns"], host["OomScoreAdj"], host["CpuShares"]) == (["10.0.0.1"], 5, 99)


def test_only_the_streams_of_a_are_joined(context: Context, verb: Verb, output: Kept, name: str) -> None:
    result = verb(f"{RUN} --rm -a stderr {IMAGE} sh -c 'echo out; echo err >&2; exit 3'")
    assert (output.out, output.err, result.exit_code) == (b"", b"err\n", 3)
    context.body = b"read from the cell"
    started = verb(f"{RUN} -a stdin --name {name} {IMAGE} cat")
    assert str(started) == started.id
    verb(f"wait {name}")
    assert verb(f"logs {name}").stdout == "read from the cell"


def test_pull_never_leaves_a_missing_image_missing(verb: Verb, output: Kept) -> None:
    with pytest.raises(NotFound, match="No such image: nosuch/image:latest"):
        verb(f"{RUN} --pull never nosuch/image")
    assert not output.notices
    with pytest.raises(ContainerlabError):
        verb(f"{RUN} localhost:1/nosuch/image")
    assert output.notices[0] == "Unable to find image 'localhost:1/nosuch/image:latest' locally"
    with pytest.raises(InvalidParameter, match="can't run here"):
        verb(f"create --platform linux/s390x {IMAGE}")


def test_stop_and_restart_send_the_signal_that_is_asked_for(verb: Verb, name: str, client: docker.DockerClient) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sh -c 'trap \"exit 4\" INT; echo set; while :; do sleep 0.1; done'")
    assert eventually(client.containers.get(name).logs)
    assert verb(f"stop -s INT --timeout 20 {name}").lines == [name]
    assert verb(f"wait {name}").lines == ["4"]


def test_ps_has_dockers_fields(verb: Verb, name: str, output: Kept) -> None:
    verb(f"create --network none --label a.b=c -v /data --name {name} {IMAGE}")
    line = '{{.Names}}|{{.Label "a.b"}}|{{.LocalVolumes}}|{{.CreatedAt}}'
    shown = verb(f"ps -a --filter name={name} --format '{line}'").calm()
    assert shown.startswith(f"{name}|c|1|20")
    verb(f"ps -aq --filter name={name} --format x")
    assert output.notices == ["WARNING: Ignoring custom format, because both --format and --quiet are set."]
    assert len(verb("ps -l -q").lines) == 1


def test_images_shows_digests_and_formats_ids(verb: Verb) -> None:
    assert "DIGEST" in str(verb("images --digests")).splitlines()[0]
    assert verb(f"images -q --format '{{{{.Repository}}}}' {IMAGE}").calm() == IMAGE
    assert verb(f"image history --human=false {IMAGE}")[0]["size"] >= 0


def test_rm_of_a_link_that_is_none_refuses_by_the_engines_word(verb: Verb, name: str) -> None:
    verb(f"create --network none --name {name} {IMAGE}")
    with pytest.raises(ContainerlabError, match="link"):
        verb(f"rm --link {name}")


def test_events_are_formatted_in_a_notebook_as_in_a_terminal(context: Context, verb: Verb, name: str) -> None:
    verb(f"create --network none --name {name} {IMAGE}")
    context.notebook = True
    shown = verb(
        f"events --filter container={name} --format '{{{{.Type}}}} {{{{.Action}}}} {{{{.Actor.Attributes.name}}}}'"
    )
    assert shown.lines == [f"container create {name}"]


def test_stats_has_dockers_fields(verb: Verb, name: str) -> None:
    verb(f"{RUN} -d --name {name} {IMAGE} sleep 100")
    identifier = verb(f"inspect -f '{{{{.Id}}}}' {name}")[0]
    shown = str(verb(f"stats --no-trunc --format '{{{{.Container}}}} {{{{.ID}}}} {{{{.NetIO}}}}' {identifier[:12]}"))
    assert shown == f"{identifier[:12]} {identifier} 0B / 0B"


def test_iidfile_takes_the_images_id_and_the_context_may_be_compressed(
    verb: Verb, name: str, tmp_path: Path, context: Context
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY Dockerfile /d\n")
    file = tmp_path.parent / f"{name}.id"
    built = verb(f"build --compress --force-rm --iidfile {file} -t {name}:1 {tmp_path}")
    assert file.read_text() == built.id
    context.client.api.remove_image(f"{name}:1", force=True)
