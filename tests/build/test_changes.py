"""``--change``: which instructions commit and import take, and what they do to a config."""

from __future__ import annotations

import pytest

from containerlab.build.changes import apply_changes
from containerlab.errors import DockerfileError, InvalidParameter
from containerlab.images import ContainerConfig


def test_each_instruction_changes_its_part() -> None:
    config = apply_changes(
        ContainerConfig(Env=["A=0"], WorkingDir="/srv"),
        [
            'CMD ["run", "me"]',
            "ENV A=1",
            "ENV B=$A",
            "EXPOSE 80 53/udp",
            "LABEL k=v",
            "ONBUILD RUN true",
            "USER 7:8",
            "VOLUME /v",
            "WORKDIR sub",
            "STOPSIGNAL SIGINT",
            'SHELL ["/bin/ash", "-c"]',
            "HEALTHCHECK --interval=5s CMD ping",
            "ENTRYPOINT serve",
        ],
    )
    assert (config.Env, config.User, config.WorkingDir) == (["A=1", "B=1"], "7:8", "/srv/sub")
    assert set(config.ExposedPorts or ()) == {"80/tcp", "53/udp"}
    assert (config.Labels, config.OnBuild, config.Volumes) == ({"k": "v"}, ["RUN true"], {"/v": {}})
    assert (config.StopSignal, config.Shell) == ("SIGINT", ["/bin/ash", "-c"])
    assert config.Healthcheck is not None and config.Healthcheck.Test == ["CMD-SHELL", "ping"]
    assert (config.Entrypoint, config.Cmd) == (["/bin/ash", "-c", "serve"], ["run", "me"])


def test_what_was_given_stays_as_it_was() -> None:
    given = ContainerConfig(Labels={"a": "1"}, Env=["A=1"])
    assert apply_changes(given, ["", "  "]) == given
    apply_changes(given, ["LABEL a=2", "ENV A=2"])
    assert given == ContainerConfig(Labels={"a": "1"}, Env=["A=1"])


@pytest.mark.parametrize("change", ["RUN true", "COPY a b", "ADD a b", "FROM scratch", "ARG A", "MAINTAINER me"])
def test_an_instruction_that_makes_a_layer_is_refused(change: str) -> None:
    with pytest.raises(InvalidParameter, match="is not a valid change command"):
        apply_changes(ContainerConfig(), [change])


@pytest.mark.parametrize("change", ["FLY away", "ENV", "EXPOSE nowhere", "STOPSIGNAL X", "ONBUILD ONBUILD RUN x"])
def test_what_cannot_be_read_is_refused(change: str) -> None:
    with pytest.raises(DockerfileError):
        apply_changes(ContainerConfig(), [change])
