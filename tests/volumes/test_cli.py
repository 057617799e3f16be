"""Volumes, by the real command line: named and anonymous, their content, their users, their end."""

from __future__ import annotations

import json

import docker
import pytest

IMAGE = "lab/busybox"
RUN = ("run", "--rm", "--network", "none")


def test_what_is_written_into_a_volume_stays(cli, volume):
    cli.ok("volume", "create", "--label", "of=test", volume)
    cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "sh", "-c", "echo kept > /data/file")
    assert cli.ok(*RUN, "-v", f"{volume}:/data:ro", IMAGE, "cat", "/data/file") == "kept"
    assert cli(*RUN, "-v", f"{volume}:/data:ro", IMAGE, "touch", "/data/x").code != 0
    [shown] = json.loads(cli.ok("volume", "inspect", volume))
    assert (shown["Name"], shown["Driver"], shown["Scope"]) == (volume, "local", "local")
    assert shown["Labels"] == {"of": "test"}


def test_run_makes_a_named_volume_that_is_not_there(cli, volume):
    cli.ok(*RUN, "-v", f"{volume}:/data", IMAGE, "true")
    assert volume in cli.ok("volume", "ls", "-q").split()


@pytest.mark.ids
@pytest.mark.usefixtures("many_ids")
def test_a_new_volume_begins_with_the_images_content(cli, volume, content):
    look = "cat /data/link /data/deep/er; stat -c '%u:%g %a' /data /data/file; readlink /data/link"
    assert cli.ok(*RUN, "-v", f"{volume}:/data", content, "sh", "-c", look).splitlines() == [
        *("image", "x", "7:8 1770", "9:10 4750", "file"),
    ]
    cli.ok(*RUN, "-v", f"{volume}:/data", content, "sh", "-c", "echo changed > /data/file")
    assert cli.ok(*RUN, "-v", f"{volume}:/data", content, "cat", "/data/file") == "changed"


def test_nocopy_leaves_it_empty(cli, volume, content):
    assert cli.ok(*RUN, "-v", f"{volume}:/data:nocopy", content, "ls", "/data") == ""
    cli.ok("volume", "rm", volume)
    mount = f"type=volume,src={volume},dst=/data,volume-nocopy"
    assert cli.ok(*RUN, "--mount", mount, content, "ls", "/data") == ""


def test_a_volume_in_use_is_not_removed(cli, volume, name):
    cli.ok("create", "--network", "none", "--name", name, "-v", f"{volume}:/data", IMAGE, "true")
    answer = cli("volume", "rm", volume)
    assert answer.code == 1
    assert "volume is in use" in answer.err
    assert cli.ok("volume", "ls", "-q", "-f", "dangling=true", "-f", f"name={volume}") == ""
    cli.ok("rm", name)
    assert cli.ok("volume", "ls", "-q", "-f", "dangling=true", "-f", f"name={volume}") == volume
    assert cli.ok("volume", "rm", volume) == volume


def test_an_anonymous_volume_outlives_its_container_unless_asked(cli, name):
    def anonymous() -> str:
        return cli.ok("inspect", "-f", "{{range .Mounts}}{{.Name}}{{end}}", name)

    cli.ok("create", "--network", "none", "--name", name, "-v", "/data", IMAGE, "true")
    first = anonymous()
    cli.ok("rm", name)
    assert first in cli.ok("volume", "ls", "-q").split()
    cli.ok("volume", "rm", first)
    cli.ok("create", "--network", "none", "--name", name, "-v", "/data", IMAGE, "true")
    second = anonymous()
    cli.ok("rm", "-v", name)
    assert second not in cli.ok("volume", "ls", "-q").split()


def test_an_auto_removed_container_takes_its_anonymous_volumes_along(cli, volume):
    before = set(cli.ok("volume", "ls", "-q").split())
    cli.ok(*RUN, "-v", "/data", "-v", f"{volume}:/named", IMAGE, "true")
    assert set(cli.ok("volume", "ls", "-q").split()) - before == {volume}


def test_volumes_from_another_container(cli, volume, name):
    cli.ok("create", "--network", "none", "--name", name, "-v", f"{volume}:/data", IMAGE, "true")
    cli.ok(*RUN, "--volumes-from", name, IMAGE, "sh", "-c", "echo shared > /data/file")
    assert cli.ok(*RUN, "--volumes-from", f"{name}:ro", IMAGE, "cat", "/data/file") == "shared"
    assert cli(*RUN, "--volumes-from", f"{name}:ro", IMAGE, "touch", "/data/x").code != 0


def test_prune_takes_what_nobody_uses(cli, volume, name):
    cli.ok("create", "--network", "none", "--name", name, "-v", "/data", IMAGE, "true")
    anonymous = cli.ok("inspect", "-f", "{{range .Mounts}}{{.Name}}{{end}}", name)
    cli.ok("volume", "create", volume)
    assert anonymous not in cli.ok("volume", "prune", "-f")
    cli.ok("rm", name)
    assert anonymous in cli.ok("volume", "prune", "-f")


ERROR = "Error response from daemon: "
NOT_ALLOWED = (
    'create {0}: "{0}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" '
    "are allowed. If you intended to pass a host directory, use absolute path"
)


@pytest.mark.parametrize("bad", ["-x", "a/b", "..", "a b", "ä-1", "a\nb"])
def test_a_name_that_cannot_be(cli, bad):
    answer = cli("volume", "create", "--", bad)
    shown = f'create {bad}: "{bad!r}"'.replace("\"'", '"').replace("'\"", '"')
    said = f"{ERROR}{shown} includes invalid characters for a local volume name, only"
    assert (answer.code, answer.err.startswith(said)) == (1, True)


def test_a_name_of_one_letter_is_too_short_and_one_of_300_too_long(cli):
    short = cli("volume", "create", "a")
    too_short = "volume name is too short, names should be at least two alphanumeric characters"
    assert (short.code, short.err) == (1, f"{ERROR}create a: {too_short}\n")
    assert cli("volume", "create", "x" * 300).code == 1


def test_a_name_that_cannot_be_makes_no_container(cli, name):
    answer = cli("create", "--name", name, "--network", "none", "-v", "a/b:/x", IMAGE, "true")
    assert (answer.code, NOT_ALLOWED.format("a/b") in answer.err) == (1, True)
    assert cli("inspect", name).code == 1


def test_unknown_volumes_and_drivers_are_named(cli, volume):
    missing = "nothing-of-this-name"
    for verb in ("inspect", "rm"):
        answer = cli("volume", verb, missing)
        # docker 20.10 says the first by itself.
        assert (answer.code, answer.err.strip()) in (
            (1, f"{ERROR}get {missing}: no such volume"),
            (1, f"Error: No such volume: {missing}"),
        )
    assert cli.ok("volume", "rm", "-f", missing) == missing
    answer = cli("volume", "create", "-d", "nosuch", volume)
    said = f'create {volume}: error looking up volume plugin nosuch: plugin "nosuch" not found'
    assert (answer.code, answer.err) == (1, f"{ERROR}{said}\n")


def test_a_volume_in_use_is_not_removed_by_force_either_and_the_message_names_who_uses_it(cli, volume, name):
    container = cli.ok("create", "--network", "none", "--name", name, "-v", f"{volume}:/data", IMAGE, "true")
    for words in (("rm",), ("rm", "-f")):
        answer = cli("volume", *words, volume)
        assert (answer.code, answer.err) == (1, f"{ERROR}remove {volume}: volume is in use - [{container}]\n")


def test_filters_choose_and_wrong_ones_are_named(cli, pair):
    for made, label in zip(pair, ("a=1", "a=2"), strict=True):
        cli.ok("volume", "create", "--label", label, made)

    def listed(*filters):
        words = [word for text in filters for word in ("-f", text)]
        return {found for found in cli.ok("volume", "ls", "-q", *words).split() if found in pair}

    assert listed("label=a") == set(pair)
    assert listed("label=a=1") == {pair[0]}
    assert listed("label=a=1", "dangling=false") == set()
    assert listed(f"name={pair[1][2:]}") == {pair[1]}
    assert listed("driver=local") == set(pair)
    assert listed("driver=other") == set()
    for wrong in ("bogus=1", "dangling=maybe"):
        answer = cli("volume", "ls", "-f", wrong)
        said = "nvalid filter 'bogus'" if wrong == "bogus=1" else "nvalid filter 'dangling=[maybe]'"
        assert (answer.code, said in answer.err) == (1, True)
    assert "nvalid filter 'bogus'" in cli("volume", "prune", "-f", "--filter", "bogus=1").err


def test_system_df_tells_size_and_links(cli, volume, name):
    script = "dd if=/dev/zero of=/data/big bs=1k count=300; ln /data/big /data/again"
    cli.ok("create", "--network", "none", "--name", name, "-v", f"{volume}:/data", IMAGE, "sh", "-c", script)
    cli.ok("start", "-a", name)
    rows = cli.ok("system", "df", "-v", "--format", "{{json .Volumes}}")
    [row] = [row for row in json.loads(rows) if row["Name"] == volume]
    assert (row["Links"], row["Size"]) == ("1", "307.2kB")


def test_system_df_leaves_out_what_isn_t_the_store_s(cli, pair):
    cli.ok("volume", "create", pair[0])
    cli.ok("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", pair[1])
    rows = json.loads(cli.ok("system", "df", "-v", "--format", "{{json .Volumes}}"))
    assert [row["Name"] for row in rows if row["Name"] in pair] == [pair[0]]


def test_before_api_1_42_prune_takes_every_unused_volume(host, pair):
    old, new = (docker.APIClient(base_url=host, version=version) for version in ("1.41", None))
    for made in pair:
        old.create_volume(made, labels={"of": pair[0]})
    mine = {"label": [f"of={pair[0]}"]}
    if docker.utils.compare_version(new.api_version, "1.42") <= 0:
        new = docker.APIClient(base_url=host, version="1.43")
        assert new.prune_volumes(mine)["VolumesDeleted"] in (None, [])
        assert new.prune_volumes({**mine, "label!": ["of"]})["VolumesDeleted"] in (None, [])
        new.remove_volume(pair[0])
        assert new.prune_volumes({**mine, "all": ["1"]})["VolumesDeleted"] == [pair[1]]
        with pytest.raises(docker.errors.APIError, match="invalid filter 'all'"):
            new.prune_volumes({"all": ["maybe"]})
        for made in pair:
            old.create_volume(made, labels={"of": pair[0]})
    pruned = old.prune_volumes(mine)
    assert set(pruned["VolumesDeleted"]) == set(pair)
    old.close()
    new.close()
