"""``docker cp`` and ``docker diff`` by the real command line, into and out of containers that run, ran or never did."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.clients.conftest import CLIENTS, Cli

IMAGE = "lab/busybox"
FOREVER = ("sleep", "1000")
# The client of 20.10 has words of its own for whatever is 404.
NOT_FOUND = ("Could not find the file /no", "No such container:path: ")


# One client meets a container that runs, the other one that was never started: where files go is the clients' own work,
# and what the engine does with them is the same for both.
PAIRS = {"running": CLIENTS[0], "created": CLIENTS[-1]}


@pytest.fixture(params=PAIRS)
def state(request) -> str:
    return request.param


@pytest.fixture
def cli(state: str, host: str, tmp_path: Path) -> Cli:
    config = tmp_path / "docker-config"
    config.mkdir()
    return Cli(PAIRS[state], host, config)


@pytest.fixture
def box(state, cli, name):
    """A container's name; the running one runs, the other has never been started."""
    cli.ok(*begin(state), "--name", name, IMAGE, *FOREVER)
    return name


def begin(state: str) -> tuple[str, ...]:
    return ("run", "-d") if state == "running" else ("create",)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder of the client's own: a file, a folder with two files in it, a link to each."""
    made = tmp_path / "here"
    (made / "folder/sub").mkdir(parents=True)
    (made / "file").write_text("of the host\n")
    (made / "folder/one").write_text("1\n")
    (made / "folder/sub/two").write_text("2\n")
    (made / "link").symlink_to("file")
    (made / "folder-link").symlink_to("folder")
    return made


def names_in(cli, source: str) -> list[str]:
    """What ``cp SOURCE -`` sends."""
    done = cli.raw("cp", source, "-")
    assert done.returncode == 0, done
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        return sorted(archive.getnames())


def read(cli, source: str) -> str:
    """A file's text in a container, running or not."""
    done = cli.raw("cp", source, "-")
    assert done.returncode == 0, done
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        [member] = archive.getmembers()
        held = archive.extractfile(member)
        assert held is not None, member.type
        return held.read().decode()


@pytest.mark.parametrize(
    ("source", "destination", "arrives"),
    [
        ("file", "/tmp", "/tmp/file"),
        ("file", "/tmp/", "/tmp/file"),
        ("file", "/tmp/.", "/tmp/file"),
        ("file", "/tmp/new", "/tmp/new"),
        ("file", "/etc/passwd", "/etc/passwd"),
        ("folder", "/tmp", "/tmp/folder/one"),
        ("folder/", "/tmp/", "/tmp/folder/sub/two"),
        ("folder/.", "/tmp", "/tmp/one"),
        ("folder", "/tmp/new", "/tmp/new/one"),
        ("folder", "/tmp/new/", "/tmp/new/sub/two"),
        ("folder/.", "/tmp/new", "/tmp/new/sub/two"),
        ("folder-link/", "/tmp", "/tmp/folder-link/one"),
    ],
)
def test_copying_in_goes_where_docker_puts_it(cli, box, here, source, destination, arrives):
    cli.ok("cp", f"{here}/{source}", f"{box}:{destination}")
    assert read(cli, f"{box}:{arrives}") in ("of the host\n", "1\n", "2\n")


@pytest.mark.parametrize(
    ("source", "destination", "words"),
    [
        ("file", "/nowhere/file", NOT_FOUND),
        ("file", "/tmp/new/", ("no such directory",)),
        ("folder", "/etc/passwd", ("cannot copy directory",)),
        ("folder", "/nowhere/new", NOT_FOUND),
        ("nothing", "/tmp", ("no such file or directory",)),
        ("file", "/etc/passwd/x", ("not a directory", "Not a directory", "isn't a directory")),
    ],
)
def test_copying_in_is_refused_in_dockers_words(cli, box, here, source, destination, words):
    answer = cli("cp", f"{here}/{source}", f"{box}:{destination}")
    assert answer.code == 1
    assert any(phrase in answer.err for phrase in words), answer


@pytest.mark.parametrize(
    ("source", "destination", "arrives"),
    [
        ("/etc/passwd", ".", "passwd"),
        ("/etc/passwd", "new", "new"),
        ("/etc/passwd", "file", "file"),
        ("/etc", ".", "etc/passwd"),
        ("/etc/", "folder", "folder/etc/passwd"),
        ("/etc/.", "folder", "folder/passwd"),
        ("/etc", "new", "new/passwd"),
        ("/etc/.", "new", "new/passwd"),
        ("etc/passwd", "folder-link", "folder/passwd"),
        ("/etc/passwd", "link", "file"),
    ],
)
def test_copying_out_goes_where_docker_puts_it(cli, box, here, source, destination, arrives):
    cli.ok("cp", f"{box}:{source}", f"{here}/{destination}")
    assert "root" in (here / arrives).read_text()
    assert (here / "link").is_symlink()


@pytest.mark.parametrize(
    ("source", "destination", "words"),
    [
        ("/nothing", ".", NOT_FOUND),
        ("/etc/passwd/", ".", ("not a directory",)),
        ("/etc", "file", ("cannot copy directory",)),
        ("/etc/passwd", "nowhere/new", ("does not exist",)),
        ("/etc/passwd", "new/", ("no such directory",)),
    ],
)
def test_copying_out_is_refused_in_dockers_words(cli, box, here, source, destination, words):
    answer = cli("cp", f"{box}:{source}", f"{here}/{destination}")
    assert answer.code == 1
    assert any(phrase in answer.err for phrase in words), answer


def test_an_unknown_container_is_named(cli, here):
    answer = cli("cp", "nobody-here:/etc/passwd", str(here))
    assert answer.code == 1
    assert "No such container" in answer.err


def test_a_link_goes_as_a_link_and_is_followed_when_asked(cli, box, here):
    cli.ok("cp", f"{here}/link", f"{box}:/tmp/as-link")
    cli.ok("cp", "-L", f"{here}/link", f"{box}:/tmp/as-file")
    cli.ok("cp", f"{here}/file", f"{box}:/tmp/file")
    assert read(cli, f"{box}:/tmp/as-file") == "of the host\n"
    cli.ok("cp", f"{box}:/tmp/as-link", f"{here}/out-link")
    cli.ok("cp", "-L", f"{box}:/tmp/as-link", f"{here}/out-file")
    assert (here / "out-link").readlink() == Path("file")
    assert (here / "out-file").read_text() == "of the host\n"


def test_a_destination_that_is_a_link_stands_for_what_it_names(cli, box, here):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, target in (("to-folder", "real"), ("to-new", "/tmp/real/new"), ("up", "../../tmp/real")):
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
        entry = tarfile.TarInfo("real")
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(entry)
    assert cli.raw("cp", "-", f"{box}:/tmp", stdin=archive.getvalue()).returncode == 0
    cli.ok("cp", f"{here}/file", f"{box}:/tmp/to-folder")
    cli.ok("cp", f"{here}/file", f"{box}:/tmp/to-new")
    cli.ok("cp", f"{here}/folder", f"{box}:/tmp/up")
    assert names_in(cli, f"{box}:/tmp/real") == [
        "real", "real/file", "real/folder", "real/folder/one", "real/folder/sub", "real/folder/sub/two", "real/new",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_on_standard_input_of_any_compression(cli, box, mode):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as tar:
        entry = tarfile.TarInfo("deep/er/file")
        entry.size, entry.uid, entry.gid, entry.mode, entry.mtime = 3, 12, 34, 0o640, 1_600_000_000
        tar.addfile(entry, io.BytesIO(b"in\n"))
    assert cli.raw("cp", "-", f"{box}:/tmp", stdin=made.getvalue()).returncode == 0
    sent = cli.raw("cp", f"{box}:/tmp/deep/er/file", "-")
    with tarfile.open(fileobj=io.BytesIO(sent.stdout)) as archive:
        [member] = archive.getmembers()
    assert (member.name, member.mode & 0o7777, int(member.mtime)) == ("file", 0o640, 1_600_000_000)
    assert (member.uid, member.gid) in ((12, 34), (0, 0))  # the latter where one user has one id


def test_a_tar_on_standard_input_wants_a_directory(cli, box):
    answer = cli("cp", "-", f"{box}:/etc/passwd", stdin=bytes(1024))
    assert answer.code == 1
    assert "must be a directory" in answer.err


def test_names_in_the_stream_begin_as_docker_has_them(cli, box):
    assert names_in(cli, f"{box}:/etc/passwd") == ["passwd"]
    assert {"etc", "etc/passwd"} <= set(names_in(cli, f"{box}:/etc"))
    assert {"etc", "etc/passwd"} <= set(names_in(cli, f"{box}:/etc/"))
    assert {".", "./passwd"} <= set(names_in(cli, f"{box}:/etc/."))
    assert {"/etc", "/etc/passwd"} <= {name if name[:1] == "/" else f"/{name}" for name in names_in(cli, f"{box}:/")}


def test_copied_before_the_first_start_is_there_when_it_starts(cli, name, here):
    cli.ok("create", "--name", name, IMAGE, "cat", "/tmp/file", "/tmp/sub/two")
    cli.ok("cp", f"{here}/file", f"{name}:/tmp")
    cli.ok("cp", f"{here}/folder/.", f"{name}:/tmp")
    assert cli.ok("start", "-a", name) == "of the host\n2"


def test_what_a_container_wrote_can_be_fetched_after_its_end(cli, name, here):
    cli.ok("run", "--name", name, IMAGE, "sh", "-c", "echo result > /result; rm /etc/passwd")
    assert read(cli, f"{name}:/result") == "result\n"
    assert cli("cp", f"{name}:/etc/passwd", str(here)).code == 1


def test_volumes_and_binds_are_reached(cli, name, here, tmp_path, state):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "given").write_text("by the host\n")
    words = ("--name", name, "-v", f"{shared}:/mnt/shared", "-v", "/data", IMAGE, *FOREVER)
    cli.ok(*begin(state), *words)
    assert read(cli, f"{name}:/mnt/shared/given") == "by the host\n"
    cli.ok("cp", f"{here}/file", f"{name}:/mnt/shared/taken")
    cli.ok("cp", f"{here}/file", f"{name}:/data")
    assert (shared / "taken").read_text() == "of the host\n"
    assert read(cli, f"{name}:/data/file") == "of the host\n"
    if state == "created":
        cli.ok("start", name)
    assert cli.ok("exec", name, "cat", "/data/file", "/mnt/shared/taken") == "of the host\nof the host"


def test_what_is_read_only_is_refused(cli, name, here, tmp_path, state):
    writable, fixed = tmp_path / "writable", tmp_path / "fixed"
    writable.mkdir()
    fixed.mkdir()
    words = ("--name", name, "--read-only", "-v", f"{writable}:/mnt/w", "-v", f"{fixed}:/mnt/fixed:ro", IMAGE)
    cli.ok(*begin(state), *words, *FOREVER)
    for place, words in (
        ("/tmp", "container rootfs is marked read-only"),
        ("/mnt/fixed", "mounted volume is marked read-only"),
    ):
        answer = cli("cp", f"{here}/file", f"{name}:{place}")
        assert answer.code == 1
        assert words in answer.err
    cli.ok("cp", f"{here}/file", f"{name}:/mnt/w")
    assert [path.name for path in fixed.iterdir()] == []
    assert (writable / "file").read_text() == "of the host\n"


def test_a_file_of_the_clients_keeps_mode_and_time(cli, box, here):
    (here / "file").chmod(0o4751)
    os.utime(here / "file", (1_500_000_000, 1_500_000_000))
    cli.ok("cp", f"{here}/file", f"{box}:/tmp")
    cli.ok("cp", f"{box}:/tmp/file", f"{here}/back")
    status = (here / "back").stat()
    assert (status.st_mode & 0o7777, int(status.st_mtime)) == (0o4751, 1_500_000_000)


def test_a_large_file_goes_both_ways(cli, box, here):
    (here / "large").write_bytes(os.urandom(1 << 20) * 40)
    cli.ok("cp", f"{here}/large", f"{box}:/tmp")
    cli.ok("cp", f"{box}:/tmp/large", f"{here}/back")
    assert (here / "back").read_bytes() == (here / "large").read_bytes()


def test_diff_tells_what_was_added_changed_and_deleted(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, *FOREVER)
    assert cli.ok("diff", name) == ""
    script = (
        "mkdir -p /new/deep; echo a > /new/deep/file; echo b >> /etc/passwd; rm /etc/group; chmod 700 /tmp; "
        "rm -r /home; mkdir /home; echo c > /home/c; touch /var/tmp/only-inside"
    )
    cli.ok("exec", name, "sh", "-c", script)
    told = sorted(cli.ok("diff", name).splitlines(), key=lambda line: line[2:])
    expected = [
        "C /etc", "D /etc/group", "C /etc/passwd", "C /home", "A /home/c", "A /new", "A /new/deep",
        "A /new/deep/file", "C /tmp", "C /var", "C /var/tmp", "A /var/tmp/only-inside",
    ]  # fmt: skip
    assert told == expected
    cli.ok("kill", name)
    cli.ok("wait", name)
    assert sorted(cli.ok("diff", name).splitlines(), key=lambda line: line[2:]) == expected


def test_diff_of_a_folder_that_was_replaced_tells_what_is_gone_from_it(cli, name):
    script = "rm -r /etc/* 2>/dev/null; rm -rf /bin/ls /bin/cat; mv /var /moved; touch /bin/zz; ln -s moved /var"
    cli.ok("run", "--name", name, IMAGE, "sh", "-c", script)
    told = set(cli.ok("diff", name).splitlines())
    assert {"D /bin/ls", "D /bin/cat", "A /bin/zz", "C /bin", "C /etc", "D /etc/passwd", "A /moved", "C /var"} <= told
    assert "A /moved/tmp" in told
    assert not any(line.startswith(("D /var/", "A /etc")) for line in told)


def test_diff_tells_nothing_of_what_was_only_read_or_written_back(cli, name):
    cli.ok("run", "--name", name, IMAGE, "sh", "-c", "cat /etc/passwd; touch /x; rm /x; chmod 600 /etc/passwd")
    assert cli.ok("diff", name).splitlines() == ["C /etc", "C /etc/passwd"]
