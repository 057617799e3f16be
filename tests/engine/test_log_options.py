"""``--log-driver`` and ``--log-opt``: how large a log may grow, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from containerlab.engine.container import Container
from containerlab.engine.log_options import check_log, supervised_log
from containerlab.engine.models import HostConfig, LogConfig
from containerlab.engine.settings import Settings
from containerlab.errors import InvalidParameter

SETTINGS = Settings(store=Path("/store"), run=Path("/run"))


@pytest.mark.parametrize(
    ("driver", "options", "size", "files"),
    [
        ("json-file", {}, SETTINGS.log_max_size, SETTINGS.log_max_file),
        ("json-file", {"max-size": "10m"}, 10_000_000, SETTINGS.log_max_file),
        ("json-file", {"max-size": "10MB", "max-file": "5"}, 10_000_000, 5),
        ("json-file", {"max-size": "1.5k"}, 1500, SETTINGS.log_max_file),
        ("json-file", {"max-size": "1GiB"}, 1_000_000_000, SETTINGS.log_max_file),
        ("json-file", {"max-size": "500"}, 500, SETTINGS.log_max_file),
        ("json-file", {"max-size": "-1"}, 0, SETTINGS.log_max_file),
        ("local", {}, 20_000_000, 5),
        ("local", {"max-file": "1"}, 20_000_000, 1),
    ],
)
def test_a_log_is_kept_as_asked_or_as_the_driver_s_defaults_say(
    make_container: Callable[..., Container], driver: str, options: dict[str, str], size: int, files: int
) -> None:
    log = LogConfig(type=driver, config=options)
    check_log(log)
    container = make_container(host=HostConfig(log_config=log), log_driver=driver)
    assert supervised_log(container, SETTINGS) == {
        "driver": "json-file",
        "path": str(container.log_path),
        "max_size": size,
        "max_file": files,
    }


def test_the_driver_none_keeps_nothing(make_container: Callable[..., Container]) -> None:
    assert supervised_log(make_container(log_driver="none"), SETTINGS) is None


@pytest.mark.parametrize(
    ("driver", "options", "message"),
    [
        ("syslog", {}, "logger: no log driver named 'syslog' is registered"),
        ("", {"tag": "x"}, "unknown log opt 'tag' for json-file log driver"),
        ("none", {"max-size": "1m"}, "unknown log opt 'max-size' for none log driver"),
        ("", {"max-size": "big"}, "invalid value for max-size: big"),
        ("", {"max-size": "0"}, "invalid value for max-size: 0"),
        ("", {"max-size": "-5"}, "invalid value for max-size: -5"),
        ("", {"max-size": ""}, "invalid value for max-size: "),
        ("", {"max-file": "0"}, "max-file cannot be less than 1"),
        ("", {"max-file": "²"}, "max-file cannot be less than 1"),
        ("", {"max-file": "1.5"}, "max-file cannot be less than 1"),
        ("", {"max-file": "2", "max-size": "-1"}, "max-file cannot be specified without max-size"),
    ],
)
def test_a_log_option_that_can_t_be_is_refused(driver: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        check_log(LogConfig(type=driver, config=options))
