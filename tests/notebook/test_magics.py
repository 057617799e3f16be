"""``%container`` and ``%%container`` in a real IPython shell, against an engine."""

from __future__ import annotations

import docker
import pytest
from IPython.core.error import UsageError as NoSuchMagic

from containerlab.commands.problems import ContainerExited
from containerlab.errors import NoSuchContainer, NoSuchImage, StartFailed, UsageError
from tests.notebook.conftest import TestingShell

RUN = "run --rm --network none"
IMAGE = "lab/busybox"


def test_loading_twice_and_unloading_leaves_the_shell_as_it_was(bare_shell: TestingShell) -> None:
    before = len(bare_shell.Completer.custom_matchers)
    bare_shell.cell("%load_ext containerlab")
    bare_shell.cell("%reload_ext containerlab")
    assert len(bare_shell.Completer.custom_matchers) == before + 1
    bare_shell.cell("%unload_ext containerlab")
    assert len(bare_shell.Completer.custom_matchers) == before
    assert "container" not in bare_shell.magics_manager.magics["line"]
    assert "dockerfile" not in bare_shell.magics_manager.magics["cell"]


def test_a_run_prints_and_shows_nothing_more(shell: TestingShell) -> None:
    shown = shell.shown(f"%container {RUN} {IMAGE} sh -c 'echo out; echo err >&2'")
    assert (shown.stdout, shown.stderr, shown.outputs) == ("out\n", "err\n", [])


def test_a_run_can_be_assigned(shell: TestingShell) -> None:
    shell.shown(f"r = %container {RUN} {IMAGE} echo hi")
    result = shell.user_ns["r"]
    assert (result.stdout, result.exit_code, result.stderr) == ("hi\n", 0, "")
    assert "ended with exit code 0" in shell.shown("r").stdout


def test_the_cells_text_is_the_programs_input(shell: TestingShell) -> None:
    shown = shell.shown(f"%%container {RUN} {IMAGE} sh\nX=1\necho got $X {{X}}\n")
    assert shown.stdout == "got 1 {X}\n"


def test_braces_and_dollars_arrive_as_written(shell: TestingShell, name: str) -> None:
    shell.user_ns["X"] = "python"
    assert shell.shown(f"%container {RUN} {IMAGE} sh -c 'X=shell; echo ${{X}} {{X}}'").stdout == "shell {X}\n"
    shell.cell(f"%container run -d --name {name} --network none {IMAGE} sleep 100")
    assert shell.cell(f"%container ps --format {{{{.Names}}}} --filter name={name}").calm() == name


def test_a_python_variable_goes_in_by_its_name(shell: TestingShell) -> None:
    shell.user_ns["count"] = 3
    assert shell.shown(f"%container {RUN} -e N=@count -e M=@@count {IMAGE} sh -c 'echo $N $M'").stdout == "3 @count\n"
    with pytest.raises(UsageError, match=r"no Python variable 'cuont'(.|\n)*Did you mean count"):
        shell.cell(f"%container {RUN} -e N=@cuont {IMAGE} true")


def test_an_exit_code_fails_the_cell_with_a_text_that_stays(shell: TestingShell) -> None:
    line = f"%container {RUN} {IMAGE} sh -c 'echo before; exit 3'"
    with pytest.raises(ContainerExited) as caught:
        shell.cell(line)
    assert caught.value.exit_code == 3 and caught.value.result.stdout == "before\n"
    assert caught.value._render_traceback_() == ["lab/busybox sh -c 'echo before; exit 3' ended with exit code 3."]
    assert shell.shown(line).stdout == shell.shown(line).stdout


def test_no_raise_lets_the_cell_succeed_and_says_the_code(shell: TestingShell) -> None:
    result = shell.cell(f"%container run --no-raise --rm --network none {IMAGE} sh -c 'exit 3'")
    assert result.exit_code == 3
    shown = shell.shown(f"%container run --no-raise --rm --network none {IMAGE} sh -c 'exit 3'")
    assert "exit code 3" in shown.stdout


def test_a_semicolon_drops_the_display_and_keeps_the_result(shell: TestingShell) -> None:
    assert shell.shown("%container images;").outputs == []
    assert "REPOSITORY" not in shell.shown("x = %container images ;").stdout
    assert "REPOSITORY" in shell.shown("x").stdout


def test_a_semicolon_that_belongs_to_the_command_stays(shell: TestingShell) -> None:
    shown = shell.shown(f"%container {RUN} {IMAGE} find /etc/passwd -exec echo found {{}} \\;")
    assert shown.stdout == "found /etc/passwd\n"


def test_capture_takes_all_of_it(shell: TestingShell) -> None:
    shown = shell.shown(f"%%capture kept\n%container {RUN} {IMAGE} echo hidden")
    assert (shown.stdout, shown.outputs) == ("", [])
    assert shell.user_ns["kept"].stdout == "hidden\n"


def test_results_are_tables_in_html_and_words(shell: TestingShell, name: str) -> None:
    shell.cell(f"%container create --name {name} --network none {IMAGE} true")
    result = shell.cell(f"%container ps -a --filter name={name}")
    data, _ = shell.display_formatter.format(result)
    assert '<th scope="col">NAMES</th>' in data["text/html"] and name in data["text/plain"]
    assert "Created" in data["text/plain"] and "\x1b" not in data["text/plain"]


def test_a_detached_run_is_a_sentence_without_its_id(shell: TestingShell, name: str) -> None:
    result = shell.cell(f"%container run -d --network none --name {name} {IMAGE} sleep 100")
    assert result.calm() == f"Container {name} ({IMAGE}) runs in the background."
    assert len(result.id) == 64


def test_exec_with_a_body(shell: TestingShell, name: str) -> None:
    shell.cell(f"%container run -d --network none --name {name} {IMAGE} sleep 100")
    assert shell.shown(f"%%container exec {name} sh\necho in $0\nexit 0").stdout == "in sh\n"
    with pytest.raises(ContainerExited, match=f"sh in {name} ended with exit code 4"):
        shell.cell(f"%%container exec {name} sh\nexit 4")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (f"%container run -it {IMAGE} sh", f"%%container run {IMAGE} sh"),
        (f"%container run -it {IMAGE}", f"containerlab run -it {IMAGE} sh"),
        ("%container exec -it web sh", "%%container exec web sh"),
        ("%container rum x", "Did you mean"),
        ("%container ps --al", "--all"),
        ("%container run", "Missing argument 'IMAGE'"),
        ("%%container ps\nbody", "takes no text below its line"),
        ("%container run 'open quote", "no closing quotation"),
        (f"%%container run -d {IMAGE} sh\nbody", "-d can't take the cell's text"),
        (f"%%container run -t {IMAGE} sh\nbody", "-t can't take the cell's text"),
        ("%container build -", "%%dockerfile"),
    ],
)
def test_a_mistake_is_told_in_a_few_lines(shell: TestingShell, cell: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        shell.cell(cell)
    lines = caught.value._render_traceback_()
    assert words in "\n".join(lines) and len(lines) <= 4
    assert "Traceback" not in shell.shown(cell).stdout


def test_unknown_names_have_neighbours(shell: TestingShell, name: str) -> None:
    shell.cell(f"%container create --name {name} --network none {IMAGE} true")
    with pytest.raises(NoSuchContainer, match=name):
        shell.cell(f"%container logs {name}y")
    with pytest.raises(NoSuchImage, match="lab/busybox"):
        shell.cell("%container run --rm lab/busibox true")


def test_a_program_that_is_not_there_is_dockers_127(shell: TestingShell) -> None:
    with pytest.raises(StartFailed, match="nosuch") as caught:
        shell.cell(f"%container {RUN} {IMAGE} nosuch")
    assert caught.value.exit_code == 127


def test_help_is_printed_and_is_no_error(shell: TestingShell) -> None:
    assert "Run a container:" in shell.shown("%container").stdout
    assert "--memory" in shell.shown("%container run --help").stdout
    assert "--context" in shell.shown("%%dockerfile --help\nFROM x").stdout


def test_a_character_in_two_pieces_is_put_together(shell: TestingShell) -> None:
    script = r"printf '\303'; sleep 0.3; printf '\251\n'; printf '\377'"
    assert shell.shown(f'%container {RUN} {IMAGE} sh -c "{script}"').stdout == "é\n�"


def test_every_cell_can_be_run_twice(shell: TestingShell, name: str, client: docker.DockerClient) -> None:
    for _ in range(2):
        shell.cell(f"%container run -d --replace --name {name} --network none {IMAGE} sleep 100")
    assert len(client.api.containers(filters={"name": name})) == 1


def test_a_magic_that_is_not_loaded_is_ipythons_own_error(bare_shell: TestingShell) -> None:
    with pytest.raises(NoSuchMagic):
        bare_shell.run_line_magic("container", "ps")


def test_a_cell_prunes_with_f_alone(shell: TestingShell) -> None:
    with pytest.raises(UsageError, match=r"A cell can't be asked(.|\n)*%container container prune -f"):
        shell.cell("%container container prune")
    pruned = shell.cell("%container container prune -f --filter label=nobody-has-this")
    assert pruned.containers == [] and pruned.calm() == "Removed nothing; 0B are free again."


def test_a_group_takes_a_body_and_shows_tables(shell: TestingShell, name: str) -> None:
    assert shell.shown(f"%%container container {RUN} {IMAGE} sh\necho from the cell\n").stdout == "from the cell\n"
    shell.cell(f"%container container create --network none --name {name} {IMAGE}")
    assert name in [row["name"] for row in shell.cell("%container container ls -a")]
    assert shell.cell("%container system df")[0]["type"] == "Images"
    with pytest.raises(UsageError, match="takes no text below its line"):
        shell.cell("%%container container ls\ntext\n")


def test_what_is_for_a_terminal_says_so(shell: TestingShell) -> None:
    for line in ("doctor", "system check"):
        with pytest.raises(UsageError, match=f"!containerlab {line}"):
            shell.cell(f"%container {line}")
