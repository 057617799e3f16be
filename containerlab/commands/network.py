"""``network`` and its verbs (docker/cli ``command/network``)."""

from __future__ import annotations

__all__ = [
    "network_connect_command",
    "network_create_command",
    "network_disconnect_command",
    "network_inspect_command",
    "network_list_command",
    "network_prune_command",
    "network_remove_command",
]

from typing import Any

import click
import docker.errors

from containerlab.commands import formats
from containerlab.commands.context import Context, pass_context
from containerlab.commands.inspect import formatted
from containerlab.commands.many import each
from containerlab.commands.parsing import refused, refused_flag, verb
from containerlab.commands.prune import Pruned, asked
from containerlab.commands.result import Column, Document, Lines, Result, Table
from containerlab.commands.values import filters, pairs
from containerlab.lab import lessons

_SWARM = "there is no swarm here: networks are this host's"
_LATER = "networks here don't know it yet"


@verb("create", help="Make a network of one's own: containers on it reach each other by name.")
@click.option("-d", "--driver", default="bridge", help="Who makes it; there is bridge.")
@click.option("--subnet", "subnets", multiple=True, metavar="CIDR", help="Its addresses, as in 10.5.0.0/24.")
@click.option("--gateway", "gateways", multiple=True, metavar="IP", help="The bridge's own address.")
@click.option("--ip-range", "ranges", multiple=True, metavar="CIDR", help="Give out addresses of this part alone.")
@click.option("--internal", is_flag=True, help="No way out of it.")
@click.option("--ipv6", is_flag=True, help="IPv6 addresses as well.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="Note something on it.")
@click.option("-o", "--opt", "options", multiple=True, metavar="K=V", help="An option of the driver.")
@click.option("--attachable", is_flag=True, hidden=True, help="Of swarm's networks; a bridge always is.")
@refused("--aux-address", why=_LATER)
@refused("--ipam-driver", why=_LATER)
@refused("--ipam-opt", why=_LATER)
@refused("--config-from", why=_SWARM)
@refused("--scope", why=_SWARM)
@refused_flag("--config-only", why=_SWARM)
@refused_flag("--ingress", why=_SWARM)
@refused_flag("--ipv4", why="every bridge has IPv4 addresses")
@click.argument("name")
@pass_context
def network_create_command(
    context: Context,
    driver: str,
    subnets: tuple[str, ...],
    gateways: tuple[str, ...],
    ranges: tuple[str, ...],
    internal: bool,
    ipv6: bool,
    labels: tuple[str, ...],
    options: tuple[str, ...],
    attachable: bool,
    name: str,
) -> Result:
    pools = [
        {key: value for key, value in (("Subnet", subnet), ("Gateway", gateway), ("IPRange", part)) if value}
        for subnet, gateway, part in _together(subnets, gateways, ranges)
    ]
    made = context.client.api.create_network(
        name,
        driver,
        options=pairs(options, "--opt"),
        ipam={"Driver": "default", "Config": pools} if pools else None,
        internal=internal,
        enable_ipv6=ipv6,
        labels={**lessons.labels(), **(pairs(labels, "--label", bare=True) or {})} or None,
        attachable=attachable or None,
    )
    return Lines([made["Id"]])


@verb("ls", help="List the networks.")
@click.option("-q", "--quiet", is_flag=True, help="Only ids.")
@click.option("-f", "--filter", "words", multiple=True, metavar="K=V", help="Only such, as in driver=bridge.")
@click.option("--format", "template", metavar="TEMPLATE", help="One line each, as in '{{.Name}}', or json.")
@click.option("--no-trunc", is_flag=True, help="Whole ids.")
@pass_context
def network_list_command(
    context: Context, quiet: bool, words: tuple[str, ...], template: str | None, no_trunc: bool
) -> Result:
    identifier = str if no_trunc else formats.short_id
    rows = [
        {"id": entry["Id"], "name": entry["Name"], "driver": entry["Driver"], "scope": entry["Scope"]}
        for entry in context.client.api.networks(filters=filters(words))
    ]
    if quiet and template is None:
        return Lines([identifier(row["id"]) for row in rows])
    columns = [
        Column("id", "NETWORK ID", "ID", identifier),
        Column("name", "NAME", "Name"),
        Column("driver", "DRIVER", "Driver"),
        Column("scope", "SCOPE", "Scope"),
    ]
    return Table(columns, rows, empty="There are no networks.", lines=template)


@verb("inspect", help="Everything the engine knows about networks, as JSON: also who is on them.")
@click.option("-f", "--format", "form", metavar="TEMPLATE", help="As in '{{.Name}}', or json.")
@refused_flag("-v", "--verbose", why=_SWARM)
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@pass_context
def network_inspect_command(context: Context, form: str | None, networks: tuple[str, ...]) -> Result:
    found = [context.client.api.inspect_network(name) for name in networks]
    return formatted(found, form) or Document(found, summary=f"What the engine knows about {', '.join(networks)}")


@verb("rm", help="Remove networks that no container is on.")
@click.option("-f", "--force", is_flag=True, help="A network that isn't there is no error.")
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@pass_context
def network_remove_command(context: Context, force: bool, networks: tuple[str, ...]) -> Result:
    def remove(name: str) -> bool:
        try:
            context.client.api.remove_network(name)
        except docker.errors.NotFound:
            if not force:
                raise
            return False
        return True

    return each(context, networks, remove)


@verb("connect", help="Put a container on one more network, also while it runs.")
@click.option("--ip", metavar="IP", help="Its address there.")
@click.option("--ip6", metavar="IP", help="Its IPv6 address there.")
@click.option("--alias", "aliases", multiple=True, metavar="NAME", help="One more name that it answers to there.")
@click.option("--link-local-ip", "link_local", multiple=True, metavar="IP", hidden=True)
@refused("--driver-opt", why=_LATER)
@refused("--gw-priority", why=_LATER)
@click.option("--link", "links", multiple=True, metavar="NAME:ALIAS", help="A name of its own for another one there.")
@click.argument("network")
@click.argument("container")
@pass_context
def network_connect_command(
    context: Context,
    ip: str | None,
    ip6: str | None,
    aliases: tuple[str, ...],
    link_local: tuple[str, ...],
    links: tuple[str, ...],
    network: str,
    container: str,
) -> Result:
    context.client.api.connect_container_to_network(
        container,
        network,
        ipv4_address=ip,
        ipv6_address=ip6,
        aliases=list(aliases) or None,
        links=[(name, alias or name) for name, _, alias in (text.partition(":") for text in links)] or None,
        link_local_ips=list(link_local) or None,
    )
    return Lines([])


@verb("disconnect", help="Take a container off a network.")
@click.option("-f", "--force", is_flag=True, help="Also a container that is gone.")
@click.argument("network")
@click.argument("container")
@pass_context
def network_disconnect_command(context: Context, force: bool, network: str, container: str) -> Result:
    context.client.api.disconnect_container_from_network(container, network, force=force)
    return Lines([])


@verb("prune", help="Remove all networks of one's own that no container is on.")
@click.option("--filter", "words", multiple=True, metavar="K=V", help="Only such, as in until=24h, label=x.")
@click.option("-f", "--force", is_flag=True, help="Don't ask first; a notebook needs it.")
@pass_context
def network_prune_command(context: Context, words: tuple[str, ...], force: bool) -> Result:
    wanted = filters(words)

    def work(pruned: Pruned) -> None:
        pruned.networks += context.client.api.prune_networks(filters=wanted).get("NetworksDeleted") or []

    warning = "This will remove all custom networks not used by at least one container.\n"
    return asked(context, warning, "network prune", force, work)


def _together(*lists: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The first of each, the second of each, …; None where one has fewer."""
    longest = max(map(len, lists))
    return [tuple(words[at] if at < len(words) else None for words in lists) for at in range(longest)]
