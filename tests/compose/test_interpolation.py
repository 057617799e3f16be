"""Variables in values, ``.env`` and ``env_file``, and the ``COMPOSE_…`` variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containerlab.compose import dotenv
from containerlab.compose.interpolation import InvalidTemplate, MissingVariable, Variables, substitute
from containerlab.compose.load import load
from containerlab.errors import ComposeError
from tests.compose.projects import ENVIRON, loaded, loaded_files, service, write

_VALUES = {"SET": "value", "EMPTY": "", "_U1": "under"}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("$SET", "value"), ("${SET}", "value"), ("a$SET-b", "avalue-b"), ("$_U1", "under"), ("$SETTLE", ""),
        ("${UNSET:-d}", "d"), ("${EMPTY:-d}", "d"), ("${SET:-d}", "value"),
        ("${UNSET-d}", "d"), ("${EMPTY-d}", ""), ("${SET-d}", "value"),
        ("${UNSET:+a}", ""), ("${EMPTY:+a}", ""), ("${SET:+a}", "a"),
        ("${UNSET+a}", ""), ("${EMPTY+a}", "a"), ("${SET+a}", "a"),
        ("${SET:?e}", "value"), ("${EMPTY?e}", ""),
        ("$$SET", "$SET"), ("$$$SET", "$value"), ("$$$$", "$$"), ("$", "$"), ("5$", "5$"), ("$5", "$5"), ("a$ b", "a$ b"),
        ("${UNSET:-${SET}}", "value"), ("${UNSET:-${NONE:-${SET:-x}}}", "value"), ("${UNSET:-a${SET}b}", "avalueb"),
        ("${UNSET:-$$}", "$"), ("${UNSET:-{\"a\": 1}}", '{"a": 1}'), ("${UNSET:-}", ""), ("${UNSET:--}", "-"),
        ("${UNSET:-http://h:1/}", "http://h:1/"), ("${SET:-${NONE:?never}}", "value"), ("${SET:+${SET}}", "value"),
        ("${UNSET-:-}", ":-"), ("}{", "}{"),
    ],
)  # fmt: skip
def test_a_template_is_filled(template: str, filled: str) -> None:
    assert substitute(template, Variables(_VALUES)) == filled


@pytest.mark.parametrize(
    "template", ["${", "${SET", "${}", "${SET!}", "${5}", "${SET:-", "${SET:}", "${ SET}", "${UNSET:-${}}"]
)
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(InvalidTemplate):
        substitute(template, Variables(_VALUES))


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("${UNSET?}", "required variable UNSET is missing a value"),
        ("${EMPTY:?say it}", "required variable EMPTY is missing a value: say it"),
        ("${UNSET:?like $SET}", "required variable UNSET is missing a value: like value"),
        ("${UNSET:-${NONE?deep}}", "required variable NONE is missing a value: deep"),
    ],
)
def test_a_required_variable_that_is_missing_is_said(template: str, sentence: str) -> None:
    with pytest.raises(MissingVariable) as raised:
        substitute(template, Variables(_VALUES))
    assert raised.value.message == sentence


def test_an_undefined_variable_is_warned_of_once_and_is_blank() -> None:
    project = loaded("services: {web: {image: 'a$B', command: '$B ${C:-c} ${D+d}'}}")
    assert project.services["web"].image == "a"
    assert project.warnings == ('The "B" variable is not set. Defaulting to a blank string.',)


def test_values_are_filled_after_parsing_so_a_value_makes_no_structure() -> None:
    web = service("labels: {a: '${X}'}\nenvironment: ['${X}']\n", {"X": "k: [1, 2]"})
    assert web.labels == {"a": "k: [1, 2]"}
    assert web.environment == {"k: [1, 2]": None}


def test_a_filled_value_is_taken_as_the_field_wants_it() -> None:
    web = service(
        "scale: ${N}\ntty: ${T}\nmem_limit: ${M}\nports: ['${P}:80']\n", {"N": "3", "T": "true", "M": "1g", "P": "8080"}
    )
    assert (web.scale, web.tty, web.mem_limit, web.ports[0].published) == (3, True, 1 << 30, "8080")


def test_a_filled_value_keeps_its_zeros_where_a_written_number_loses_them() -> None:
    assert service("environment: {A: '${V}', B: 1.10}\n", {"V": "1.10"}).environment == {"A": "1.10", "B": "1.1"}


def test_keys_are_never_filled() -> None:
    assert service("labels: {'$X': '$X'}\n", {"X": "x"}).labels == {"$X": "x"}


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="$${}:-+?AB_1 \\\"'é", max_size=60))
def test_any_template_is_filled_or_refused(template: str) -> None:
    try:
        filled = substitute(template, Variables({"A": "1", "B": ""}))
    except (InvalidTemplate, MissingVariable):
        return
    if "$" not in template:
        assert filled == template


def test_deep_nesting_is_refused_and_no_crash() -> None:
    with pytest.raises(InvalidTemplate):
        substitute("${A:-" * 5000 + "}" * 5000, Variables({}))


_DOTENV = r"""
# a comment
PLAIN=one two   # said after
HASH=a#b
export SHOUT=hey
SINGLE='as $IT is \n' # c
DOUBLE="line\nbreak $PLAIN \$5"
YAML: colon
SPACED = around
MANY="first
second"
EMPTY=
FILLED=${PLAIN}-${CALLER}-${NONE:-d}
CALLER
ABSENT
"""


def test_env_files_are_read_by_the_rules_of_compose() -> None:
    assert dotenv.parse(_DOTENV, {"CALLER": "caller's"}) == {
        "PLAIN": "one two",
        "HASH": "a#b",
        "SHOUT": "hey",
        "SINGLE": "as $IT is \\n",
        "DOUBLE": "line\nbreak one two $5",
        "YAML": "colon",
        "SPACED": "around",
        "MANY": "first\nsecond",
        "EMPTY": "",
        "FILLED": "one two-caller's-d",
        "CALLER": "caller's",
    }


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("A=1\nB C=2\n", 2, "key cannot contain a space"),
        ("A=1\n\nB!=2\n", 3, 'unexpected character "!" in variable name "B!=2"'),
        ("A='open\n", 1, "unterminated quoted value 'open"),
        ("A=${B:?give B}\n", 1, "required variable B is missing a value: give B"),
        ("A=${\n", 1, "invalid template"),
        ("=1\n", 1, "a value without a variable name"),
    ],
)
def test_a_broken_env_file_is_said_at_its_line(text: str, line: int, sentence: str) -> None:
    with pytest.raises(ComposeError) as raised:
        dotenv.parse(text, {}, ".env")
    assert sentence in raised.value.message and raised.value.line == line and raised.value.file == ".env"


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="AB= \n\"'#:$\\{}-exporté\t", max_size=60))
def test_any_env_file_is_read_or_refused(text: str) -> None:
    try:
        dotenv.parse(text, {"A": "1"})
    except ComposeError as error:
        assert error.line >= 1


def test_the_caller_wins_over_dotenv_and_an_env_file_option_takes_its_place(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"compose.yaml": "services: {web: {image: '$A-$B'}}", ".env": "A=dot\nB=dot\n", "other.env": "A=other\nB=o\n"},
    )
    assert loaded_files(tmp_path, "compose.yaml", environ={"B": "caller"}).services["web"].image == "dot-caller"
    other = loaded_files(tmp_path, "compose.yaml", env_files=[tmp_path / "other.env"])
    assert other.services["web"].image == "other-o"
    with pytest.raises(ComposeError, match=r"couldn't find env file: .*none.env"):
        loaded_files(tmp_path, "compose.yaml", env_files=[tmp_path / "none.env"])


def test_compose_file_names_several_files_with_a_separator(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "services: {web: {image: a}}", "b.yaml": "services: {web: {image: b}}"})
    for separator, names in ((":", "a.yaml:b.yaml"), (";", "a.yaml;b.yaml")):
        environ = {**ENVIRON, "COMPOSE_FILE": names, "COMPOSE_PATH_SEPARATOR": separator}
        project = load(None, project_directory=tmp_path, environ=environ)
        assert project.services["web"].image == "b" and len(project.files) == 2


def test_compose_variables_may_stand_in_dotenv(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "x/app.yaml": "services: {web: {image: a, profiles: [p]}, all: {image: '$COMPOSE_PROJECT_NAME'}}",
            ".env": "COMPOSE_FILE=x/app.yaml\nCOMPOSE_PROJECT_NAME=dotted\nCOMPOSE_PROFILES=p,q\n",
        },
    )
    project = load(None, project_directory=tmp_path, environ=ENVIRON)
    assert (project.name, sorted(project.services)) == ("dotted", ["all", "web"])
    assert project.services["all"].image == "dotted"


def test_the_file_is_looked_for_in_the_folders_above_with_its_override(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "compose.yaml": "services: {web: {image: a}}",
            "docker-compose.yml": "services: {web: {image: old}}",
            "compose.override.yaml": "services: {web: {command: b}}",
            "deep/er/x": "",
        },
    )
    project = load(None, project_directory=tmp_path / "deep" / "er", environ=ENVIRON)
    assert (project.services["web"].image, project.services["web"].command) == ("a", ("b",))
    assert project.warnings[0] == "Found multiple config files with supported names: compose.yaml, docker-compose.yml"
    (tmp_path / "compose.yaml").unlink()
    (tmp_path / "docker-compose.yml").unlink()
    with pytest.raises(ComposeError, match="no configuration file provided: not found"):
        load(None, project_directory=tmp_path, environ=ENVIRON)


def test_a_working_directory_that_is_gone_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ComposeError, match="the working directory is no longer there"):
        load(None, environ=ENVIRON)


@pytest.mark.parametrize(
    ("folder", "text", "given", "environ", "name"),
    [
        ("My App_1.2", "", None, {}, "myapp_12"),
        ("--x", "", None, {}, "x"),
        ("d", "name: from-file", None, {}, "from-file"),
        ("d", "name: ${N:-n}x", None, {}, "nx"),
        ("d", "name: from-file", None, {"COMPOSE_PROJECT_NAME": "variable"}, "variable"),
        ("d", "name: from-file", "asked", {"COMPOSE_PROJECT_NAME": "variable"}, "asked"),
    ],
)
def test_a_project_has_a_name(
    tmp_path: Path, folder: str, text: str, given: str | None, environ: dict[str, str], name: str
) -> None:
    write(tmp_path / folder, {"compose.yaml": f"services: {{}}\n{text}\n"})
    assert loaded_files(tmp_path / folder, "compose.yaml", environ=environ, project_name=given).name == name


@pytest.mark.parametrize("name", ["Upper", "-dash", "a b", "a/b", "ä"])
def test_a_name_that_is_given_is_not_bent(name: str) -> None:
    with pytest.raises(ComposeError, match=f'invalid project name "{name}": must consist only of lowercase'):
        loaded("services: {}", project_name=name)
    with pytest.raises(ComposeError, match="must consist only of lowercase") as raised:
        loaded(f"services: {{}}\nname: '{name}'\n", project_name=None)
    assert raised.value.line == 2
