"""``python -m containerlab``: what is dispatched below the line never carries a client's libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROBE = """
import sys
sys.argv = ["containerlab", *sys.argv[1:]]
from containerlab.__main__ import main
try:
    main()
except SystemExit:
    pass
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"click", "docker", "requests", "rich"}), file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["serve", "--help"], ["runtime", "--help"], ["doctor", "--help"]])
def test_below_the_line_no_client_library_is_imported(words):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.splitlines()[-1] == "[]", done


def test_serve_says_what_it_takes():
    command = [sys.executable, "-m", "containerlab", "serve", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert all(option in done.stdout for option in ("--socket", "--store", "--idle-exit"))


@pytest.mark.parametrize("seconds", ["soon", "-5", "nan", "inf"])
def test_a_bad_option_of_serve_is_a_usage_error(seconds):
    command = [sys.executable, "-m", "containerlab", "serve", "--idle-exit", seconds]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "--idle-exit" in done.stderr


def test_an_unknown_verb_is_named_without_a_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "containerlab", "no-such-verb"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "no-such-verb" in done.stderr
    assert "Traceback" not in done.stderr
