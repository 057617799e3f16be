"""The guest's kernel: Debian's cloud kernel, as installed, or unpacked from its package without root.

QEMU boots an unpacked ``vmlinux`` by PVH without firmware and without the image's own decompressor, so the
image is unpacked once and kept (Documentation/arch/x86/boot.rst says where the payload lies).
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from containerlab.errors import HostLacks
from containerlab.runtime.vm import lz4

__all__ = ["MODULES", "Kernel", "find"]

MODULES = (
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_mmio",
    "drivers/block/virtio_blk",
    "drivers/char/virtio_console",
)
"""What the guest loads, in an order in which each finds what it needs."""

_PACKAGE = "linux-image-cloud-amd64"
_MAX_VMLINUX = 1 << 28
_SIGNATURE_END = b"~Module signature appended~\n"
_DOWNLOAD_SECONDS = 300


@dataclass(frozen=True)
class Kernel:
    """A kernel image and the folder of its modules; ``release`` is uname -r's word."""

    release: str
    image: Path
    modules: Path

    def module(self, name: str) -> bytes | None:
        """The module ``name`` of ``MODULES``; None where it is part of the kernel itself.

        Its signature is left off: the kernel doesn't insist on one, and checking it takes an emulated guest longer
        than loading the module.
        """
        path = self.modules / "kernel" / f"{name}.ko"
        for suffix, unpack in (("", bytes), (".xz", lzma.decompress), (".gz", gzip.decompress)):
            packed = path.with_name(path.name + suffix)
            if packed.is_file():
                return _without_signature(unpack(packed.read_bytes()))
        return None

    def bootable(self, cache: Path) -> Path:
        """The unpacked vmlinux, kept in ``cache``; the image as it is where its packing isn't known."""
        state = self.image.stat()
        kept = cache / f"vmlinux-{self.release}-{state.st_size:x}-{state.st_mtime_ns:x}"
        if not kept.exists():
            vmlinux = _unpack_image(self.image.read_bytes())
            if vmlinux is None:
                return self.image
            _write_whole(kept, vmlinux)
        return kept


def find(cache: Path) -> Kernel:
    """An installed kernel that has what the guest needs, else Debian's, unpacked into ``cache``.

    Raises HostLacks where there is none and none can be downloaded.
    """
    for boot, modules in ((Path("/boot"), Path("/lib/modules")), (cache / "boot", cache / "lib/modules")):
        found = _usable(boot, modules)
        if found is not None:
            return found
    try:
        _download(cache)
    except (OSError, subprocess.SubprocessError) as error:
        raise _lacks_kernel(str(error)) from error
    found = _usable(cache / "boot", cache / "lib/modules")
    if found is None:
        raise _lacks_kernel("the downloaded package holds none that fits")
    return found


def _usable(boot: Path, modules: Path) -> Kernel | None:
    """The newest kernel whose image can be read and whose modules are there; a cloud kernel first (it is small)."""
    found = []
    for image in boot.glob("vmlinuz-*"):
        release = image.name.removeprefix("vmlinuz-")
        kernel = Kernel(release, image, modules / release)
        if os.access(image, os.R_OK) and all(kernel.module(name) for name in MODULES):
            numbers = [int(number) for number in re.findall(r"\d+", release)]
            found.append(("cloud" in release, numbers, release, kernel))
    return max(found)[-1] if found else None


def _download(cache: Path) -> None:
    """apt-get may download as any user; dpkg-deb unpacks as any user."""
    for program in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(program) is None:
            raise FileNotFoundError(f"{program} isn't on this host")
    depends = _run(["apt-cache", "depends", "--important", _PACKAGE], Path("/"))
    names = re.findall(r"Depends: (linux-image-\S+)", depends)
    if not names:
        raise FileNotFoundError(f"apt knows no package {_PACKAGE}")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="kernel-", suffix=".tmp") as scratch:
        _run(["apt-get", "download", "-q", names[0]], Path(scratch))
        package = next(Path(scratch).glob("*.deb"))
        _run(["dpkg-deb", "-x", str(package), "unpacked"], Path(scratch))
        for part in ("lib", "boot"):
            # The image comes last: without it the folder isn't taken for a kernel.
            for source in (Path(scratch) / "unpacked" / part).rglob("*"):
                target = cache / source.relative_to(Path(scratch) / "unpacked")
                if source.is_file() and not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source.rename(target)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_DOWNLOAD_SECONDS)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def _unpack_image(image: bytes) -> bytes | None:
    """The ELF file inside a bzImage, or None for a packing that isn't known here."""
    if len(image) < 0x250 or image[0x202:0x206] != b"HdrS":
        return None
    (version,) = struct.unpack_from("<H", image, 0x206)
    if version < 0x208:
        return None
    start = ((image[0x1F1] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", image, 0x248)
    payload = image[start + offset : start + offset + length]
    try:
        vmlinux = _unpack(payload)
    except (ValueError, OSError, EOFError, lzma.LZMAError):
        return None
    return vmlinux if vmlinux is not None and vmlinux.startswith(b"\x7fELF") else None


def _unpack(payload: bytes) -> bytes | None:
    if payload.startswith(lz4.MAGIC):
        return lz4.unpack_legacy(payload, _MAX_VMLINUX)
    if payload.startswith(b"\x1f\x8b"):
        # The kernel's build puts the unpacked size behind the stream.
        return gzip.decompress(payload[:-4])
    if payload.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor().decompress(payload, _MAX_VMLINUX)
    if payload.startswith(b"BZh"):
        return bz2.BZ2Decompressor().decompress(payload, _MAX_VMLINUX)
    return None


def _without_signature(module: bytes) -> bytes:
    """Layout of the end: signature, struct module_signature (12 bytes, the last 4 its length), marker."""
    if not module.endswith(_SIGNATURE_END):
        return module
    end = len(module) - len(_SIGNATURE_END)
    (length,) = struct.unpack_from(">I", module, end - 4)
    return module[: end - 12 - length]


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".tmp", delete=False) as file:
        try:
            file.write(content)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise


def _lacks_kernel(why: str) -> HostLacks:
    return HostLacks(
        f"No kernel for the virtual machine: none is installed, and Debian's couldn't be downloaded ({why}).",
        hint=f"Install the package {_PACKAGE}.",
    )
