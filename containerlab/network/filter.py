"""The lab's packet filter: what may leave by the way out, what may come back by it, and nothing else.

nf_tables by netlink(7), in the lab's own namespace: one table, three rules, one transaction. By hand, because neither
nft nor iptables is on every host, and either takes longer than a container's start. Links are known by their group, so
that no rule changes with a network. Source: linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import struct

from containerlab.network.netlink import Netlink, Request, attribute, text

__all__ = ["LEADS_OUT", "WAY_OUT", "set_rules"]

LEADS_OUT, WAY_OUT = 101, 102
"""The groups of the bridges that lead out, and of the link by which they do."""

_NETFILTER = 12
_BEGIN, _END, _NFTABLES = 0x10, 0x11, 10
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 2, 3, 6
_CREATE, _APPEND = 0x400, 0x800
_INET = 1  # NFPROTO_INET: IPv4 and IPv6
_FORWARD, _POSTROUTING = 2, 4
_FILTER_PRIORITY, _SOURCE_NAT_PRIORITY = 0, 100
_DROP, _ACCEPT = 0, 1
_IIF_GROUP, _OIF_GROUP, _CT_STATE = 21, 22, 0
_ESTABLISHED_OR_RELATED = struct.pack("=I", 0b110)
_ZERO = bytes(4)
_EQUAL, _NOT_EQUAL = 0, 1
_TABLE = "containerlab"


def set_rules() -> None:
    """In the calling thread's network namespace. Raises OSError where the kernel has no nf_tables or no NAT."""
    accept = [_expression("immediate", _number(1, 0) + _nested(2, _nested(2, _number(1, _ACCEPT))))]
    inward, outward = _group_is(_IIF_GROUP, WAY_OUT), _group_is(_OIF_GROUP, WAY_OUT)
    requests = [
        # Made, so that there is one to delete; deleted, with all that is in it; made again.
        _message(_NEW_TABLE, _CREATE, text(1, _TABLE)),
        _message(_DELETE_TABLE, 0, text(1, _TABLE)),
        _message(_NEW_TABLE, _CREATE, text(1, _TABLE)),
        _chain("forward", "filter", _FORWARD, _FILTER_PRIORITY, _DROP),
        _chain("postrouting", "nat", _POSTROUTING, _SOURCE_NAT_PRIORITY, _ACCEPT),
        _rule("forward", _group_is(_IIF_GROUP, LEADS_OUT) + outward + accept),
        _rule("forward", inward + _group_is(_OIF_GROUP, LEADS_OUT) + _is_an_answer() + accept),
        _rule("postrouting", [*outward, _expression("masq")]),
    ]
    border = struct.pack("!BBH", 0, 0, _NFTABLES)
    with Netlink(_NETFILTER) as netlink:
        netlink.send(requests, (Request(_BEGIN, 0, border), Request(_END, 0, border)))


def _message(kind: int, flags: int, body: bytes) -> Request:
    """struct nfgenmsg before the attributes."""
    return Request(_NFTABLES << 8 | kind, flags, struct.pack("!BBH", _INET, 0, 0) + body)


def _chain(name: str, kind: str, hook: int, priority: int, policy: int) -> Request:
    where = _nested(4, _number(1, hook) + _number(2, priority))
    return _message(_NEW_CHAIN, _CREATE, text(1, _TABLE) + text(3, name) + where + _number(5, policy) + text(7, kind))


def _rule(chain: str, expressions: list[bytes]) -> Request:
    listed = _nested(4, b"".join(_nested(1, each) for each in expressions))
    return _message(_NEW_RULE, _CREATE | _APPEND, text(1, _TABLE) + text(2, chain) + listed)


def _group_is(key: int, group: int) -> list[bytes]:
    """``meta iifgroup GROUP``: the value into register 1, which is compared."""
    return [_expression("meta", _number(2, key) + _number(1, 1)), _compare(_EQUAL, struct.pack("=I", group))]


def _is_an_answer() -> list[bytes]:
    """``ct state established,related``."""
    mask = _number(1, 1) + _number(2, 1) + _number(3, 4) + _value(4, _ESTABLISHED_OR_RELATED) + _value(5, _ZERO)
    state = _expression("ct", _number(2, _CT_STATE) + _number(1, 1))
    return [state, _expression("bitwise", mask), _compare(_NOT_EQUAL, _ZERO)]


def _compare(operator: int, value: bytes) -> bytes:
    return _expression("cmp", _number(1, 1) + _number(2, operator) + _value(3, value))


def _expression(name: str, body: bytes = b"") -> bytes:
    return text(1, name) + _nested(2, body)


def _value(kind: int, value: bytes) -> bytes:
    return _nested(kind, attribute(1, value))


def _number(kind: int, value: int) -> bytes:
    """nf_tables' numbers are in network byte order."""
    return attribute(kind, struct.pack("!I", value))


def _nested(kind: int, body: bytes) -> bytes:
    return attribute(kind | 0x8000, body)  # NLA_F_NESTED
