"""``--link``: names that one container alone has for another, and whose names they are."""

from __future__ import annotations

import contextlib

import docker
import pytest

from tests.clients.conftest import IMAGE, Cli
from tests.clients.networking import network
from tests.rungs import each_host as host

__all__ = ["host", "network"]


def test_a_link_is_a_name_that_its_container_alone_knows(cli: Cli, network: str, name: str) -> None:
    cli.ok("network", "create", network)
    cli.ok("run", "-d", "--init", "--name", name, "--network", network, IMAGE, "sleep", "60")
    found = cli.ok("run", "--rm", "--network", network, "--link", f"{name}:store", IMAGE, "nslookup", "store")
    assert "Address" in found
    assert cli("run", "--rm", "--network", network, IMAGE, "nslookup", "store").code != 0


def test_a_link_is_a_name_of_ones_own(cli: Cli, network: str, name: str) -> None:
    """On the default network by /etc/hosts, which follows the other one's address; on others by the name service."""
    cli.ok("network", "create", network)
    cli.ok("run", "-d", "--name", name, IMAGE, "sleep", "1000")
    linked, other = f"{name}-linked", f"{name}-other"
    where = ("inspect", "--format", "{{.NetworkSettings.Networks.bridge.IPAddress}}", name)
    try:
        cli.ok("run", "-d", "--name", linked, "--link", f"{name}:db", IMAGE, "sleep", "1000")
        short = cli.ok("inspect", "--format", "{{slice .Id 0 12}}", name)
        assert f"{cli.ok(*where)}\tdb {short} {name}" in cli.ok("exec", linked, "cat", "/etc/hosts").splitlines()
        cli.ok("network", "connect", network, name)
        cli.ok("network", "connect", "--link", f"{name}:store", network, linked)
        inside = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
        assert f"({cli.ok('inspect', '--format', inside, name)})" in cli("exec", linked, "ping", "-c1", "store").out
        words = ("--network", network, "--link", f"{name}:mine", IMAGE, "ping", "-c1", "mine")
        assert cli("run", "--name", other, *words).out.startswith("PING mine (")
        assert "bad address" in cli("run", "--rm", "--network", network, IMAGE, "ping", "-c1", "mine").err
        cli.ok("stop", "-t", "0", name)
        cli.ok("run", "-d", "--name", f"{name}-first", IMAGE, "sleep", "1000")
        cli.ok("start", name)
        assert f"{cli.ok(*where)}\tdb {short} {name}" in cli.ok("exec", linked, "cat", "/etc/hosts").splitlines()
        cli.ok("stop", "-t", "0", name, linked)
        assert "Cannot link to a non running container" in cli("start", linked).err
    finally:
        cli("rm", "-f", linked, other, f"{name}-first")
    nobody = cli("run", "--rm", "--link", "nobody:al", IMAGE, "true")
    assert nobody.code == 125 and "could not get container for nobody: No such container: nobody" in nobody.err


def test_links_are_shown_by_the_names_of_now_and_on_user_networks_not_at_all(
    client: docker.DockerClient, network: str, name: str
) -> None:
    client.networks.create(network)
    other = client.containers.run(IMAGE, "sleep 1000", name=name, detach=True)
    web, lone = f"{name}-web", f"{name}-lone"
    try:
        linked = client.containers.create(IMAGE, "true", name=web, links={name: "store"})
        assert linked.attrs["HostConfig"]["Links"] == [f"/{name}:/{web}/store"]
        other.rename(f"{name}-new")
        linked.reload()
        assert linked.attrs["HostConfig"]["Links"] == [f"/{name}-new:/{web}/store"]
        apart = client.containers.create(IMAGE, "true", name=lone, network=network, links={f"{name}-new": "store"})
        assert apart.attrs["HostConfig"]["Links"] is None
    finally:
        for each in (f"{name}-new", web, lone):
            with contextlib.suppress(docker.errors.NotFound):
                client.api.remove_container(each, force=True)


def test_a_link_is_one_more_name_and_rm_link_takes_it_away(cli: Cli, client: docker.DockerClient, name: str) -> None:
    web = f"{name}-web"
    cli.ok("run", "-d", "--init", "--name", name, IMAGE, "sleep", "1000")
    try:
        cli.ok("run", "-d", "--init", "--name", web, "--link", f"{name}:store", IMAGE, "sleep", "1000")
        assert cli.ok("inspect", "--format", "{{.Name}}", f"{web}/store") == f"/{name}"
        assert cli.ok("exec", f"{web}/store", "hostname") == cli.ok("inspect", "--format", "{{slice .Id 0 12}}", name)
        listed = {tuple(sorted(entry["Names"])) for entry in client.api.containers()}
        assert {tuple(sorted((f"/{name}", f"/{web}/store"))), (f"/{web}",)} <= listed
        assert "store" in cli.ok("exec", web, "cat", "/etc/hosts")

        own = cli("rm", "--link", web)
        assert own.code == 1 and "Conflict, cannot remove the default link name of the container" in own.err
        for unknown in (f"{web}/nosuch", f"{web}-not/store"):
            answer = cli("rm", "--link", unknown)
            assert answer.code == 1 and f"No such container: {unknown}" in answer.err
        assert cli.ok("rm", "--link", f"{web}/store") == f"{web}/store"
        assert "store" not in cli.ok("exec", web, "cat", "/etc/hosts")
        assert cli.ok("inspect", "--format", "{{json .HostConfig.Links}} {{.State.Running}}", web) == "null true"
        assert client.containers.get(name).status == "running"
        with pytest.raises(docker.errors.NotFound):
            client.api.remove_container(f"{web}/store", link=True)
        cli.ok("restart", "-t", "0", web)
        assert "store" not in cli.ok("exec", web, "cat", "/etc/hosts")
    finally:
        cli("rm", "-f", web)


def test_who_links_to_one_that_does_not_run_starts_without_the_link(cli: Cli, name: str) -> None:
    web = f"{name}-web"
    cli.ok("run", "-d", "--init", "--name", name, IMAGE, "sleep", "1000")
    try:
        cli.ok("create", "--init", "--name", web, "--link", f"{name}:store", IMAGE, "sleep", "1000")
        cli.ok("stop", "-t", "0", name)
        answer = cli("start", web)
        said = f"Cannot link to a non running container: /{name} AS /{web}/store"
        assert answer.code == 1 and said in answer.err
        cli.ok("rm", "--link", f"{web}/store")
        cli.ok("start", web)
    finally:
        cli("rm", "-f", web)


def test_joining_the_default_network_later_a_link_is_a_note(cli: Cli, network: str, name: str) -> None:
    cli.ok("network", "create", network)
    web = f"{name}-web"
    try:
        cli.ok("run", "-d", "--init", "--name", name, IMAGE, "sleep", "1000")
        cli.ok("run", "-d", "--init", "--name", web, "--network", network, IMAGE, "sleep", "1000")
        cli.ok("network", "connect", "--link", f"{name}:store", "bridge", web)
        noted = "{{json .HostConfig.Links}} {{json .NetworkSettings.Networks.bridge.Links}}"
        assert cli.ok("inspect", "--format", noted, web) == f'null ["{name}:store"]'
        assert "store" not in cli.ok("exec", web, "cat", "/etc/hosts")
        assert "bad address" in cli("exec", web, "ping", "-c1", "-w2", "store").err
    finally:
        cli("rm", "-f", web)
