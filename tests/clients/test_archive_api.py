"""``/containers/NAME/archive`` and ``/changes`` by docker-py, down to the numbers that clients decide by."""

from __future__ import annotations

import io
import tarfile
import threading

import docker
import pytest

IMAGE = "lab/busybox"
# Go's io/fs FileMode, which the answer's header has.
DIRECTORY, LINK, FIFO, SETUID, STICKY = 1 << 31, 1 << 27, 1 << 25, 1 << 23, 1 << 20


@pytest.fixture(params=["running", "created"])
def box(request, client, name):
    made = client.containers.create(IMAGE, "sleep 1000", name=name)
    if request.param == "running":
        made.start()
    return made


class Tar:
    """A tar under construction."""

    def __init__(self, mode: str = "w") -> None:
        self.file = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.file, mode=mode)

    def add(self, name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **fields: object) -> Tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.size, entry.mtime = kind, len(data), 1_600_000_000
        for key, value in fields.items():
            setattr(entry, key, value)
        self.tar.addfile(entry, io.BytesIO(data))
        return self

    def bytes(self) -> bytes:
        self.tar.close()
        return self.file.getvalue()


def fetch(container, path: str) -> tuple[dict, tarfile.TarFile]:
    pieces, described = container.get_archive(path)
    return described, tarfile.open(fileobj=io.BytesIO(b"".join(pieces)))


def put(client, container, path: str, archive: bytes, **parameters: object) -> None:
    api = client.api
    api._raise_for_status(
        api._put(api._url("/containers/{0}/archive", container.id), params={"path": path, **parameters}, data=archive)
    )


def text(container, path: str) -> str:
    _, archive = fetch(container, path)
    return archive.extractfile(archive.getmembers()[0]).read().decode()


def test_what_lies_at_a_path_is_described(client, box):
    archive = Tar().add("file", data=b"12345", mode=0o4640).add("pipe", tarfile.FIFOTYPE, mode=0o600)
    archive.add("link", tarfile.SYMTYPE, linkname="../tmp/file").add("broken", tarfile.SYMTYPE, linkname="/no/where")
    archive.add("chain", tarfile.SYMTYPE, linkname="link").add("sub", tarfile.DIRTYPE, mode=0o750)
    assert box.put_archive("/tmp", archive.bytes())
    file, _ = fetch(box, "/tmp/file")
    assert (file["name"], file["size"], file["mode"], file["linkTarget"]) == ("file", 5, SETUID | 0o640, "")
    assert file["mtime"].startswith("2020-09-13T12:26:40")
    folder, _ = fetch(box, "/tmp/sub/")
    assert (folder["name"], folder["mode"]) == ("sub", DIRECTORY | 0o750)
    assert fetch(box, "/tmp")[0]["mode"] == DIRECTORY | STICKY | 0o777
    assert fetch(box, "/tmp/pipe")[0]["mode"] == FIFO | 0o600
    for link, target in (("link", "/tmp/file"), ("chain", "/tmp/file"), ("broken", "/no/where")):
        described, held = fetch(box, f"/tmp/{link}")
        assert (described["mode"], described["linkTarget"]) == (LINK | 0o777, target)
        assert held.getmembers()[0].issym()
    assert fetch(box, "/etc/.")[0]["name"] == "."
    assert fetch(box, "/")[0]["name"] == "/"


def test_head_says_the_same_without_the_archive(client, box):
    api = client.api
    answer = api.head(api._url("/containers/{0}/archive", box.id), params={"path": "/etc/passwd"})
    assert answer.status_code == 200
    assert "X-Docker-Container-Path-Stat" in answer.headers
    missing = api.head(api._url("/containers/{0}/archive", box.id), params={"path": "/nothing"})
    assert missing.status_code == 404


def test_a_path_is_needed_and_the_container_too(client, box):
    with pytest.raises(docker.errors.APIError, match="path"):
        box.get_archive("")
    with pytest.raises(docker.errors.NotFound, match="nobody-here"):
        client.api.get_archive("nobody-here", "/etc")
    with pytest.raises(docker.errors.NotFound, match="Could not find the file /nothing in container"):
        box.get_archive("/nothing")
    with pytest.raises(docker.errors.APIError, match="not a directory"):
        box.get_archive("/etc/passwd/")


def test_an_archive_goes_into_a_directory_that_exists(client, box):
    archive = Tar().add("file", data=b"x").bytes()
    with pytest.raises(docker.errors.NotFound, match="Could not find the file /nothing in container"):
        box.put_archive("/nothing", archive)
    with pytest.raises(docker.errors.APIError, match="extraction point is not a directory"):
        box.put_archive("/etc/passwd", archive)
    with pytest.raises(docker.errors.APIError):
        box.put_archive("/tmp", b"no tar at all" * 100)


def test_kinds_are_swapped_unless_that_is_refused(client, box):
    put(
        client,
        box,
        "/tmp",
        Tar().add("a", tarfile.DIRTYPE, mode=0o755).add("a/in", data=b"1").add("b", data=b"2").bytes(),
    )
    swapped = {
        "directory": Tar().add("a", data=b"file").bytes(),
        "non-directory": Tar().add("b", tarfile.DIRTYPE, mode=0o755).bytes(),
    }
    for old, archive in swapped.items():
        with pytest.raises(docker.errors.APIError, match=f"cannot overwrite {old} .* with "):
            put(client, box, "/tmp", archive, noOverwriteDirNonDir="true")
    assert text(box, "/tmp/a/in") == "1"
    for archive in swapped.values():
        put(client, box, "/tmp", archive)
    assert text(box, "/tmp/a") == "file"
    assert fetch(box, "/tmp/b")[0]["mode"] == DIRECTORY | 0o755


def test_the_directory_itself_keeps_its_mode(client, box):
    put(client, box, "/tmp", Tar().add("./", tarfile.DIRTYPE, mode=0o700).add("./file", data=b"x").bytes())
    assert fetch(box, "/tmp")[0]["mode"] == DIRECTORY | STICKY | 0o777


@pytest.mark.ids
def test_owners_come_from_the_archive_or_are_the_containers_user(client, name):
    made = client.containers.create(IMAGE, "sleep 1000", name=name, user="nobody")
    archive = Tar().add("file", data=b"x", uid=7, gid=8).bytes()
    put(client, made, "/tmp", archive)
    [member] = fetch(made, "/tmp/file")[1].getmembers()
    assert (member.uid, member.gid) == (7, 8)
    put(client, made, "/tmp", archive, copyUIDGID="true")
    [member] = fetch(made, "/tmp/file")[1].getmembers()
    assert member.uid == 65534


def test_archives_that_only_look_hostile_are_taken(client, box):
    archive = Tar().add("here", tarfile.DIRTYPE, mode=0o755).add("lib/run", tarfile.SYMTYPE, linkname="/here")
    archive.add("lib/run/pid", data=b"1").add("base/file", data=b"linked")
    archive.add("hard", tarfile.LNKTYPE, linkname="/base/file")
    archive.add("hard-up", tarfile.LNKTYPE, linkname="base/../base/file")
    archive.add("out", tarfile.SYMTYPE, linkname="/../../../etc/passwd").add("twice", data=b"1").add("twice", data=b"2")
    put(client, box, "/", archive.bytes())
    assert text(box, "/hard") == text(box, "/hard-up") == "linked"
    assert text(box, "/twice") == "2"
    assert fetch(box, "/out")[0]["linkTarget"] == "/etc/passwd"
    assert text(box, "/here/pid") == "1"


@pytest.mark.parametrize(
    "name_in_archive", ["../escaped", "/../escaped", "a/../../escaped", "a/../../../../../../tmp/escaped"]
)
def test_names_that_lead_upwards_stay_inside_or_are_refused(client, box, name_in_archive):
    try:
        put(client, box, "/tmp", Tar().add(name_in_archive, data=b"x").bytes())
    except docker.errors.APIError:
        return
    assert text(box, "/tmp/escaped") == "x"


def test_a_client_that_leaves_in_the_middle_holds_up_nothing(client, box):
    put(client, box, "/tmp", Tar().add("large", data=bytes(20 << 20)).bytes())
    pieces, _ = box.get_archive("/tmp/large", chunk_size=1024)
    next(iter(pieces))
    pieces.close()
    box.restart(timeout=0)
    assert text(box, "/etc/hostname")
    box.remove(force=True)


def test_many_archives_at_once(client, box, host):
    put(client, box, "/tmp", Tar().add("large", data=b"0123456789abcdef" * 65536).bytes())
    sizes: list[int] = []

    def take() -> None:
        own = docker.DockerClient(base_url=host)
        pieces, _ = own.api.get_archive(box.id, "/tmp/large")
        sizes.append(sum(map(len, pieces)))
        own.close()

    takers = [threading.Thread(target=take) for _ in range(6)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join(60)
    assert sizes == [sizes[0]] * 6


def test_changes_have_numbers_for_kinds(client, name):
    made = client.containers.create(IMAGE, ["sh", "-c", "touch /new; rm /etc/group"], name=name)
    assert made.diff() in ([], None)
    made.start()
    made.wait()
    assert sorted((change["Path"], change["Kind"]) for change in made.diff()) == [
        ("/etc", 0), ("/etc/group", 2), ("/new", 1),
    ]  # fmt: skip
