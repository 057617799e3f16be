"""Where every container is on the host's network: what is written into a folder that its program can reach."""

from __future__ import annotations

from pathlib import Path

from containerlab.engine.shared_network import overwrite


def test_a_hosts_file_is_rewritten_in_place(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 a name that is longer\n")
    before = path.stat().st_ino
    overwrite(path, b"127.0.0.1\tb\n")
    assert path.read_text() == "127.0.0.1\tb\n" and path.stat().st_ino == before


def test_a_link_that_a_program_put_in_its_place_leads_nowhere(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "hosts").symlink_to(mine)
    overwrite(tmp_path / "hosts", b"theirs")
    assert mine.read_text() == "mine"
