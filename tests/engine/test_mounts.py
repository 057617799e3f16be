"""Binds, mounts, tmpfs and anonymous volumes: what is planned, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from containerlab.engine.models import BindOptions, ContainerConfig, HostConfig, Mount, TmpfsOptions, VolumeOptions
from containerlab.engine.mounts import MountPlan, plan_mounts, point_to_oci
from containerlab.engine.state import MountPoint
from containerlab.errors import InvalidParameter

VOLUMES = Path("/store/volumes")
BIND = 'invalid mount config for type "bind": '


def plan(volumes: dict[str, Any] | None = None, **host: Any) -> MountPlan:
    return plan_mounts(ContainerConfig(volumes=volumes or {}), HostConfig(**host), VOLUMES.joinpath)


@pytest.mark.parametrize(
    ("mode", "rw", "propagation"),
    [
        ("", True, "rprivate"),
        ("rw", True, "rprivate"),
        ("ro", False, "rprivate"),
        ("ro,Z", False, "rprivate"),
        ("z,rslave", True, "rslave"),
        ("slave,ro,consistent", False, "slave"),
    ],
)
def test_a_bind_s_mode_says_access_and_propagation(tmp_path: Path, mode: str, rw: bool, propagation: str) -> None:
    (point,) = plan(binds=[f"{tmp_path}:/b:{mode}" if mode else f"{tmp_path}:/b"]).points.values()
    assert point == MountPoint(
        type="bind",
        source=str(tmp_path),
        destination="/b",
        mode=mode,
        rw=rw,
        propagation=propagation,
        readonly_recursive=not rw,
        made=True,
    )
    options = ["rbind", propagation, *([] if rw else ["rro"])]
    assert point_to_oci(point, []) == {
        "destination": "/b",
        "type": "bind",
        "source": str(tmp_path),
        "options": options,
    }


def test_a_bind_s_missing_source_is_made_and_a_mount_s_is_not(tmp_path: Path) -> None:
    plan(binds=[f"{tmp_path}/a/b:/x"])
    assert (tmp_path / "a/b").is_dir()
    with pytest.raises(InvalidParameter, match=f"{BIND}bind source path does not exist: {tmp_path}/c"):
        plan(mounts=[Mount(type="bind", source=f"{tmp_path}/c", target="/x")])
    options = BindOptions(create_mountpoint=True)
    plan(mounts=[Mount(type="bind", source=f"{tmp_path}/c", target="/x", bind_options=options)])
    assert (tmp_path / "c").is_dir()


def test_a_source_that_can_t_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        InvalidParameter, match=f"error while creating mount source path '{tmp_path}/file/x': Not a dir"
    ):
        plan(binds=[f"{tmp_path}/file/x:/x"])


@pytest.mark.parametrize("source", ["/tmp/a\0b", "/tmp/\ud800"])
def test_a_source_that_is_no_path_is_a_bad_request(source: str) -> None:
    with pytest.raises(InvalidParameter, match="error while creating mount source path"):
        plan(binds=[f"{source}:/x"])
    with pytest.raises(InvalidParameter, match="bind source path does not exist"):
        plan(mounts=[Mount(type="bind", source=source, target="/x")])


def test_a_dangling_link_is_a_source_that_exists(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    plan(binds=[f"{tmp_path}/link:/x"])
    assert (tmp_path / "link").is_symlink()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("bind", "message"),
    # Docker 20.10's own answers, but for what is said to come later.
    [
        ("/tmp:/", f"invalid volume specification: '/tmp:/': {BIND}invalid specification: destination can't be '/'"),
        (
            "/tmp:rel",
            f"invalid volume specification: '/tmp:rel': {BIND}invalid mount path: 'rel' mount path must be absolute",
        ),
        ("/tmp:/x:foo", "invalid mode: foo"),
        ("/tmp:/x:ro,ro", "invalid mode: ro,ro"),
        ("/tmp:/x:ro,rw", "invalid mode: ro,rw"),
        ("/tmp:/x:z,Z", "invalid mode: z,Z"),
        ("/tmp:/x:slave,private", "invalid mode: slave,private"),
        ("/tmp:/x:ro,", "invalid mode: ro,"),
        ("/tmp:/x:RO", "invalid mode: RO"),
        (
            "/tmp:/x:nocopy",
            f"invalid volume specification: '/tmp:/x:nocopy': {BIND}field VolumeOptions must not be specified",
        ),
        ("/x:ro", "invalid volume specification: '/x:ro'"),
        (":/x", "invalid volume specification: ':/x'"),
        ("/tmp:", "invalid volume specification: '/tmp:'"),
        ("/tmp:/x:ro:rw", "invalid volume specification: '/tmp:/x:ro:rw'"),
        ("", "invalid mount path: '' mount path must be absolute"),
        (
            "data:/x:shared",
            "invalid volume specification: 'data:/x:shared': "
            'invalid mount config for type "volume": field BindOptions must not be specified',
        ),
        ("x:/x", "create x: volume name is too short, names should be at least two alphanumeric characters"),
    ],
)
def test_a_bind_that_can_t_be_is_refused(bind: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        plan(binds=[bind])
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        (Mount(type="bind", source="/tmp"), f"{BIND}field Target must not be empty"),
        (Mount(type="bind", target="/x"), f"{BIND}field Source must not be empty"),
        (
            Mount(type="bind", source="rel", target="/x"),
            f"{BIND}invalid mount path: 'rel' mount path must be absolute",
        ),
        (
            Mount(type="bind", source="/tmp", target="rel"),
            f"{BIND}invalid mount path: 'rel' mount path must be absolute",
        ),
        (Mount(type="bind", source="/tmp", target="/"), f"{BIND}invalid specification: destination can't be '/'"),
        (Mount(type="bind", source="/tmp", target="/x/.."), f"{BIND}invalid specification: destination can't be '/'"),
        (Mount(type="bind", source="/tmp", target="/x\0"), f"{BIND}invalid mount path: '/x\\x00' holds a NUL"),
        (
            Mount(type="bind", source="/tmp", target="/x", volume_options=VolumeOptions()),
            f"{BIND}field VolumeOptions must not be specified",
        ),
        (
            Mount(type="bind", source="/tmp", target="/x", bind_options=BindOptions(propagation="foo")),
            f"{BIND}invalid propagation mode: foo",
        ),
        (
            Mount(type="bind", source="/tmp", target="/x", bind_options=BindOptions(read_only_force_recursive=True)),
            "mount options conflict: !ReadOnly && BindOptions.ReadOnlyForceRecursive",
        ),
        (
            Mount(
                type="bind",
                source="/tmp",
                target="/x",
                read_only=True,
                bind_options=BindOptions(read_only_force_recursive=True, read_only_non_recursive=True),
            ),
            "mount options conflict: ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive",
        ),
        (
            Mount(type="tmpfs", source="/x", target="/x"),
            'invalid mount config for type "tmpfs": field Source must not be specified',
        ),
        (
            Mount(type="tmpfs", target="/x", bind_options=BindOptions()),
            'invalid mount config for type "tmpfs": field BindOptions must not be specified',
        ),
        (Mount(type="foo", target="/x"), 'invalid mount config for type "foo": mount type unknown'),
        (Mount(type="npipe", source="x", target="/x"), 'invalid mount config for type "npipe": mount type unknown'),
        (
            Mount(type="volume", target="/x", volume_options=VolumeOptions(subpath="a")),
            'invalid mount config for type "volume": must not set Subpath when using anonymous volumes',
        ),
        *(
            (
                Mount(type="volume", source="vol", target="/x", volume_options=VolumeOptions(subpath=path)),
                'invalid mount config for type "volume": subpath must be a relative path within the volume',
            )
            for path in ("/a", "..", "../a", "a/../../b", "./..", "a\0b")
        ),
        (
            Mount(type="tmpfs", target="/x", tmpfs_options=TmpfsOptions(options=[["suid"]])),
            'invalid mount config for type "tmpfs": invalid option: suid',
        ),
        (
            Mount(type="volume", target="/x", volume_options=VolumeOptions(driver_config={"Name": "nfs"})),
            'create : error looking up volume plugin nfs: plugin "nfs" not found',
        ),
        (
            Mount(type="volume", target="/x", volume_options=VolumeOptions(driver_config={"Options": {"size": "1m"}})),
            "create : quota size requested but no quota support",
        ),
    ],
)
def test_a_mount_that_can_t_be_is_refused(mount: Mount, message: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        plan(mounts=[mount])
    assert refused.value.message == message


@pytest.mark.parametrize(
    "host",
    [
        {"binds": ["/tmp:/x", "/etc:/x"]},
        {"binds": ["/tmp:/x", "/etc:/x/"]},
        {"binds": ["/tmp:/x"], "mounts": [Mount(type="tmpfs", target="/x")]},
        {"binds": ["/tmp:/y/../x"], "tmpfs": {"//x": ""}},
        {"mounts": [Mount(type="bind", source="/tmp", target="/x"), Mount(type="volume", target="/x/.")]},
    ],
)
def test_two_mounts_at_one_place_are_refused_in_docker_s_words(host: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter, match=r"^Duplicate mount point: /x$"):
        plan(**host)


@pytest.mark.parametrize(("path", "reason"), [("rel", "must be absolute"), ("/", "can't be '/'"), ("", "absolute")])
def test_a_tmpfs_lies_at_an_absolute_path(path: str, reason: str) -> None:
    with pytest.raises(InvalidParameter, match=reason):
        plan(tmpfs={path: ""})


def test_a_tmpfs_has_docker_s_options_before_its_own_and_is_not_listed_among_the_mounts() -> None:
    made = plan(tmpfs={"/t/": "size=1m,exec"}, mounts=[Mount(type="tmpfs", target="/u")])
    assert {
        "destination": "/t",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "nodev", "size=1m", "exec"],
    } in made.oci()
    assert [point.destination for point in made.listed] == ["/u"]


@pytest.mark.parametrize(
    ("options", "read_only", "expected"),
    [
        (None, False, ["noexec", "nosuid", "nodev", "rw"]),
        (None, True, ["noexec", "nosuid", "nodev", "ro"]),
        (
            TmpfsOptions(size_bytes=4096, mode=0o1770),
            False,
            ["noexec", "nosuid", "nodev", "rw", "size=4096", "mode=1770"],
        ),
    ],
)
def test_a_mounted_tmpfs_takes_size_and_mode(
    options: TmpfsOptions | None, read_only: bool, expected: list[str]
) -> None:
    made = plan(mounts=[Mount(type="tmpfs", target="/t", tmpfs_options=options, read_only=read_only)])
    assert made.oci()[0]["options"] == expected


@pytest.mark.parametrize(
    ("words", "shown"),
    [("bogus=1", '["bogus" "1"]'), ("bogus", '["bogus"]'), ("size", '["size"]'), ("size=", '["size" ""]')],
)
def test_an_option_that_no_tmpfs_has_is_refused(words: str, shown: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        plan(tmpfs={"/t": words})
    assert refused.value.message == f"invalid tmpfs option {shown}"


def test_what_lies_below_a_read_only_mount_is_read_only_since_api_1_44_unless_asked_otherwise() -> None:
    def access(*, since_1_44: bool, **options: Any) -> str:
        mount = Mount(type="bind", source="/tmp", target="/x", read_only=True, bind_options=BindOptions(**options))
        made = plan_mounts(
            ContainerConfig(), HostConfig(mounts=[mount]), VOLUMES.joinpath, readonly_recursive=since_1_44
        )
        return " ".join(made.oci()[0]["options"])

    assert access(since_1_44=True) == "rbind rprivate rro"
    assert access(since_1_44=False) == "rbind rprivate ro"
    assert access(since_1_44=True, read_only_non_recursive=True) == "rbind rprivate ro"
    assert access(since_1_44=False, read_only_force_recursive=True) == "rbind rprivate rro"
    assert access(since_1_44=True, non_recursive=True) == "bind rprivate rro"


def test_an_image_s_volume_is_anonymous_unless_something_is_mounted_there() -> None:
    made = plan(volumes={"/data": {}, "/tmp": None}, binds=["/tmp:/tmp"])
    (volume,) = made.volumes
    assert volume.destination == "/data"
    assert len(volume.name) == 64
    assert volume.source == str(VOLUMES / volume.name)
    assert [point.type for point in made.listed] == ["bind", "volume"]


def test_an_anonymous_volume_can_be_asked_for_in_each_way() -> None:
    mount = Mount(
        type="volume", target="/b", read_only=True, volume_options=VolumeOptions(driver_config={"Name": "local"})
    )
    made = plan(volumes={"/c": {}}, binds=["/a"], mounts=[mount])
    assert [(point.destination, point.rw) for point in made.volumes] == [("/a", True), ("/b", False), ("/c", True)]
    assert len({point.name for point in made.volumes}) == 3


def test_outer_mounts_come_before_those_inside_them() -> None:
    made = plan(tmpfs={"/a/b/c": "", "/a": "", "/a/b": "", "/z": ""})
    places = [entry["destination"] for entry in made.oci()]
    assert places.index("/a") < places.index("/a/b") < places.index("/a/b/c")


@pytest.mark.parametrize("name", ["../up", "-data", "a b", "a/b", "x" * 300])
def test_a_volume_s_name_leads_nowhere(name: str) -> None:
    with pytest.raises(InvalidParameter, match="includes invalid characters"):
        plan(binds=[f"{name}:/x"])


def test_a_named_volume_can_be_asked_for_in_each_way() -> None:
    options = VolumeOptions(no_copy=True, labels={"a": "1"})
    mount = Mount(type="volume", source="other", target="/b", read_only=True, volume_options=options)
    made = plan(binds=["data:/a:nocopy"], mounts=[mount])
    first, second = made.volumes
    assert (first.name, first.source, first.no_copy, first.anonymous) == ("data", str(VOLUMES / "data"), True, False)
    assert (second.name, second.rw, second.no_copy) == ("other", False, True)
    assert made.asked["other"].labels == {"a": "1"}


def test_another_container_s_mount_gives_way_to_one_s_own() -> None:
    theirs = [
        MountPoint(type="volume", name="one", source="/v/one", destination="/a"),
        MountPoint(type="volume", name="two", source="/v/two", destination="/b"),
    ]
    made = plan_mounts(ContainerConfig(), HostConfig(binds=["own:/a"]), VOLUMES.joinpath, theirs)
    assert {point.destination: point.name for point in made.volumes} == {"/a": "own", "/b": "two"}
    with pytest.raises(InvalidParameter, match="Duplicate mount point"):
        plan_mounts(ContainerConfig(), HostConfig(binds=["own:/a", "more:/a"]), VOLUMES.joinpath, theirs)
