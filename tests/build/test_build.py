"""Whole builds against the real kernel: Docker's wording, its layers, its config."""

from __future__ import annotations

import gc
import os
import re
from pathlib import Path

import pytest

from containerlab.build import Resources
from containerlab.errors import BuildFailed, DockerfileError, InvalidParameter, NoSuchImage
from containerlab.runtime.cgroups import driver
from tests.build.conftest import Site

pytestmark = pytest.mark.root


def test_a_build_says_what_the_classic_builder_says(site: Site) -> None:
    built = site.build('ARG v=latest\nFROM base:$v\nRUN echo hello\nCMD ["sh"]\n', tags=("app:1",))
    image = built.ok()
    short = image.id.removeprefix("sha256:")[:12]
    text = re.sub(r"Running in [0-9a-f]{12}", "Running in ID", built.text)
    text = re.sub(r"container [0-9a-f]{12}", "container ID", text)
    text = re.sub(r"---> [0-9a-f]{12}", "---> ID", text)
    assert text == (
        "Step 1/4 : ARG v=latest\n"
        "Step 2/4 : FROM base:$v\n ---> ID\n"
        "Step 3/4 : RUN echo hello\n ---> Running in ID\nhello\nRemoving intermediate container ID\n ---> ID\n"
        'Step 4/4 : CMD ["sh"]\n ---> ID\n'
        f"Successfully built {short}\nSuccessfully tagged app:1\n"
    )
    assert {"aux": {"ID": image.id}} in built.messages


def test_a_run_makes_a_layer_of_what_it_changed(site: Site) -> None:
    image = site.build("FROM base\nRUN mkdir /d && echo data > /d/f && rm /bin/yes\n").ok()
    assert site.read(image, "/d/f") == "data\n"
    assert len(image.chain_ids) == 2
    assert "bin/yes" not in site.tree(image, "/")
    provenance = site.images.layers.get(image.chain_ids[-1]).provenance
    assert (provenance.line, provenance.dockerfile) == (2, "Dockerfile")


def test_a_run_that_changes_nothing_makes_no_layer(site: Site) -> None:
    image = site.build("FROM base\nRUN true\n").ok()
    assert len(image.chain_ids) == 1
    assert image.config.history[-1].empty_layer


def test_mount_points_that_a_run_needs_are_no_part_of_the_image(site: Site) -> None:
    image = site.build("FROM base\nRUN ls /proc/self >/dev/null && cat /etc/hosts > /seen\n").ok()
    names = site.tree(image, "/")
    assert "seen" in names
    assert not {"proc/", "dev/", "sys/", "etc/hosts", "etc/resolv.conf", "etc/hostname"} & set(names)


def test_all_forms_of_run(site: Site) -> None:
    image = site.build(
        "FROM base\n"
        "RUN echo shell > /1\n"
        'RUN ["sh", "-c", "echo exec > /2"]\n'
        "RUN <<EOF\necho here > /3\necho doc >> /3\nEOF\n"
        "RUN cat <<A > /4 && cat <<-'B' >> /4\n$HOME\nA\n\t$HOME\n\tB\n"
        "RUN <<EOF\n#!/bin/sh\necho script $0 > /5\nEOF\n"
        'SHELL ["/bin/sh", "-ec"]\nRUN false; true\n',
    )
    assert isinstance(image.error, BuildFailed)
    image = site.build(
        "FROM base\nRUN echo shell > /1\n"
        'RUN ["sh", "-c", "echo exec > /2"]\n'
        "RUN <<EOF\necho here > /3\necho doc >> /3\nEOF\n"
        "RUN cat <<A > /4 && cat <<-'B' >> /4\n$HOME\nA\n\t$HOME\n\tB\n"
        "RUN <<EOF\n#!/bin/sh\necho script $0 > /5\nEOF\n"
    )
    done = image.ok()
    read = {name: site.read(done, name) for name in "12345"}
    assert read == {
        "1": "shell\n",
        "2": "exec\n",
        "3": "here\ndoc\n",
        "4": "/root\n$HOME\n",
        "5": "script /dev/pipes/EOF\n",
    }


def test_the_config_is_composed_as_docker_composes_it(site: Site) -> None:
    config = (
        site.build(
            "FROM base\n"
            'ENV a=1 b="x $a"\nENV c=${a}2\nLABEL k=v "two words"="$c"\n'
            "WORKDIR /w\nWORKDIR $c\nUSER ana\nEXPOSE 80 90-91/udp\nVOLUME /v /u\n"
            'SHELL ["/bin/sh", "-ec"]\nENTRYPOINT exec top\nSTOPSIGNAL SIGUSR1\nMAINTAINER me\n'
            "HEALTHCHECK --interval=5s CMD true\nONBUILD RUN echo hi\n",
            labels={"z": "1", "k": "over"},
        )
        .ok()
        .config
    )
    inner = config.config
    assert inner.Env == ["PATH=/bin:/usr/bin", "a=1", "b=x ", "c=12"]
    assert inner.Labels == {"k": "over", "two words": "12", "z": "1"}
    assert inner.WorkingDir == "/w/12"
    assert inner.User == "ana"
    assert inner.ExposedPorts == {"80/tcp": {}, "90/udp": {}, "91/udp": {}}
    assert inner.Volumes == {"/v": {}, "/u": {}}
    assert inner.Entrypoint == ["/bin/sh", "-ec", "exec top"]
    assert inner.Cmd is None
    assert inner.StopSignal == "SIGUSR1"
    assert inner.Healthcheck is not None
    assert inner.Healthcheck.Test == ["CMD-SHELL", "true"]
    assert inner.OnBuild == ["RUN echo hi"]
    assert config.author == "me"
    by = [entry.created_by for entry in config.history]
    assert "/bin/sh -c #(nop)  ENV a=1 b=x " in by
    assert "/bin/sh -c #(nop) WORKDIR /w/12" in by
    assert [entry.empty_layer for entry in config.history].count(False) == len(config.rootfs.diff_ids)


def test_a_base_image_is_never_changed_by_what_is_built_on_it(site: Site) -> None:
    before = site.images.resolve("base")
    site.build("FROM base\nENV x=1\nLABEL a=b\nEXPOSE 1\nRUN echo > /f\n").ok()
    after = site.images.resolve("base")
    assert (after.id, after.config) == (before.id, before.config)
    assert after.config.config.Env == ["PATH=/bin:/usr/bin"]


def test_from_alone_is_the_base_image_itself(site: Site) -> None:
    assert site.build("FROM base\n", tags=("same:1",)).ok().id == site.images.resolve("base").id


def test_run_sees_workdir_user_env_and_args(site: Site) -> None:
    dockerfile = (
        "ARG outer=o\nFROM base\nARG outer\nARG given=default\nARG plain=p\nARG env=arg\nENV env=env\n"
        "WORKDIR /w\nRUN chown 1000:1001 . \nUSER ana\n"
        'RUN echo "$(pwd) $(id -u):$(id -g) $outer $given $plain $env $HTTP_PROXY $HOME" > f\n'
    )
    built = site.build(dockerfile, build_args={"given": "given", "HTTP_PROXY": "proxy", "unused": "1"})
    image = built.ok()
    assert site.read(image, "/w/f") == "/w 1000:1001 o given p env proxy /home/ana\n"
    assert "[Warning] One or more build-args [unused] were not consumed" in built.text
    assert "proxy" not in str(image.config)
    assert image.config.history[-1].created_by.startswith("|3 given=given outer=o plain=p /bin/sh -c echo")


def test_an_onbuild_trigger_runs_in_the_next_build_only(site: Site) -> None:
    site.build("FROM base\nONBUILD RUN echo triggered > /t\nONBUILD ENV x=y\n", tags=("parent:1",)).ok()
    built = site.build("FROM parent:1\nRUN cat /t > /u\n", tags=("child:1",))
    image = built.ok()
    assert site.read(image, "/u") == "triggered\n"
    assert image.config.config.OnBuild is None
    assert "# Executing 2 build triggers" in built.text


def test_a_failing_run_says_its_code_its_line_and_its_last_output(site: Site) -> None:
    built = site.build("FROM base\nRUN echo one > /f\n\nRUN echo last words; exit 3\n")
    error = built.error
    assert isinstance(error, BuildFailed)
    message = "The command '/bin/sh -c echo last words; exit 3' returned a non-zero code: 3"
    assert (error.message, error.line, error.exit_code) == (message, 4, 3)
    assert "last words" in error.hint
    assert built.messages[-1] == {"errorDetail": {"message": message, "code": 3}, "error": message}
    again = site.build("FROM base\nRUN echo one > /f\n\nRUN echo fixed\n")
    again.ok()
    assert again.cached == [False, True, False]


def test_a_command_that_is_not_there_says_so(site: Site) -> None:
    built = site.build('FROM base\nRUN ["/no/such"]\n')
    assert isinstance(built.error, BuildFailed)
    assert built.error.exit_code == 127
    assert "/no/such" in built.error.message
    scratch = site.build("FROM scratch\nRUN echo x\n")
    assert isinstance(scratch.error, BuildFailed)


def test_a_run_is_a_container_like_any_other_and_has_no_network(site: Site) -> None:
    image = site.build(
        "FROM base\n"
        "RUN cat /proc/self/status > /status; ls /sys/class/net > /net; ls -C /proc/self/fd > /fds; id > /id\n"
    ).ok()
    status = dict(line.partition(":\t")[::2] for line in site.read(image, "/status").splitlines())
    assert int(status["CapBnd"], 16) & ~0xA80425FB == 0
    assert status["Seccomp"].strip() == "2"
    assert status["SigIgn"].strip() == status["SigBlk"].strip() == "0" * 16
    assert site.read(image, "/net").split() == ["lo"]


@pytest.mark.parametrize(
    ("dockerfile", "line", "words"),
    [
        ("FROM base\nRUN --network=host true\n", 2, "--network host"),
        ("FROM base\nRUN --network=bridge true\n", 2, "unknown network"),
        ("FROM base\nRUN --security=insecure true\n", 2, "--security"),
        ("FROM base\nRUN --mount=type=ssh true\n", 2, "type=ssh"),
        ("FROM base\nADD https://example.com/x.git /x\n", 2, "git repository"),
        ("FROM base\nADD git@example.com:a/b /x\n", 2, "git repository"),
        ("FROM base\nADD ftp://example.com/x /x\n", 2, "ADD of ftp://"),
        ("FROM base\nADD --keep-git-dir=true a /b\n", 2, "--keep-git-dir"),
        ("FROM base\n\nADD --checksum=sha256:00 http://a/a /b\n", 3, "invalid --checksum"),
        ("FROM base AS a\nCOPY --from=a /x /y\n", 2, "very stage"),
        ("FROM base AS a\nCOPY --from=b /x /y\nFROM base AS b\nCOPY --from=a /x /y\n", 2, "circular dependency"),
        ("FROM base AS a\nCOPY --from=7 /x /y\n", 2, "invalid from flag value 7"),
        ("FROM --platform=linux/mips base\n", 1, "platform linux/mips"),
    ],
)
def test_what_is_refused_is_refused_at_its_line_before_anything_runs(
    site: Site, dockerfile: str, line: int, words: str
) -> None:
    built = site.build(dockerfile)
    assert isinstance(built.error, DockerfileError)
    assert (built.error.line, words in built.error.message) == (line, True)
    assert built.messages == []


@pytest.mark.parametrize(
    "options",
    [
        {"squash": True},
        {"ssh": ("default",)},
        {"outputs": ("type=tar",)},
        {"network_mode": "bridge"},
        {"network_mode": "container:x"},
        {"platform": "windows/amd64"},
        {"target": "other"},
        {"extra_hosts": ("nothing",)},
        {"tags": ("Not A Name",)},
    ],
)
def test_an_option_that_cannot_be_granted_is_refused(site: Site, options: dict[str, object]) -> None:
    built = site.build("FROM base AS only\n", **options)
    assert isinstance(built.error, InvalidParameter)
    assert built.messages == []


def test_a_target_that_names_the_single_stage_is_granted(site: Site) -> None:
    site.build("FROM base AS only\n", target="only").ok()


def test_an_unknown_base_image_is_named_with_its_neighbours(site: Site) -> None:
    built = site.build("FROM bsae\n")
    assert isinstance(built.error, NoSuchImage)
    assert "bsae" in str(built.error)
    assert "base" in built.error.hint
    assert built.messages[-1]["error"].startswith("No such image: bsae")


def test_a_config_that_could_not_be_read_again_is_refused(site: Site) -> None:
    lines = "".join(f"ENV v{number}=$big\n" for number in range(12))
    built = site.build(f"FROM base\nENV big={'x' * 400_000}\n{lines}", tags=("big:1",))
    assert isinstance(built.error, InvalidParameter)
    assert "larger than" in str(built.error)
    assert [str(tag) for image in site.images.list() for tag in image.tags] == ["docker.io/library/base:latest"]


def test_quiet_says_the_id_alone(site: Site) -> None:
    built = site.build("FROM base\nRUN echo loud\n", quiet=True)
    assert built.text == built.ok().id + "\n"


def test_extra_hosts_and_memory_reach_the_run(site: Site) -> None:
    image = site.build("FROM base\nRUN cat /etc/hosts > /h\n", extra_hosts=("db:10.0.0.7",)).ok()
    assert "10.0.0.7\tdb" in site.read(image, "/h")


def test_the_hosts_network_is_granted_when_asked_for(site: Site) -> None:
    dockerfile = "FROM base\nRUN readlink /proc/self/ns/net > /net\n"
    shared = site.build(dockerfile, network_mode="host").ok()
    assert site.read(shared, "/net").strip() == str(Path("/proc/self/ns/net").readlink())
    own = site.build(dockerfile)
    assert own.cached == [False, False]
    assert site.read(own.ok(), "/net").strip() != str(Path("/proc/self/ns/net").readlink())


@pytest.mark.skipif("memory" not in driver().controllers, reason="no memory controller here")
def test_a_memory_limit_holds_in_every_run(site: Site) -> None:
    hungry = "FROM base\nRUN head -c 200000000 /dev/zero | tail -c 200000000 > /dev/null\n"
    built = site.build(hungry, resources=Resources(memory=32 << 20, memory_swap=32 << 20))
    assert isinstance(built.error, BuildFailed)
    site.build(hungry).ok()


def test_builds_leave_no_descriptor_process_or_mount(site: Site) -> None:
    def state() -> tuple[int, int, int]:
        mounts = Path("/proc/self/mountinfo").read_text().count(str(site.folder))
        return len(os.listdir("/proc/self/fd")), mounts, len(site.children())  # noqa: PTH208

    site.write(a="a")
    site.build("FROM base\nCOPY a /a\nRUN true\n")
    gc.collect()
    before = state()
    for number in range(10):
        site.build(f"FROM base\nCOPY a /a{number}\nRUN exit {number % 2}\nCOPY none /x\n")
    gc.collect()
    assert state() == before


def test_a_syntax_that_is_not_dockers_is_said_not_to_be_executed(site: Site) -> None:
    built = site.build("# syntax=example.com/evil:1\nFROM base\n")
    built.ok()
    assert "syntax=example.com/evil:1 is not executed" in built.text


def test_output_that_is_no_utf8_does_not_stop_a_build(site: Site) -> None:
    built = site.build("FROM base\nRUN echo -ne 'a\\xff\\xc3\\xa9b\\n'\n")
    built.ok()
    assert "a\ufffdéb\n" in built.text


def test_a_build_leaves_no_scratch(site: Site) -> None:
    site.build("FROM base\nRUN echo > /f\nCOPY Dockerfile /\n").ok()
    site.build("FROM base\nRUN exit 1\n")
    assert list((site.store / "builds").iterdir()) == []
    assert list((site.store / "tmp").iterdir()) == []
    assert site.database.rows("SELECT * FROM layer_pins") == []


def test_the_containers_own_files_are_in_every_run_of_a_root_that_has_them_too(site: Site) -> None:
    """What lacks no mount point is known from the layers below; what the image has there stays as it is."""
    site.write(hosts="the image's own\n", x="")
    image = site.build(
        "FROM base\nCOPY x /proc/\nCOPY x /dev/\nCOPY x /sys/\nCOPY hosts /etc/\nCOPY x /etc/hostname\n"
        "COPY x /etc/resolv.conf\nRUN grep -c localhost /etc/hosts > /a; test -d /proc/self\n"
        "RUN grep -c localhost /etc/hosts > /b; echo more >> /etc/passwd\n"
        "RUN grep -c localhost /etc/hosts > /c\n".replace("grep -c localhost", "wc -l <")
    ).ok()
    assert {site.read(image, name).strip() for name in ("/a", "/b", "/c")} == {"6"}
    assert site.read(image, "/etc/hosts") == "the image's own\n"
