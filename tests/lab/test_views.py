"""One process from two sides, of an engine that is scripted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import docker.errors

from containerlab.lab.note import Note
from containerlab.lab.views import two_views


class ScriptedApi:
    base_url, timeout = "http://scripted", 1

    def __init__(self, rung: str = "") -> None:
        self._rung = rung

    def get(self, url: str, **arguments: Any) -> Any:
        if not self._rung:
            raise docker.errors.NotFound("page not found")
        return self._rung

    def _result(self, rung: str, json: bool) -> dict[str, str]:
        return {"rung": rung}

    def top(self, name: str) -> dict[str, Any]:
        titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
        return {"Titles": titles, "Processes": [["root", "4711", "4000", "0", "10:00", "?", "00:00:00", "sleep 600"]]}


def scripted(said: bytes, rung: str = "") -> Any:
    container = SimpleNamespace(exec_run=lambda command: SimpleNamespace(output=said))
    return SimpleNamespace(api=ScriptedApi(rung), containers=SimpleNamespace(get=lambda name: container))


def test_the_one_process_has_the_hosts_number_and_the_containers() -> None:
    figure = two_views(scripted(b"0a1b2c3d4e5f\n2\n"), "web")
    assert figure.to_dict() == {"name": "web", "host_pid": 4711, "inside_pid": 1, "processes_inside": 1}
    assert "4711" in figure.summary and "process number 1 of the container web" in figure.summary
    words = [text.get_text() for axes in figure.canvas.axes for text in axes.texts]
    assert {"4711", "4000", "1", "0a1b2c3d4e5f", "nobody else"} <= set(words)


def test_other_processes_of_the_container_are_not_denied() -> None:
    figure = two_views(scripted(b"0a1b2c3d4e5f\n4\n"), "web")
    words = [text.get_text() for axes in figure.canvas.axes for text in axes.texts]
    assert "and 2 others of its own" in words and "nobody else" not in words


def test_where_there_is_one_view_alone_a_note_says_so() -> None:
    note = two_views(scripted(b"host\n9\n", rung="proot"), "web")
    assert isinstance(note, Note)
    assert "process number 4711 (sleep 600) has that number inside web too" in note.text
    assert note._repr_mimebundle_()["text/plain"] == str(note)
    assert isinstance(two_views(scripted(b"0a1b2c3d4e5f\n2\n", rung="root"), "web").to_dict(), dict)
