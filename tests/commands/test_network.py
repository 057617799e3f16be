"""``network`` and its verbs, by the tree that command line and magics share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.errors import ContainerlabError, NotFound

IMAGE = "lab/busybox"


@pytest.fixture
def network(context: Context, name: str) -> Iterator[str]:
    """A network of the test's own; skipped where this host can't have one."""
    try:
        invoke(["network", "create", "--subnet", "10.213.7.0/24", "--label", "of=test", name], context)
    except ContainerlabError as refusal:
        if "can't" not in str(refusal):
            raise
        pytest.skip(str(refusal))
    yield name
    invoke(["network", "rm", "-f", name], context)


def test_a_network_is_made_listed_looked_at_and_removed(context: Context, network: str) -> None:
    [row] = list(invoke(["network", "ls", "-f", f"name={network}"], context))
    assert (row["name"], row["driver"], row["scope"]) == (network, "bridge", "local")
    form = "{{range .IPAM.Config}}{{.Subnet}}{{end}}"
    assert str(invoke(["network", "inspect", "-f", form, network], context)) == "10.213.7.0/24"
    assert str(invoke(["network", "rm", network], context)) == network
    with pytest.raises(NotFound, match="not found"):
        invoke(["network", "inspect", network], context)


def test_containers_on_it_find_each_other_by_name(context: Context, network: str) -> None:
    server = f"{network}-server"
    serve = ["sh", "-c", "echo found > /index.html; exec httpd -f -p 80 -h /"]
    invoke(["run", "-d", "--replace", "--name", server, "--network", network, IMAGE, *serve], context)
    try:
        ask = [
            "sh",
            "-c",
            f"for i in 1 2 3 4 5 6 7 8 9; do wget -qO- http://{server}/ && exit; sleep 0.2; done; exit 1",
        ]
        done: Any = invoke(["run", "--rm", "--network", network, IMAGE, *ask], context)
        assert done.stdout == "found\n"
        invoke(["network", "disconnect", network, server], context)
        invoke(["network", "connect", "--alias", "other", network, server], context)
        ask = ["wget", "-qO-", "http://other/"]
        assert invoke(["run", "--rm", "--network", network, IMAGE, *ask], context).stdout == "found\n"
    finally:
        invoke(["rm", "-f", server], context)


def test_prune_tells_what_is_gone(context: Context, network: str) -> None:
    pruned: Any = invoke(["network", "prune", "-f", "--filter", "label=of=test"], context)
    assert network in pruned.networks
