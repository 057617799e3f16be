"""The two wheels of lesson 7, made of the modules in ``src/``: ``python3 build.py`` makes the same bytes again.

A wheel is a zip of a module and three small texts about it
(https://packaging.python.org/en/latest/specifications/binary-distribution-format/). No date and no compression of this
machine gets in.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
WHEELS: dict[str, list[str]] = {"plural": [], "shelf": ["plural"]}
"""Each module, and what it needs."""

_VERSION = "1.0"
_WHEEL = "Wheel-Version: 1.0\nGenerator: build.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build(name: str, folder: Path) -> Path:
    """Make the wheel of one module in ``folder``, and give its path."""
    source = (HERE / "src" / f"{name}.py").read_text(encoding="utf-8")
    about = f"{name}-{_VERSION}.dist-info"
    files = {f"{name}.py": source, f"{about}/METADATA": _metadata(name, source), f"{about}/WHEEL": _WHEEL}
    records = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*records, f"{about}/RECORD,,", ""])
    wheel = folder / f"{name}-{_VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path)  # 1 January 1980, where a zip's calendar begins
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return wheel


def _metadata(name: str, source: str) -> str:
    summary = source.splitlines()[0].strip('"')
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {_VERSION}", f"Summary: {summary}"]
    return "\n".join([*lines, *(f"Requires-Dist: {each}" for each in WHEELS[name]), ""])


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


if __name__ == "__main__":
    for each in WHEELS:
        print(build(each, HERE).name)
