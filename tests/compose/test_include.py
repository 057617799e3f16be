"""``include``: other projects' files, each with its own folder and variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from containerlab.errors import ComposeError
from tests.compose.projects import loaded_files, write


def test_what_is_included_is_part_of_the_project(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "include: [team/compose.yaml]\nservices: {web: {image: w, depends_on: [db]}}",
            "team/compose.yaml": """
                name: ignored
                services: {db: {image: d, build: ., volumes: [./data:/d, v:/v], networks: [n], secrets: [s]}}
                volumes: {v: }
                networks: {n: }
                secrets: {s: {file: s.txt}}
                """,
        },
    )
    project = loaded_files(tmp_path, "compose.yaml")
    db = project.services["db"]
    assert project.name == "lab" and db.build and db.build.context == str(tmp_path / "team")
    assert db.volumes[0].source == str(tmp_path / "team" / "data")
    assert project.secrets["s"].file == str(tmp_path / "team" / "s.txt")
    assert project.volumes["v"].name == "lab_v" and project.networks["n"].name == "lab_n"


def test_an_included_file_has_its_own_dotenv_below_the_caller_s_variables(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "include: [{path: team/compose.yaml}]\nservices: {web: {image: '${A:-none}-${B:-none}'}}",
            "team/compose.yaml": "services: {db: {image: '$A-$B'}}",
            "team/.env": "A=theirs\nB=theirs\n",
        },
    )
    project = loaded_files(tmp_path, "compose.yaml", environ={"B": "caller's"})
    assert project.services["db"].image == "theirs-caller's"
    assert project.services["web"].image == "none-caller's"


def test_the_long_form_names_folder_variables_and_overrides(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": """
                include:
                  - path: [team/compose.yaml, over.yaml]
                    project_directory: elsewhere
                    env_file: [one.env, two.env]
                services: {web: {image: w}}
                """,
            "team/compose.yaml": "services: {db: {image: '$A-$B', volumes: [./d:/d]}}",
            "over.yaml": "services: {db: {command: over}}",
            "one.env": "A=1\nB=1\n",
            "two.env": "B=2\n",
        },
    )
    db = loaded_files(tmp_path, "compose.yaml").services["db"]
    assert (db.image, db.command) == ("1-2", ("over",))
    assert db.volumes[0].source == str(tmp_path / "elsewhere" / "d")


def test_a_later_file_lies_over_what_an_earlier_one_includes(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.yaml": "include: [team.yaml]",
            "team.yaml": "services: {db: {image: d, environment: {A: 1}}}",
            "b.yaml": "services: {db: {environment: {B: 2}}}",
        },
    )
    assert loaded_files(tmp_path, "a.yaml", "b.yaml").services["db"].environment == {"A": "1", "B": "2"}


def test_a_service_may_extend_an_included_one(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"a.yaml": "include: [team.yaml]\nservices: {web: {extends: db}}", "team.yaml": "services: {db: {image: d}}"},
    )
    assert loaded_files(tmp_path, "a.yaml").services["web"].image == "d"


def test_an_included_file_may_include(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.yaml": "include: [one/b.yaml]\nservices: {a: {image: a}}",
            "one/b.yaml": "include: [two/c.yaml]\nservices: {b: {image: b}}",
            "one/two/c.yaml": "services: {c: {image: c, volumes: [./x:/x]}}",
        },
    )
    project = loaded_files(tmp_path, "a.yaml")
    assert sorted(project.services) == ["a", "b", "c"]
    assert project.services["c"].volumes[0].source == str(tmp_path / "one" / "two" / "x")


def test_the_same_resource_twice_is_no_conflict_another_one_is(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.yaml": "include: [team.yaml]\nservices: {web: {image: w}}\nnetworks:\n  n: {driver: bridge}\n",
            "team.yaml": "services: {db: {image: d}}\nnetworks: {n: {driver: bridge}}\n",
        },
    )
    assert sorted(loaded_files(tmp_path, "a.yaml").services) == ["db", "web"]
    write(tmp_path, {"team.yaml": "services: {db: {image: d}}\nnetworks: {n: {internal: true}}\n"})
    with pytest.raises(ComposeError, match=r"networks\.n conflicts with imported resource") as raised:
        loaded_files(tmp_path, "a.yaml")
    assert raised.value.line == 4 and "team.yaml:2:" in raised.value.hint


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.yaml": "include: [b.yaml]", "b.yaml": "include: [a.yaml]"}, "include cycle detected"),
        ({"a.yaml": "include: [a.yaml]"}, "include cycle detected"),
        ({"a.yaml": "include: [no.yaml]"}, "no.yaml: no such file or directory"),
        ({"a.yaml": "include: b.yaml"}, "`include` must be a list"),
        ({"a.yaml": "include: [{project_directory: x}]"}, "missing property 'path'"),
        ({"a.yaml": "include: [{path: b.yaml, envfile: x}]"}, "additional properties 'envfile' not allowed"),
        ({"a.yaml": "include: [{path: b.yaml, env_file: no.env}]", "b.yaml": ""}, "no.env not found"),
        ({"a.yaml": "include: ['https://example.test/c.git']"}, "is not supported: a file of this host alone"),
        (
            {"a.yaml": "include: [b.yaml]", "b.yaml": "services: {x: {imag: y}}"},
            "additional properties 'imag' not allowed",
        ),
    ],
)
def test_what_cannot_be_included_is_said(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    write(tmp_path, {name: text + "\n" for name, text in files.items()})
    with pytest.raises(ComposeError, match=sentence) as raised:
        loaded_files(tmp_path, "a.yaml")
    assert raised.value.line and raised.value.column
