"""``--format``: what of Go's templates works, and what the rest is told."""

from __future__ import annotations

import pytest

from containerlab.commands.template import render
from containerlab.errors import UsageError

DATA = {
    "Name": "/web",
    "State": {"Pid": 12, "Running": True, "Health": None},
    "Config": {"Env": ["A=1", "B=2"], "Labels": {"b": "2", "a": "1"}},
    "Mounts": [{"Source": "/a"}, {"Source": "/b"}],
    "None": [],
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Name}}", "/web"),
        ("{{ .State.Pid }}: {{.State.Running}}", "12: true"),
        ("{{.State.Health}}", "<no value>"),
        ("{{.Config.Env}}", "[A=1 B=2]"),
        ("{{.Config.Labels}}", "map[a:1 b:2]"),
        ("{{json .State}}", '{"Pid":12,"Running":true,"Health":null}'),
        ("{{json .}}", None),
        ("{{len .Config.Env}}", "2"),
        ("{{upper .Name}}", "/WEB"),
        ('{{join .Config.Env ", "}}', "A=1, B=2"),
        ('{{index .Config.Labels "a"}}', "1"),
        ("{{index .Config.Env 1}}", "B=2"),
        ("{{range .Mounts}}{{.Source}};{{end}}!", "/a;/b;!"),
        ("[{{range .None}}never{{.x}}{{end}}]", "[]"),
        ("{{range .Mounts}}{{range .}}{{.}}{{end}} {{end}}", "/a /b "),
        (r"a\tb\n", "a\tb\n"),
        ("plain", "plain"),
    ],
)
def test_render(template: str, text: str | None) -> None:
    assert render(template, DATA) == (text or render("{{json .}}", DATA))


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{.Nam}}", "no field .Nam"),
        ("{{.State.Pod}}", "no field .State.Pod"),
        ("{{printf .Name}}", "printf .Name"),
        ("{{if .Name}}x{{end}}", "if .Name"),
        ("{{end}}", "without {{range}}"),
        ("{{range .None}}x", "without {{end}}"),
        ('{{join .Name "}}', "quotation"),
    ],
)
def test_what_is_not_understood_is_named(template: str, words: str) -> None:
    with pytest.raises(UsageError, match="--format") as caught:
        render(template, DATA)
    assert words in str(caught.value)


def test_an_unknown_field_lists_the_fields_there_are() -> None:
    with pytest.raises(UsageError, match=r"\.Pid, \.Running, \.Health"):
        render("{{.State.X}}", DATA)
