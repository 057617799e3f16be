"""``extends``: a service over another, of its own file or of another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from containerlab.errors import ComposeError
from tests.compose.projects import loaded, loaded_files, write


def test_a_service_lies_over_the_one_it_extends() -> None:
    web = loaded(
        """
        services:
          base: {image: a, command: x, environment: {A: 1, B: 1}, ports: ["80:80"], dns: [10.0.0.1]}
          web: {extends: base, command: y, environment: [B=2], ports: ["81:81"], dns: !override [10.0.0.2]}
        """
    ).services["web"]
    assert (web.image, web.command, web.environment) == ("a", ("y",), {"A": "1", "B": "2"})
    assert [port.target for port in web.ports] == [80, 81]
    assert web.dns == ("10.0.0.2",)


def test_extending_goes_on_from_one_to_the_next_and_leaves_the_base_as_it_is() -> None:
    services = loaded(
        "services: {a: {image: a, labels: {l: a}}, b: {extends: {service: a}, labels: {l: b}}, c: {extends: b, tty: true}}"
    ).services
    assert services["c"].labels == {"l": "b"} and services["c"].tty
    assert services["a"].labels == {"l": "a"} and not services["a"].tty


def test_what_is_reset_does_not_come_from_the_base() -> None:
    web = loaded(
        "services: {a: {image: a, ports: [80], command: x}, b: {extends: a, ports: !reset [], command: !reset ''}}"
    )
    assert (web.services["b"].ports, web.services["b"].command) == ((), None)


def test_a_base_of_another_file_has_its_paths_from_there(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "services: {web: {extends: {file: common/base.yaml, service: base}, env_file: own.env}}",
            "common/base.yaml": """
                services:
                  base: {extends: root, build: ./src, volumes: [./data:/data, named:/n], env_file: base.env}
                  root: {image: "${TAG:-lab/x}", volumes: [../top:/top]}
                  unread: {image: 5}
                """,
            "common/base.env": "A=base\nB=base\n",
            "own.env": "B=own\n",
        },
    )
    (tmp_path / "compose.yaml").write_text((tmp_path / "compose.yaml").read_text() + "\nvolumes: {named: }\n")
    web = loaded_files(tmp_path, "compose.yaml").services["web"]
    assert web.build and web.build.context == str(tmp_path / "common" / "src")
    assert [mount.source for mount in web.volumes] == [
        str(tmp_path / "top"),
        str(tmp_path / "common" / "data"),
        "named",
    ]
    assert web.environment == {"A": "base", "B": "own"} and web.image == "lab/x"


def test_resources_of_the_base_s_file_are_not_taken_along(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "services: {web: {extends: {file: base.yaml, service: base}}}",
            "base.yaml": "services: {base: {image: x, volumes: [data:/d]}}\nvolumes: {data: }\n",
        },
    )
    with pytest.raises(ComposeError, match='service "web" refers to undefined volume data') as raised:
        loaded_files(tmp_path, "compose.yaml")
    assert raised.value.file.endswith("base.yaml") and raised.value.line == 1


@pytest.mark.parametrize(
    ("files", "sentence", "line"),
    [
        ({"c.yaml": "services:\n  a: {image: x, extends: b}\n  b: {extends: a}\n"}, "circular reference:\n  a in ", 2),
        ({"c.yaml": "services:\n  a: {extends: a}\n"}, "circular reference", 2),
        ({"c.yaml": "services:\n  web: {extends: bsae}\n  base: {image: x}\n"}, 'cannot extend service "web" in .*: service "bsae" not found', 2),
        ({"c.yaml": "services:\n  web: {extends: {file: no.yaml, service: b}}\n"}, "open .*no.yaml: no such file or directory", 2),
        ({"c.yaml": "services:\n  web: {extends: {file: d.yaml}}\n", "d.yaml": ""}, "extends.web.service is required", 2),
        ({"c.yaml": "services:\n  web: {extends: {file: d.yaml, service: b}}\n", "d.yaml": "x-a: 1"}, 'service "b" not found in', 2),
        ({"c.yaml": "services:\n  web: {extends: {service: b, fiel: d}}\n"}, "additional properties 'fiel' not allowed", 2),
        ({"c.yaml": "services:\n  web: {extends: [b]}\n"}, "must be a string or a mapping, not a list", 2),
        ({"c.yaml": "services:\n  a: {extends: {file: d.yaml, service: b}}\n", "d.yaml": "services: {b: {extends: {file: c.yaml, service: a}}}"}, "circular reference", 1),
    ],
)  # fmt: skip
def test_what_cannot_be_extended_is_said(tmp_path: Path, files: dict[str, str], sentence: str, line: int) -> None:
    write(tmp_path, files)
    with pytest.raises(ComposeError, match=sentence) as raised:
        loaded_files(tmp_path, "c.yaml")
    assert raised.value.line >= line and raised.value.file


def test_a_near_name_is_offered() -> None:
    with pytest.raises(ComposeError) as raised:
        loaded("services: {web: {extends: bsae}, base: {image: x}}")
    assert raised.value.hint == 'Did you mean "base"?'


def test_a_thousand_services_in_a_row_end_in_an_error_and_no_crash() -> None:
    chain = "".join(f"  s{n}: {{extends: s{n + 1}}}\n" for n in range(1000))
    with pytest.raises(ComposeError, match="extends nested deeper than"):
        loaded(f"services:\n{chain}  s1000: {{image: x}}\n")
