"""Whatever a file holds, it is loaded or refused by a ``ComposeError``: no other exception, no hang."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from containerlab.compose import config
from containerlab.errors import ComposeError
from tests.compose.projects import loaded

_FIELDS = (
    "image", "build", "command", "entrypoint", "environment", "env_file", "ports", "expose", "volumes", "networks", "depends_on",
    "healthcheck", "deploy", "scale", "profiles", "secrets", "configs", "labels", "extends", "ulimits", "devices", "logging",
    "extra_hosts", "dns", "tmpfs", "mem_limit", "restart", "network_mode", "links", "volumes_from", "stop_grace_period", "sysctls",
    "x-a", "context", "args", "target", "source", "type", "published", "test", "interval", "condition", "replicas", "resources",
    "limits", "memory", "soft", "hard", "path", "file", "service", "aliases", "external", "name", "a", "b", "default", "ipam",
    "config", "subnet", "content", "mode", "bind", "tmpfs", "options", "label_file", "pull_policy", "cpus", "container_name",
)  # fmt: skip
_WORDS = (
    "", "a", "b", "a:b", "/a", "./a:/b", "80", "80:80", "1-2:3-4", "8000-8001:80", "a=b", "1m", "1m30s", "no", "yes", "${A}", "${", "$$",
    "${A:-b}", "-1", "0.5", "service:a", "bind", "volume", "tmpfs", "10.0.0.0/8", "always", "on-failure:2", "::1", "[::1]:1:2", "~", "/",
    "127.0.0.1::80/udp", "CMD", "service_healthy", "9" * 30, "é", "a\nb", "..", ":", "=", "'", "none.env", "a\0b", "/" + "n" * 300,
)  # fmt: skip
_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 70000), st.floats(allow_nan=False), st.sampled_from(_WORDS)
)
_values: st.SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=4)),
    max_leaves=12,
)
_parts = st.dictionaries(st.sampled_from(_FIELDS), _values, max_size=2)
_services = st.dictionaries(
    st.sampled_from(("a", "b")), _parts.map(lambda own: {"image": "x", **own}), min_size=1, max_size=2
)
_resources = st.dictionaries(st.sampled_from(("a", "b", "default")), st.one_of(st.none(), _parts), max_size=2)
_projects = st.fixed_dictionaries(
    {"services": _services},
    optional=dict.fromkeys(("networks", "volumes", "secrets", "configs"), _resources),
)


@settings(max_examples=200, deadline=None)
@given(_projects)
def test_any_project_is_loaded_or_refused(project: dict[str, Any]) -> None:
    try:
        first = loaded(json.dumps(project), profiles=["*"])
    except ComposeError as error:
        assert error.message
        return
    again = loaded(config.as_yaml(first), profiles=["*"])
    assert config.as_yaml(again) == config.as_yaml(first)


def _field(name: str) -> st.SearchStrategy[Any]:
    return st.one_of(
        _values,
        st.lists(st.sampled_from(_WORDS), max_size=3),
        st.dictionaries(st.sampled_from(_FIELDS), _scalars, max_size=3),
    )


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_field_of_a_service_is_read_or_refused_at_its_place(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(_FIELDS))
    text = json.dumps({"services": {"web": {"image": "x", name: data.draw(_field(name))}}})
    try:
        loaded(text, profiles=["*"])
    except ComposeError as error:
        assert error.line == 1 and error.column > 1
