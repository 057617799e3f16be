"""``check``, ``progress``, ``lesson``, ``reset`` and ``lang``: what belongs to the course, not to the engine."""

from __future__ import annotations

__all__ = ["check_command", "lang_command", "lesson_command", "progress_command", "reset_command"]

import contextlib
from typing import Any

import click

from containerlab.commands import html
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Column, Lines, Result, Table
from containerlab.errors import UsageError
from containerlab.lab.words import Words

_MARKS = {True: Words("done"), False: Words("not yet"), None: Words("not looked at")}


class Checked(Result):
    """The verdict on an exercise: true when it is right. ``.hint`` helps on, ``.score`` is between 0 and 1."""

    def __init__(self, verdict: Any) -> None:
        self.verdict = verdict
        self.exit_code = 0 if verdict.passed else 1

    @property
    def passed(self) -> bool:
        return bool(self.verdict.passed)

    @property
    def score(self) -> float:
        return float(self.verdict.score)

    @property
    def hint(self) -> str:
        return str(self.verdict.hint)

    def __bool__(self) -> bool:
        return self.passed

    def to_dict(self) -> dict[str, Any]:
        return dict(self.verdict.to_dict())

    def __str__(self) -> str:
        return str(self.verdict)

    def body(self) -> str:
        from containerlab.lab.words import say

        head, _, hint = str(self.verdict).partition("\n")
        rows = [[what, say(_MARKS[state])] for what, state in self.verdict.steps]
        steps = html.table([say("what is looked for"), say("is it there?")], rows)
        mood = "cl-done" if self.passed else "cl-failed"
        return (
            f'<details class="cl-step {mood}"{"" if self.passed else " open"}>'
            f"<summary>{html.escape(head)}</summary>{steps}</details>" + (f"<p>{html.escape(hint)}</p>" if hint else "")
        )


@verb("check", help="Look whether an exercise of the course is done, and help on where it isn't.")
@click.argument("exercise", metavar="EXERCISE")
@pass_context
def check_command(context: Context, exercise: str) -> Result:
    from containerlab.lab import exercises

    exercises.exercise(exercise)
    return Checked(exercises.check(exercise, context.client))


@verb("progress", help="The exercises of the course, and which of them you have done.")
@click.option("--forget", is_flag=True, help="Begin anew: all is forgotten.")
@pass_context
def progress_command(context: Context, forget: bool) -> Result:
    from containerlab.lab.exercises import exercises
    from containerlab.lab.progress import Progress
    from containerlab.lab.words import say

    progress = Progress()
    if forget:
        progress.forget()
    done = {entry.id: entry for entry in progress.entries()}
    rows = []
    for one in exercises().values():
        entry = done.get(one.id)
        rows.append(
            {
                "id": one.id,
                "title": say(one.title),
                "right": entry.right if entry else 0,
                "total": len(one.steps),
                "checks": entry.checks if entry else 0,
                "done_at": entry.done_at if entry else None,
            }
        )
    columns = [
        Column("id", say("EXERCISE")),
        Column("title", say("WHAT")),
        Column("right", say("STEPS"), number=True),
        Column("total", say("OF"), number=True),
        Column(
            "done_at",
            say("DONE"),
            text=lambda at: at or say("not yet"),
            calm=lambda at: say("done" if at else "not yet"),
        ),
    ]
    return Table(columns, rows)


@verb("lesson", help="Begin a lesson: what is made from now on is marked as its own, for `reset`.")
@click.argument("number")
@pass_context
def lesson_command(context: Context, number: str) -> Result:
    from containerlab.lab import lessons

    if not context.notebook:
        raise UsageError("lesson is for a notebook: a terminal's next command would know nothing of it.")
    lessons.begin(number)
    return Lines([])


@verb("reset", help="Remove what a lesson made (containers, networks, volumes, images), and nothing else.")
@click.option("--lesson", metavar="N", default=None, is_flag=False, flag_value="", help="Which one; alone: this one.")
@pass_context
def reset_command(context: Context, lesson: str | None) -> Result:
    from containerlab.errors import UsageError
    from containerlab.lab import lessons

    if lesson is None:
        raise UsageError(
            "reset needs --lesson: it removes what a lesson made.", hint="`reset --lesson` or `--lesson 5`"
        )
    return Lines([f"removed {one}" for one in lessons.reset(context.client, lesson or None)])


_NO_FONT = Words(
    "This host has no font with Hangul, so pictures saved as PNG have boxes in place of it. "
    "Install Debian's fonts-nanum, or the Python package koreanize-matplotlib, and restart the kernel."
)


@verb("lang", help="Choose the language of labels, hints and explanations, or tell which it is.")
@click.argument("code", required=False)
@pass_context
def lang_command(context: Context, code: str | None) -> Result:
    from containerlab.lab import words

    if code and not context.notebook:
        raise UsageError(
            "lang is for a notebook: a terminal's next command would know nothing of it.",
            hint=f"CONTAINERLAB_LANG={code} chooses the language there.",
        )
    lines = [words.speak(code) if code else words.LANGUAGES[words.language()]]
    if code:
        from containerlab.lab.progress import Progress

        # The panel then speaks it too; where the home folder takes nothing, the notebook does all the same.
        with contextlib.suppress(OSError):
            Progress().speak(code)
    if code == "ko":
        from containerlab.lab.draw import hangul_fonts

        lines += [] if hangul_fonts() else [words.say(_NO_FONT)]
    return Lines(lines)
