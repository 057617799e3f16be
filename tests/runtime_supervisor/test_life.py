"""A container's life as the supervisor tells it: create, start, exec, signal, exit, forget."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from containerlab.runtime.client import SupervisorClient, SupervisorError
from tests.groups import groups

if TYPE_CHECKING:
    from conftest import Lab

pytestmark = pytest.mark.root


def test_exit_codes_are_the_programs_own_and_128_plus_the_signal(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            assert await client.run("sh", "-c", "exit 3") == (3, b"")
            name = await client.create("sleep", "100")
            await client.call("start", container=name)
            await client.call("signal", container=name, exec=None, signal=signal.SIGKILL, all=False)
            assert (await client.exit(name))["exit_code"] == 137

    asyncio.run(body())


def test_start_is_idempotent_and_its_reply_comes_before_the_exit_event(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("true")
            first, second = await asyncio.gather(
                client.call("start", container=name), client.call("start", container=name)
            )
            await client.exit(name)
            assert first == second == await client.call("start", container=name)
            assert next(step for step, _ in first["timeline"]) == "request"
            record = await client.record(name)
            assert (record["status"], record["pid"], record["exit_code"]) == ("stopped", first["pid"], 0)

    asyncio.run(body())


def test_failed_start_names_its_stage_leaves_the_container_created_and_it_can_be_tried_again(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("no-such-program")
            stream = await client.attach(name)
            with pytest.raises(SupervisorError) as caught:
                await client.call("start", container=name)
            assert (caught.value.stage, caught.value.errno) == ("exec", errno.ENOENT)
            assert await stream.read_all() == b""
            assert (await client.record(name))["status"] == "created"
            path = lab.folder / name / "config.json"
            spec = json.loads(path.read_text())
            spec["process"]["args"] = ["true"]
            path.write_text(json.dumps(spec))
            await client.call("start", container=name)
            assert (await client.exit(name))["exit_code"] == 0

    asyncio.run(body())


def test_engine_may_go_and_another_finds_the_container_and_its_exit(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as first:
            running = await first.create("sleep", "100")
            ended = await first.create("sh", "-c", "sleep 0.2; exit 5")
            for name in (running, ended):
                await first.call("start", container=name)
        await asyncio.sleep(0.6)
        async with lab.client() as second, lab.client() as third:
            assert (await second.record(running))["status"] == "running"
            record = await second.record(ended)
            assert (record["status"], record["exit_code"]) == ("stopped", 5)
            await second.call("signal", container=running, exec=None, signal=9, all=False)
            assert (await second.exit(running)) == (await third.exit(running))

    asyncio.run(body())


def test_exec_has_its_own_exit_and_dies_with_the_container(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("sleep", "100")
            await client.call("start", container=name)
            first, stream = await client.exec(name, "sh", "-c", "echo from exec; exit 4")
            assert stream is not None
            assert await stream.read_all() == b"from exec\n"
            assert (await client.exit(name, first))["exit_code"] == 4
            second, _ = await client.exec(name, "sleep", "100", attach=False)
            await client.call("signal", container=name, exec=None, signal=9, all=False)
            assert (await client.exit(name, second))["exit_code"] == 137
            assert (await client.exit(name))["exit_code"] == 137
            with pytest.raises(SupervisorError) as caught:
                await client.exec(name, "true", attach=False)
            assert caught.value.errno == errno.ESRCH

    asyncio.run(body())


def test_exec_that_leaves_a_child_holding_its_output_ends_all_the_same(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("sleep", "100")
            await client.call("start", container=name)
            number, stream = await client.exec(name, "sh", "-c", "sleep 50 & echo done")
            assert stream is not None
            assert await asyncio.wait_for(stream.read_all(), 5) == b"done\n"
            assert (await client.exit(name, number))["exit_code"] == 0

    asyncio.run(body())


def test_signal_to_all_reaches_children_that_pid_1_does_not_pass_it_to(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            script = "trap '' TERM; (trap 'echo child; exit' TERM; echo ready; while :; do sleep 0.05; done) & wait"
            name = await client.create("sh", "-c", script)
            stream = await client.attach(name)
            await client.call("start", container=name)
            await stream.read_until(b"ready\n")
            await client.call("signal", container=name, exec=None, signal=signal.SIGTERM, all=True)
            assert await stream.read_until(b"child\n")

    asyncio.run(body())


def test_out_of_memory_is_told_apart_from_another_kill(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            limit = 16 << 20
            resources = {"memory": {"limit": limit, "swap": limit}}
            name = await client.create("tail", "/dev/zero", resources=resources)
            await client.call("start", container=name)
            event = await client.exit(name)
            assert (event["exit_code"], event["oom"]) == (137, True)

    asyncio.run(body())


def test_malformed_packets_get_an_error_and_harm_nobody(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            raw = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with raw:
                raw.connect(str(lab.run / "supervisor.sock"))
                raw.settimeout(5)
                for packet in (
                    b"{",
                    b"[]",
                    b"\xff\xfe",
                    b'{"id": "x", "op": "list"}',
                    b"[" * 60000,
                    b'{"id": 1, "op": "no"}',
                ):
                    raw.send(packet)
                    assert "error" in json.loads(raw.recv(65536))
            for op, fields in (("start", {"container": 7}), ("attach", {"container": "none"}), ("resize", {})):
                with pytest.raises(SupervisorError):
                    await client.call(op, **fields)
            with pytest.raises(SupervisorError):
                await client.call("create", container="../x", bundle="/", io={})
            assert await client.run("true") == (0, b"")

    asyncio.run(body())


def test_a_list_longer_than_a_packet_arrives_whole(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name, bundle = lab.bundle("true")
            io = {"tty": False, "stdin": False, "stdin_once": False, "log": None}
            names = [f"{name}-{number:03d}" for number in range(120)]
            for other in names:
                await client.call("create", container=other, bundle=bundle, io=io)
            listed = [record["container"] for record in (await client.call("list"))["containers"]]
            assert listed == names
            for other in names:
                await client.call("forget", container=other)

    asyncio.run(body())


def test_two_hundred_lives_leave_no_descriptor_process_or_cgroup(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            await client.run("true", log=True)
            before = _belongings(lab.pid)
            for _ in range(200):
                assert (await client.run("true", log=True))[0] == 0
                client.events.clear()
            assert _belongings(lab.pid) == before
            left = {path.name for path in groups("cltest-*")}
            assert not left & set(lab.names)

    asyncio.run(body())


def _belongings(pid: int) -> tuple[int, str]:
    return len(list(Path(f"/proc/{pid}/fd").iterdir())), Path(f"/proc/{pid}/task/{pid}/children").read_text()


def test_supervisor_ignores_hangups_and_on_sigterm_waits_for_its_last_container(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("sleep", "100")
            await client.call("start", container=name)
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
                os.kill(lab.pid, number)
            assert (await client.record(name))["status"] == "running"
            lost = asyncio.Event()
            client.connection.on_lost(lost.set)
            await client.remove(name)
            await asyncio.wait_for(lost.wait(), 10)
            with pytest.raises(ConnectionError):
                await client.call("list")

    asyncio.run(body())
    assert lab.process is not None
    assert lab.process.wait(10) == 0
    assert not (lab.run / "supervisor.sock").exists()


def test_second_supervisor_refuses_a_live_socket_and_takes_over_a_dead_one(lab: Lab) -> None:
    first = lab.process
    with pytest.raises(RuntimeError, match="already listening"):
        (lab.run / "supervisor.json").unlink()
        lab.start()
    assert first is not None
    first.kill()
    first.wait()
    lab.start()

    async def body() -> None:
        client = await SupervisorClient.connect(lab.run)
        assert (await client.call("list"))["containers"] == []
        client.close()

    asyncio.run(body())


def test_no_start_with_cap_mknod_and_without_device_rules(lab: Lab) -> None:
    async def body() -> None:
        async with lab.client() as client:
            name = await client.create("true", resources={"devices": []})
            with pytest.raises(SupervisorError) as caught:
                await client.call("start", container=name)
            assert caught.value.stage == "cgroup"
            allowed = await client.create("true", resources={"devices": []}, drop=("CAP_MKNOD",))
            await client.call("start", container=allowed)
            assert (await client.exit(allowed))["exit_code"] == 0

    asyncio.run(body())
