"""Container against virtual machine, on one image: the table that the second lesson ends in."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, ContainerError

from containerlab.client import connect, lab_get
from containerlab.lab import measure, plots
from containerlab.lab.draw import megabytes
from containerlab.lab.figure import Figure, Table
from containerlab.lab.measure import Disk, Memory, Missing, Sample
from containerlab.lab.theme import css
from containerlab.lab.words import Words, say

__all__ = ["Comparison", "compare"]

_PROBE = (
    "cat /proc/sys/kernel/random/boot_id; uname -r; grep MemTotal /proc/meminfo | tr -dc '0-9\\n';"
    " set -- /proc/[0-9]*; echo $#"
)

_NOT_MEASURED = Words("not measured")


@dataclass(frozen=True)
class Inside:
    """What a program sees from inside: whose kernel boot, which kernel, how much memory (bytes), how many processes."""

    boot_id: str
    kernel: str
    memory: int
    processes: int


@dataclass(frozen=True)
class Comparison:
    """Everything measured, and the pictures made of it."""

    image: str
    host: Mapping[str, Any]
    startup: Mapping[str, Sample | Missing]
    memory: Mapping[str, Memory | Missing]
    disk: Mapping[str, Disk | Missing]
    inside: Mapping[str, Inside | Missing]
    slowdown: float | Missing
    accel: str | None

    @property
    def startup_figure(self) -> Figure:
        """The startup plot."""
        return plots.startup_plot(self.startup, self.accel)

    @property
    def memory_figure(self) -> Figure:
        """The memory plot."""
        return plots.memory_plot(self.memory, self.accel)

    @property
    def shares_kernel(self) -> bool:
        """Whether the container ran on the very boot of the kernel that the host runs on."""
        container = self.inside["container"]
        return isinstance(container, Inside) and container.boot_id == self.host["boot_id"]

    @property
    def vm_has_own_kernel(self) -> bool | None:
        """Whether the machine booted a kernel for itself; None where no machine ran."""
        machine = self.inside["vm"]
        return machine.boot_id != self.host["boot_id"] if isinstance(machine, Inside) else None

    @property
    def table(self) -> Table:
        """Rows: virtualization, kernel, memory, startup, disk, isolation; each cell from a measurement here."""
        rows = [
            (say("Virtualization mode"), self._mode("container"), self._mode("vm")),
            (say("Kernel"), *self._pair(self.inside, lambda seen: seen.kernel)),
            (say("Memory assigned"), *self._pair(self.memory, _assigned)),
            (say("Memory used"), *self._pair(self.memory, lambda cost: f"{megabytes(cost.used)} ({cost.how})")),
            (say("Memory that the program sees"), *self._pair(self.inside, lambda seen: megabytes(seen.memory))),
            (say("Startup, request to exit code"), _startup_cell(self.startup["container_api"]), self._vm_startup()),
            (say("Disk beyond the image"), *self._pair(self.disk, lambda disk: megabytes(disk.instance))),
            (say("Isolation"), self._isolation("container"), self._isolation("vm")),
        ]
        return Table(("", say("Container"), say("Virtual machine")), rows)

    def _pair(self, by_name: Mapping[str, Any], show: Any) -> tuple[str, str]:
        container, machine = by_name["container"], by_name["vm"]
        return _or_missing(container, show), _or_missing(machine, show)

    def _mode(self, name: str) -> str:
        if name == "container":
            shared = say("none: a process of the host's kernel")
            return shared if self.shares_kernel else say("not the host's kernel")
        if isinstance(self.inside["vm"], Missing):
            return say(_NOT_MEASURED)
        return {"kvm": say("hardware (KVM)"), "tcg": say("emulated processor (QEMU TCG)")}[self.accel or "tcg"]

    def _vm_startup(self) -> str:
        words = _startup_cell(self.startup["vm"])
        if self.accel == "tcg" and isinstance(self.slowdown, float):
            words += "; " + say(
                "on this emulated processor a loop takes {factor} times as long as on the host's",
                factor=f"{self.slowdown:.0f}",
            )
        return words

    def _isolation(self, name: str) -> str:
        seen = self.inside[name]
        if isinstance(seen, Missing):
            return say(_NOT_MEASURED)
        own = seen.boot_id != self.host["boot_id"]
        runs = say("runs on a kernel boot of its own") if own else say("runs on the host's kernel boot")
        others = seen.processes - 1
        if others > 1:
            return f"{runs}; {say('sees {others} other processes', others=others)}"
        return f"{runs}; {say('sees 1 other process') if others else say('sees no other processes')}"

    @property
    def missing(self) -> dict[str, str]:
        """What wasn't measured, and why: ``startup_ms.vm`` to a sentence."""
        groups = {"startup_ms": self.startup, "memory_mb": self.memory, "disk_mb": self.disk}
        return {
            f"{group}.{name}": value.reason
            for group, values in groups.items()
            for name, value in values.items()
            if isinstance(value, Missing)
        }

    def _note(self) -> str:
        """The reasons, each once."""
        return " ".join(say("Not measured: {reason}", reason=reason) for reason in dict.fromkeys(self.missing.values()))

    def __str__(self) -> str:
        return "\n\n".join(filter(None, [str(self.table), self._note()]))

    def __repr__(self) -> str:
        return f"<Comparison of {self.image} as container and as virtual machine>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        title = say("{image} as a container and as a virtual machine, measured on this host", image=self.image)
        caption = html.escape(title)
        note = f"<p>{html.escape(self._note())}</p>" if self.missing else ""
        body = f"<figcaption>{caption}</figcaption>{self.table.to_html()}{note}"
        return {
            "text/html": f'<figure class="cl-figure"><style>{css("cl-figure")}</style>{body}</figure>',
            "text/plain": str(self),
        }

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``measurements.json``: ``startup_ms``, ``memory_mb``, ``disk_mb``, and what is missing."""
        startup: dict[str, dict[str, Any]] = {
            name: value.to_dict() for name, value in self.startup.items() if isinstance(value, Sample)
        }
        if "vm" in startup:
            startup["vm"]["accel"] = self.accel
        return {
            "image": self.image,
            "startup_ms": startup,
            "memory_mb": {n: round(m.used / 1e6, 3) for n, m in self.memory.items() if isinstance(m, Memory)},
            "disk_mb": {n: round((d.image + d.instance) / 1e6, 3) for n, d in self.disk.items() if isinstance(d, Disk)},
            "not_measured": self.missing,
        }


def compare(image: str = "lab/busybox", n: int = 20, vm_n: int = 3, client: Any = None) -> Comparison:
    """Measure ``image`` both ways. The machine is booted ``vm_n`` + 4 times; a boot takes a second or two."""
    client = client or connect()
    machine = measure.vm_facts(client, image)
    accel = None if isinstance(machine, Missing) else machine["accel"]

    def on_vm(action: Any) -> Any:
        return machine if isinstance(machine, Missing) else action()

    return Comparison(
        image=image,
        host=lab_get(client, "/containerlab/host"),
        startup={
            **measure.bare_runtime(n),
            "container_api": measure.startup(client, image, n),
            "vm": on_vm(lambda: measure.startup(client, image, vm_n, "vm", warmup=0)),
        },
        memory={
            "container": measure.memory(client, image),
            "vm": on_vm(lambda: measure.memory(client, image, "vm")),
        },
        disk={
            "container": measure.container_disk(client, image),
            "vm": on_vm(lambda: _vm_disk(client, image, machine)),
        },
        inside={"container": _inside(client, image, None), "vm": on_vm(lambda: _inside(client, image, "vm"))},
        slowdown=on_vm(lambda: measure.slowdown(client, image)),
        accel=accel,
    )


def _vm_disk(client: Any, image: str, machine: Any) -> Disk:
    return Disk(client.images.get(image).attrs["Size"], machine["disk_bytes"])


def _inside(client: Any, image: str, runtime: str | None) -> Inside | Missing:
    try:
        output = client.containers.run(image, ["sh", "-c", _PROBE], remove=True, network_mode="none", runtime=runtime)
    except (APIError, ContainerError) as failure:
        return Missing(str(failure))
    boot_id, kernel, total, processes = output.decode().split()[-4:]
    return Inside(boot_id, kernel, int(total) * 1024, int(processes))


def _or_missing(value: Any, show: Any) -> str:
    return say(_NOT_MEASURED) if isinstance(value, Missing) else str(show(value))


def _assigned(cost: Memory) -> str:
    return megabytes(cost.assigned) if cost.assigned else say("no limit: as much as it needs")


def _startup_cell(sample: Sample | Missing) -> str:
    if isinstance(sample, Missing):
        return say(_NOT_MEASURED)
    return say("{median} (median of {n})", median=plots.duration(sample.median), n=sample.n)
