"""Which verbs ``compose`` has, by section."""

from __future__ import annotations

__all__ = ["SECTIONS"]

import click

from containerlab.commands.compose import configuration, exec, images, lifecycle, logs, look, run, up

SECTIONS: dict[str, list[click.Command]] = {
    "Bring it up, take it down": [
        up.up_command, lifecycle.down_command, up.create_command, lifecycle.start_command, lifecycle.stop_command,
        lifecycle.restart_command, lifecycle.scale_command, lifecycle.kill_command, lifecycle.rm_command,
        lifecycle.pause_command, lifecycle.unpause_command,
    ],
    "See what it does": [
        look.ps_command, logs.logs_command, look.top_command, look.port_command, look.events_command,
        lifecycle.wait_command, look.ls_command,
    ],
    "Run something in it": [exec.exec_command, run.run_command],
    "Files and images": [
        configuration.config_command, images.build_command, images.pull_command, images.images_command,
        look.version_command,
    ],
}  # fmt: skip
