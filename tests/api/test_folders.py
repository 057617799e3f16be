"""The engine's private folders, lock and socket."""

from __future__ import annotations

import os
import socket
import stat

import pytest

from containerlab.api import folders
from containerlab.errors import Forbidden, HostLacks


def test_a_folder_is_made_for_the_owner_alone_whatever_the_umask(tmp_path):
    old = os.umask(0)
    try:
        folders.make_private(tmp_path / "a" / "b")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_folder_that_others_may_enter_is_closed(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    folders.make_private(tmp_path / "open")
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o700


def test_a_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to("elsewhere")
    with pytest.raises(Forbidden, match="is not a folder of uid"):
        folders.make_private(tmp_path / "run")


@pytest.mark.root
def test_a_folder_of_another_user_is_refused(tmp_path):
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12345, 12345)
    with pytest.raises(Forbidden):
        folders.make_private(tmp_path / "theirs")


def test_a_folder_that_can_not_be_made_is_said_with_what_to_set(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HostLacks, match=r"the folder .*/file/store can't be made: File exists") as refused:
        folders.make_private(tmp_path / "file/store", "XDG_RUNTIME_DIR")
    assert "Set XDG_RUNTIME_DIR to a folder" in refused.value.hint


def test_one_holds_the_lock_until_it_is_closed(tmp_path):
    first = folders.lock(tmp_path)
    assert first is not None
    assert folders.lock(tmp_path) is None
    os.close(first)
    second = folders.lock(tmp_path)
    assert second is not None
    os.close(second)


def test_a_lock_is_not_inherited_by_what_the_engine_starts(tmp_path):
    held = folders.lock(tmp_path)
    assert held is not None
    assert not os.get_inheritable(held)
    os.close(held)


def test_the_socket_has_its_mode_from_the_first_moment(tmp_path):
    old = os.umask(0)
    try:
        with folders.listen(tmp_path / "s"):
            assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    finally:
        os.umask(old)


def test_a_stale_socket_is_replaced(tmp_path):
    folders.listen(tmp_path / "s").close()
    with folders.listen(tmp_path / "s"), socket.socket(socket.AF_UNIX) as client:
        client.connect(os.fspath(tmp_path / "s"))
