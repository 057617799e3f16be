"""``POST /build``: parameters passed on or refused by name, the context, the messages."""

from __future__ import annotations

import io
import json
import tarfile
import time
import urllib.parse

import pytest


def context(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def build(serving, body: bytes = b"", **parameters: str):
    query = urllib.parse.urlencode(parameters, doseq=True)
    return serving.request("POST", f"/v1.43/build?{query}", body, {"Content-Type": "application/x-tar"})


def test_the_tar_is_the_context_and_nothing_of_it_stays(serving):
    status, _, body = build(serving, context(Dockerfile=b"FROM lab/busybox"))
    assert status == 200
    assert body == b'{"stream":"Step 1/1 : FROM x\\n"}\r\n'
    [(options, dockerfile)] = serving.engine.builds.seen
    assert dockerfile == b"FROM lab/busybox"
    assert options.dockerfile == "Dockerfile"
    store = serving.engine.settings.store
    assert [path for path in store.rglob("*") if path.is_file()] == []
    assert list((store / "tmp").iterdir()) == []


def test_steps_are_told_to_those_who_ask(serving):
    _, _, body = build(serving, context(Dockerfile=b""), containerlab="1")
    assert b'{"containerlab":{"step":1,"status":"done"}}' in body


def test_every_parameter_of_dockers_client_is_passed_on(serving):
    parameters = {
        "t": ["app:1", "app:2"],
        "dockerfile": "other",
        "q": "1",
        "nocache": "1",
        "pull": "0",
        "rm": "1",
        "forcerm": "0",
        "memory": "100000000",
        "memswap": "-1",
        "cpushares": "5",
        "cpuperiod": "6",
        "cpuquota": "7",
        "cpusetcpus": "0",
        "cpusetmems": "0",
        "buildargs": '{"A":"1","B":null}',
        "labels": '{"l":"v"}',
        "shmsize": "65536",
        "networkmode": "none",
        "extrahosts": ["db:10.0.0.1", "web:10.0.0.2"],
        "cachefrom": "[]",
        "cgroupparent": "",
        "ulimits": "null",
        "target": "",
        "version": "1",
    }
    status, _, body = build(serving, context(other=b""), **parameters)
    assert status == 200, body
    [(options, _)] = serving.engine.builds.seen
    assert options.tags == ("app:1", "app:2")
    assert options.build_args == {"A": "1", "B": None}
    assert options.labels == {"l": "v"}
    assert (options.quiet, options.no_cache, options.pull) == (True, True, False)
    assert (options.network_mode, options.shm_size) == ("none", 65536)
    assert options.extra_hosts == ("db:10.0.0.1", "web:10.0.0.2")
    limits = options.resources
    assert (limits.memory, limits.memory_swap, limits.cpu_shares) == (100000000, -1, 5)
    assert (limits.cpu_period, limits.cpu_quota, limits.cpuset_cpus, limits.cpuset_mems) == (6, 7, "0", "0")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("remote", "https://example.org/x.git"),
        ("remote", "containerlab-directory:relative"),
        ("version", "2"),
        ("session", "abc"),
        ("ulimits", '[{"Name":"nofile","Soft":1,"Hard":1}]'),
        ("cgroupparent", "/elsewhere"),
        ("securityopt", '["seccomp=unconfined"]'),
        ("squash", "1"),
        ("outputs", '[{"Type":"local"}]'),
        ("platform", "linux/s390x"),
        ("isolation", "hyperv"),
        ("buildargs", '{"A":1}'),
        ("labels", "[]"),
        ("memory", "much"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(serving, name, value):
    status, _, body = build(serving, context(Dockerfile=b""), **{name: value})
    assert status == 400
    told = json.loads(body)["message"].replace("-", "").lower()
    assert name.removesuffix("s") in told
    assert serving.engine.builds.seen == []


def test_a_folder_of_this_host_is_read_where_it_lies(serving, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM here")
    status, _, _ = build(serving, remote=f"containerlab-directory:{tmp_path}")
    assert status == 200
    assert serving.engine.builds.seen[0][1] == b"FROM here"
    assert (tmp_path / "Dockerfile").exists()


def test_a_tar_cut_short_is_refused_and_nothing_of_it_stays(serving):
    status, _, body = build(serving, context(Dockerfile=b"x" * 100_000)[:100])
    assert status == 400, body
    assert [path for path in serving.engine.settings.store.rglob("*") if path.is_file()] == []


def test_a_client_that_leaves_cancels_its_build(serving):
    body = context(Dockerfile=b"wait")
    with serving.socket() as sock:
        sock.sendall(b"POST /build HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert sock.recv(10)
        assert not serving.engine.builds.cancelled.is_set()
    deadline = time.monotonic() + 5
    while not serving.engine.builds.cancelled.is_set() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert serving.engine.builds.cancelled.is_set()
