"""What is wrong with a file is said at its line, under its path, with what was expected there."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from pathlib import Path

import pytest

from containerlab.errors import ComposeError, InvalidParameter
from tests.compose.projects import loaded, loaded_files, write

_TOP = "services:\n  web:\n    image: x\n"  # what stands before a case that begins with blanks

# A file; the line and the column of its error, its path, and its sentence.
BROKEN: list[tuple[str, int, int, str, str]] = [
    # YAML
    ("a: [1, 2", 1, 9, "", "yaml: did not find expected ',' or ']'"),
    ("services:\n\tweb: {}", 2, 1, "", "yaml: found character that cannot start any token"),
    ("services:\n  web:\n   image: x\n  - b", 4, 3, "", "yaml: did not find expected key"),
    ("services: {}\nservices: {}", 2, 1, "services", 'mapping key "services" already defined at line 1'),
    ("    tty: true\n    tty: false", 5, 5, "services.web.tty", 'mapping key "tty" already defined at line 4'),
    ("- a", 1, 1, "", "Top-level object must be a mapping, not a list"),
    ("just text", 1, 1, "", "Top-level object must be a mapping, not the string"),
    ("    dns: *nobody", 4, 10, "services.web.dns", 'unknown anchor "nobody"'),
    ("x: &a {b: *a}", 1, 11, "x.b", "contains itself"),
    ("    command: !shell x", 4, 14, "services.web.command", "unknown tag !shell"),
    ("    1: x", 4, 5, "services.web", "Non-string key in services.web: 1"),
    ("    <<: [1]", 4, 10, "services.web[0]", "map merge requires map"),
    ("", 1, 0, "", "empty compose file"),
    # names
    ("    imgae: y", 4, 5, "services.web", "additional properties 'imgae' not allowed"),
    ("    build: {contxt: .}", 4, 13, "services.web.build", "additional properties 'contxt' not allowed"),
    ("service: {}", 1, 1, "", "additional properties 'service' not allowed"),
    ("web: {image: x}", 1, 1, "", "additional properties 'web' not allowed"),
    ("    ports: [{target: 80, publish: 80}]", 4, 26, "services.web.ports[0]", "additional properties 'publish' not allowed"),
    ("services: {'a b': {image: x}}", 1, 12, "services", "additional properties 'a b' not allowed"),
    ("networks: {n: {subnet: 10.0.0.0/8}}", 1, 16, "networks.n", "additional properties 'subnet' not allowed"),
    # types
    ("services: []", 1, 11, "services", "must be a mapping, not a list"),
    ("    image: [x]", 4, 5, "", "already defined"),
    ("    user: 1000", 4, 11, "services.web.user", "must be a string, not the number 1000"),
    ("    command: {a: b}", 4, 14, "services.web.command", "must be a string or a list, not a mapping"),
    ("    command: [sleep, 10]", 4, 22, "services.web.command[1]", "must be a string, not the number 10"),
    ("    tty: maybe", 4, 10, "services.web.tty", "invalid boolean: maybe"),
    ("    scale: many", 4, 12, "services.web.scale", "must be an integer, not many"),
    ("    cpus: lots", 4, 11, "services.web.cpus", "must be a number, not lots"),
    ("    mem_limit: 1 apple", 4, 16, "services.web.mem_limit", "invalid size: '1 apple'"),
    ("    stop_grace_period: '30'", 4, 24, "services.web.stop_grace_period", 'invalid duration "30"'),
    ("    stop_grace_period: 30", 4, 24, "services.web.stop_grace_period", "must be a string, not the number 30"),
    ("    ports: 80", 4, 12, "services.web.ports", "must be a list, not the number 80"),
    ("    environment: text", 4, 18, "services.web.environment", "must be a mapping or a list of NAME=VALUE"),
    ("    environment: {A: {b: c}}", 4, 22, "services.web.environment.A", "must be a string, number, boolean or null"),
    ("    volumes: [[a]]", 4, 15, "services.web.volumes[0]", "must be a string or a mapping, not a list"),
    # values
    ("    ports: [80x]", 4, 13, "services.web.ports[0]", "invalid containerPort: 80x"),
    ("    ports: ['1-2:80-89']", 4, 13, "services.web.ports[0]", "invalid ranges specified for container and host Ports"),
    ("    ports: ['70000:80']", 4, 13, "services.web.ports[0]", "invalid hostPort: 70000"),
    ("    ports: ['1.2.3:80:80']", 4, 13, "services.web.ports[0]", "invalid IP address: 1.2.3"),
    ("    ports: ['80/icmp']", 4, 13, "services.web.ports[0]", "invalid proto: icmp"),
    ("    ports: ['80:']", 4, 13, "services.web.ports[0]", "no port specified: 80:<empty>"),
    ("    ports: [{published: 80}]", 4, 13, "services.web.ports[0]", "missing property 'target'"),
    ("    ports: [{target: 80, host_ip: x}]", 4, 35, "services.web.ports[0].host_ip", "invalid ip address: x"),
    ("    expose: [a]", 4, 14, "services.web.expose[0]", "invalid port range: a"),
    ("    volumes: ['a:b:c:d']", 4, 15, "services.web.volumes[0]", "invalid spec: a:b:c:d: too many colons"),
    ("    volumes: ['a::/b']", 4, 15, "services.web.volumes[0]", "empty section between colons"),
    ("    volumes: ['./a:/b:fast']", 4, 15, "services.web.volumes[0]", "unknown option fast"),
    ("    volumes: ['./a:b']", 4, 15, "services.web.volumes[0]", "mount path must be absolute"),
    ("    volumes: [{type: image, target: /a}]", 4, 22, "services.web.volumes[0].type", "value must be one of 'volume', 'bind', 'tmpfs'"),
    ("    volumes: [{type: tmpfs, target: /a, bind: {propagation: shared}}]", 4, 41, "services.web.volumes[0].bind", "bind options are not for a mount of type tmpfs"),
    ("    devices: ['a:b:c:d']", 4, 15, "services.web.devices[0]", "confusing device mapping"),
    ("    restart: sometimes", 4, 14, "services.web.restart", "unknown policy 'sometimes'"),
    ("    restart: always:3", 4, 14, "services.web.restart", "invalid restart policy: 'always:3'"),
    ("    pull_policy: often", 4, 18, "services.web.pull_policy", "must be always, never, missing"),
    ("    command: \"a 'b\"", 4, 14, "services.web.command", "invalid command line: no closing quotation"),
    ("    healthcheck: {test: [curl, x]}", 4, 25, "services.web.healthcheck.test", "must start either by"),
    ("    depends_on: {web2: {condition: healthy}}", 4, 36, "services.web.depends_on.web2.condition", "value must be one of 'service_started', 'service_healthy'"),
    ("    extra_hosts: [db]", 4, 19, "services.web.extra_hosts[0]", "invalid additional host, missing IP"),
    ("    container_name: -x", 4, 21, "services.web.container_name", "must be a container's name"),
    ("    ulimits: {nofile: {soft: 1}}", 4, 23, "services.web.ulimits.nofile", "missing property 'hard'"),
    ("networks: {n: {ipam: {config: [{subnet: 10.0.0.0/99}]}}}", 1, 41, "networks.n.ipam.config[0].subnet", "invalid subnet 10.0.0.0/99"),
    ("volumes: {v: {external: true, driver: x}}", 1, 31, "volumes.v", 'conflicting parameters "external" and "driver" specified'),
    ("secrets: {s: {}}", 1, 14, "secrets.s", "one of file, environment must be set"),
    ("configs: {c: {file: a, content: b}}", 1, 14, "configs.c", "file|environment|content attributes are mutually exclusive"),
    # variables
    ("    hostname: ${HOST:?name it}", 4, 15, "services.web.hostname", "required variable HOST is missing a value: name it"),
    ("    hostname: ${HOST", 4, 15, "services.web.hostname", "invalid interpolation format for services.web.hostname"),
    # references
    ("    networks: [back]", 4, 16, "services.web.networks.back", 'service "web" refers to undefined network back'),
    ("    volumes: ['data:/d']", 4, 15, "services.web.volumes[0]", 'service "web" refers to undefined volume data'),
    ("    secrets: [s]", 4, 15, "services.web.secrets[0]", 'service "web" refers to undefined secret s'),
    ("    configs: [c]", 4, 15, "services.web.configs[0]", 'service "web" refers to undefined config c'),
    ("    build: {secrets: [s]}", 4, 23, "services.web.build.secrets[0]", 'refers to undefined build secret s'),
    ("    depends_on: [db]", 4, 18, "services.web.depends_on", 'service "web" depends on undefined service "db"'),
    ("    links: ['db:x']", 4, 5, "services.web.links", 'service "web" depends on undefined service "db"'),
    ("    network_mode: service:db", 4, 5, "services.web.network_mode", "service \"db\" not found for network_mode 'service:db'"),
    ("    network_mode: host\n    networks: [n]", 5, 5, "services.web", "mutually exclusive `network_mode` and `networks`"),
    ("services:\n  web: {command: x}", 2, 3, "services.web", 'service "web" has neither an image nor a build context specified'),
    ("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x, depends_on: [a]}", 4, 30, "services.c.depends_on", "dependency cycle detected: a -> b -> c -> a"),
    ("    depends_on: [web]", 4, 18, "services.web.depends_on", "dependency cycle detected: web -> web"),
    ("    scale: 2\n    deploy: {replicas: 3}", 4, 5, "services.web", "can't set distinct values on 'scale' and 'deploy.replicas'"),
    ("    container_name: one\n    scale: 2", 4, 5, "services.web.container_name", "can't set container_name and scale"),
    ("    container_name: one\n  b: {image: x}\n  a: {image: x, container_name: one}", 4, 5, "services.web.container_name", 'container name "one" is already in use by service "a"'),
    ("    scale: -1", 4, 5, "services.web.scale", "must be greater than or equal to 0"),
    ("    tmpfs: [/t]\n    volumes: [/t]", 5, 15, "services.web.volumes[0]", "target /t already mounted as services.web.tmpfs[0]"),
    ("    env_file: none.env", 4, 15, "services.web.env_file", "env file /lab/none.env not found"),
    ("name: Upper", 1, 7, "name", 'invalid project name "Upper"'),
]  # fmt: skip


def whole(text: str) -> str:
    """The file of a case."""
    return _TOP + text + "\n" if text.startswith(" ") else text


@pytest.mark.parametrize(("text", "line", "column", "path", "sentence"), BROKEN)
def test_a_broken_file_is_refused_at_its_place(text: str, line: int, column: int, path: str, sentence: str) -> None:
    with pytest.raises(ComposeError) as raised:
        loaded(whole(text), project_name=None if text.startswith("name") else "lab")
    error = raised.value
    assert sentence in error.message
    assert (error.file, error.line, error.column) == ("compose.yaml", line, column)
    assert not path or error.path == path


# Fields of the specification that one host and this engine can't carry out.
_REFUSED = [
    "blkio_config: {weight: 300}", "cpu_count: 2", "cpu_percent: 50", "credential_spec: {file: x}", "gpus: all",
    "develop: {watch: [{path: ., action: sync, target: /x}]}", "models: [m]", "provider: {type: x}", "isolation: hyperv",
    "post_start: [{command: x}]", "pre_stop: [{command: x}]", "use_api_socket: true",
    "build: {additional_contexts: {a: .}}", "build: {ssh: [default]}", "build: {cache_to: [x]}", "build: {platform: x, sbom: true}",
    "build: https://example.test/repo.git", "build: {context: git@example.test:repo.git}",
    "deploy: {mode: global}", "deploy: {placement: {constraints: [a]}}", "deploy: {update_config: {parallelism: 1}}",
    "deploy: {endpoint_mode: dnsrr}", "deploy: {restart_policy: {window: 5s}}", "deploy: {rollback_config: {order: stop-first}}",
    "deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}",
    "volumes: [{type: bind, source: /a, target: /b, bind: {recursive: disabled}}]",
    "networks: {default: {interface_name: eth9}}",
]  # fmt: skip


@pytest.mark.parametrize("field", [field for field in _REFUSED if "platform" not in field])
def test_what_cannot_be_carried_out_is_named_with_its_line_and_why(field: str) -> None:
    with pytest.raises(ComposeError, match=r"is not supported: .+|Mounts of other types") as raised:
        loaded(_TOP + textwrap.indent(field, "    ") + "\n")
    assert raised.value.line == 4 and raised.value.path.startswith("services.web.")


@pytest.mark.parametrize(
    "text",
    ["models: {m: {model: x}}", "secrets: {s: {file: x, driver: y}}", "configs: {c: {file: x, template_driver: y}}"],
)
def test_what_a_swarm_or_a_model_needs_is_refused_at_the_top_level_too(text: str) -> None:
    with pytest.raises(ComposeError, match="is not supported") as raised:
        loaded("services: {}\n" + text)
    assert raised.value.line == 2


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("    imgae: y", 'Did you mean "image"?'),
        ("    enviroment: {}", 'Did you mean "environment"?'),
        ("    ports: [{target: 80, publishd: 80}]", 'Did you mean "published"?'),
        ("    networks: [bakc]\nnetworks: {back: }", 'Did you mean "back"?'),
        ("services:\n  web:\n  image: x\n", '"image" belongs to a service: indent it below the service\'s name.'),
        ("    environment:\n      - A: 1", "In a list write NAME=VALUE."),
        ("    stop_grace_period: 5", "A duration is numbers and units, as in 1m30s."),
        ("servcies: {}", 'Did you mean "services"?'),
        ("    user: 5", "Put the value into quotes."),
        ("services:\n\tweb: {}", "YAML is indented by spaces, not by tabs."),
        ("    hostname: ${X", "You may need to escape any $ with another $."),
    ],
)
def test_a_hint_says_what_may_have_been_meant(text: str, hint: str) -> None:
    with pytest.raises(ComposeError) as raised:
        loaded(whole(text))
    assert raised.value.hint == hint


def test_a_service_that_is_off_cannot_be_depended_on_and_its_profiles_are_named() -> None:
    with pytest.raises(ComposeError, match='service "web" depends on undefined service "db"') as raised:
        loaded("services: {web: {image: x, depends_on: [db]}, db: {image: x, profiles: [a, b]}}")
    assert raised.value.hint == 'Service "db" has the profiles a, b, none of which is active.'


def test_an_error_shows_place_path_line_and_hint() -> None:
    with pytest.raises(ComposeError) as raised:
        loaded(_TOP + "    imgae: y\n")
    assert str(raised.value).splitlines() == [
        "compose.yaml:4:5: services.web: additional properties 'imgae' not allowed",
        "  4 |     imgae: y",
        'Did you mean "image"?',
    ]
    assert raised.value._render_traceback_() == str(raised.value).splitlines()
    assert isinstance(raised.value, InvalidParameter) and raised.value.status == 400


def test_a_long_line_is_cut_in_an_error() -> None:
    with pytest.raises(ComposeError) as raised:
        loaded("services: {web: {x: '" + "y" * 10000 + "'}}")
    assert len(str(raised.value)) < 600


def test_a_file_elsewhere_is_named_by_its_path(tmp_path: Path) -> None:
    write(tmp_path, {"sub/compose.yaml": "services:\n  web: {imag: x}\n"})
    with pytest.raises(ComposeError) as raised:
        loaded_files(tmp_path, "sub/compose.yaml")
    assert raised.value.file == str(tmp_path / "sub" / "compose.yaml")
    with pytest.raises(ComposeError, match="no such file or directory"):
        loaded_files(tmp_path, "none.yaml")


def test_a_thousand_services_that_wait_for_one_another_are_read_and_their_circle_found() -> None:
    chain = "".join(f"  s{n}: {{image: x, depends_on: [s{n + 1}]}}\n" for n in range(1000))
    assert len(loaded(f"services:\n{chain}  s1000: {{image: x}}\n").services) == 1001
    with pytest.raises(ComposeError, match="dependency cycle detected"):
        loaded(f"services:\n{chain}  s1000: {{image: x, depends_on: [s0]}}\n")


_NAMES = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        # Each of thirty files includes the next one twice: a thousand million readings of the last.
        (
            {f"{n}.yaml": f"include: [{{path: {n + 1}.yaml}}, {n + 1}.yaml]" for n in range(30)}
            | {"30.yaml": "x-a: 1"},
            "more than 1000 files",
        ),
        # Each variable is the one before it ten times.
        (
            {
                "0.yaml": "services: {}",
                ".env": "a=xxxxxxxxxx\n" + "".join(f"{new}={f'${old}' * 10}\n" for old, new in pairwise(_NAMES)),
            },
            "longer than 16777216 characters",
        ),
        (
            {"0.yaml": "services: {w: {image: x, command: [" + "'$A'," * 2000 + "]}}", ".env": "A=" + "x" * 100_000},
            "longer than 16777216 characters",
        ),
        (
            {"0.yaml": "x: &p ['1-65535']\nservices: {a: {image: x, ports: *p}, b: {image: x, ports: *p}}"},
            "more than 70000 ports",
        ),
        (
            {
                "0.yaml": "services:\n  a: {image: x, environment: ["
                + ",".join(f"A{n}" for n in range(10_000))
                + "]}\n"
                + "".join(f"  b{n}: {{extends: a}}\n" for n in range(100))
            },
            "more than 300000 values",
        ),
    ],
    ids=["includes", "dotenv", "variables", "ports", "extends"],
)
def test_what_grows_without_end_is_refused(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    write(tmp_path, files)
    with pytest.raises(ComposeError, match=sentence):
        loaded_files(tmp_path, "0.yaml")


@pytest.mark.parametrize("field", ["env_file", "label_file", "include", "extends"])
def test_a_name_that_no_file_can_have_is_an_error_like_any_other(tmp_path: Path, field: str) -> None:
    for name in ('"a\\0b"', "n" * 300):
        value = f"{{file: {name}, service: a}}" if field == "extends" else f"[{name}]"
        text = f"services: {{web: {{image: x, {field}: {value}}}}}" if field != "include" else f"include: {value}"
        write(tmp_path, {"compose.yaml": text})
        with pytest.raises(ComposeError, match=r"invalid argument|file name too long"):
            loaded_files(tmp_path, "compose.yaml")
