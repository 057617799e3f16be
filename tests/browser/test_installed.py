"""The extension comes with the kit: linked where the kit is edited, as files from a wheel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import containerlab

ROOT = Path(__file__).resolve().parents[2]


def listed(program: str, name: str, *words: str) -> str:
    """The line of ``name`` in what an environment's Jupyter program lists."""
    command = [Path(sys.executable).with_name(program), *words, "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return next(line for line in (done.stdout + done.stderr).splitlines() if line.strip().startswith(name))


def test_jupyterlab_lists_the_extension_as_enabled_and_fit_for_it() -> None:
    line = listed("jupyter-labextension", "containerlab v")
    assert containerlab.__version__ in line and "enabled" in line and "OK" in line


def test_the_jupyter_server_lists_its_half_as_enabled_and_loads_it() -> None:
    assert "enabled" in listed("jupyter-server", "containerlab.labserver", "extension")


def test_it_has_the_version_of_the_kit() -> None:
    package = json.loads((ROOT / "labextension/package.json").read_bytes())
    assert package["version"] == containerlab.__version__


@pytest.mark.slow
def test_a_wheel_has_every_file_of_it(tmp_path: Path) -> None:
    copy = tmp_path / "copy"  # setuptools writes beside what it builds
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "notebooks", "tests"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(copy)]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = {name.partition(".data/data/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    wanted = {file.name for file in (ROOT / "labextension/static").iterdir()}
    share = "share/jupyter/labextensions/containerlab"
    assert "etc/jupyter/jupyter_server_config.d/containerlab.json" in names
    assert {f"{share}/package.json", f"{share}/install.json", *(f"{share}/static/{name}" for name in wanted)} <= names
