"""One process from two sides, of an engine that is scripted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from containerlab.lab.views import two_views


class ScriptedApi:
    def top(self, name: str) -> dict[str, Any]:
        titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
        return {"Titles": titles, "Processes": [["root", "4711", "4000", "0", "10:00", "?", "00:00:00", "sleep 600"]]}


def scripted(said: bytes) -> Any:
    container = SimpleNamespace(exec_run=lambda command: SimpleNamespace(output=said))
    return SimpleNamespace(api=ScriptedApi(), containers=SimpleNamespace(get=lambda name: container))


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
