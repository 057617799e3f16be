"""The files for hosts of others, read by those that will read them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from containerlab.build.dockerfile import parse
from containerlab.build.lint import lint
from tests.hosting.students import SOURCE

_IMAGE = SOURCE / "deploy/zero-to-jupyterhub/Dockerfile"


def test_the_image_s_recipe_is_read_and_nothing_is_found_wrong_with_it() -> None:
    dockerfile = parse(_IMAGE.read_bytes(), "Dockerfile")
    assert [finding.message for finding in lint(dockerfile, {})] == []


def test_what_the_recipe_copies_is_there() -> None:
    for line in _IMAGE.read_text().splitlines():
        if line.startswith("COPY"):
            [*sources, _] = [word for word in line.split()[1:] if not word.startswith("--")]
            assert all((SOURCE / source).exists() for source in sources)


def test_the_chart_s_values_are_yaml_and_ask_for_no_privilege() -> None:
    values = yaml.safe_load((SOURCE / "deploy/zero-to-jupyterhub/values.yaml").read_text())
    student = values["singleuser"]
    volumes = {volume["name"] for volume in student["storage"]["extraVolumes"]}
    assert {mount["name"] for mount in student["storage"]["extraVolumeMounts"]} == volumes
    assert student["extraEnv"]["CONTAINERLAB_SHARED_STORE"] in {
        mount["mountPath"] for mount in student["storage"]["extraVolumeMounts"]
    }
    assert "privileged" not in str(values)


def test_repo2docker_reads_the_kit_s_files(monkeypatch: pytest.MonkeyPatch) -> None:
    packs = pytest.importorskip("repo2docker.buildpacks")
    monkeypatch.chdir(SOURCE)
    pack = packs.CondaBuildPack("ubuntu:24.04")
    assert pack.detect() and pack.binder_dir == ""
    assert pack.python_version == yaml.safe_load(Path("environment.yml").read_text())["dependencies"][0].split("=")[1]
    # pip's `.[lab]` needs the repository, so the environment is made once it is there.
    assert not pack._should_preassemble_env
    apt = "\n".join(script for _, script in pack.get_preassemble_scripts())
    assert all(package in apt for package in Path("apt.txt").read_text().split())
    assert "environment.yml" in "\n".join(script for _, script in pack.get_assemble_scripts())
    assert pack.get_post_build_scripts() == ["postBuild"]
    assert os.access("postBuild", os.X_OK)
