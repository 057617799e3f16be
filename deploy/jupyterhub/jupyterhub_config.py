"""JupyterHub for a class on one host: `jupyterhub -f jupyterhub_config.py`, as root. See docs/hosting.md.

Each student is a user of the host, so that the kernel keeps them apart: their server, their engine and their containers
are processes of their own uid. Set in the environment, or change here:

    CONTAINERLAB_SHARED_STORE   images that all students read; filled by `containerlab system share DIR IMAGE…`
    CONTAINERLAB_CLASS_MEMORY   what a student's server, engine and containers may take together, as in 2G
    CONTAINERLAB_CLASS_CPUS     how many processors, as in 1.5
"""

import importlib.util
import os
import pwd
import subprocess
import sys
from pathlib import Path

c = get_config()  # noqa: F821  (JupyterHub gives it)

programs = Path(sys.prefix) / "bin"
memory = os.environ.get("CONTAINERLAB_CLASS_MEMORY", "2G")
cpus = float(os.environ.get("CONTAINERLAB_CLASS_CPUS", "1.5"))


def systemd_version():
    """systemd's number; its first word on the first line is its name."""
    told = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.split()[1].partition(".")[0].partition("~")[0])


# With systemd each student gets a unit: the limits hold for all that they start, engine and containers too. Without it
# there are no limits but the host's own. For `run --memory` inside, the cgroup is delegated and the server put into a
# group below it (a group with processes hands no controller on); systemd can do that from version 254 on.
if importlib.util.find_spec("systemdspawner") and Path("/run/systemd/system").is_dir():
    c.JupyterHub.spawner_class = "systemdspawner.SystemdSpawner"
    c.SystemdSpawner.mem_limit = memory
    c.SystemdSpawner.cpu_limit = cpus
    c.SystemdSpawner.unit_extra_properties = {"Delegate": "yes", "TasksMax": "4096"}
    if systemd_version() >= 254:
        c.SystemdSpawner.unit_extra_properties["DelegateSubgroup"] = "server"
else:
    c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"


def runtime_folder(spawner):
    """A login's folder for sockets, where there is one; else the engine makes its own below /tmp, 0700."""
    folder = Path(f"/run/user/{pwd.getpwnam(spawner.user.name).pw_uid}")
    return str(folder) if folder.is_dir() else ""


c.Spawner.cmd = [str(programs / "jupyterhub-singleuser")]
c.Spawner.default_url = "/lab"
c.Spawner.environment = {
    "XDG_RUNTIME_DIR": runtime_folder,
    "CONTAINERLAB_SHARED_STORE": os.environ.get("CONTAINERLAB_SHARED_STORE", ""),
    # The engine's processes are many; their malloc arenas need not be.
    "MALLOC_ARENA_MAX": "1",
}
c.Spawner.env_keep = ["PATH", "LANG", "LC_ALL"]
# A class comes at once: all are let in (a hub that is asked for more than its limit sends students away for a minute),
# and the last server may take a while.
c.JupyterHub.concurrent_spawn_limit = 100
c.Spawner.start_timeout = 300
c.Spawner.http_timeout = 300

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.cleanup_servers = True
c.Authenticator.allow_existing_users = True
