"""Exported folders in transformers.js (`tests/javascript` has its packages)."""

import json
import shutil
import subprocess
from pathlib import Path

from safetensors.numpy import load_file

from .cases import Case

HERE = Path(__file__).parent


def modules(cache: Path) -> Path:
    """The folder of npm's packages, installed without their scripts."""
    home = cache / "javascript"
    if not (home / "node_modules" / "@huggingface" / "transformers").is_dir():
        home.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE.parent / "javascript" / name, home)
        npm = ["npm", "ci", "--prefix", home, "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(npm, check=True)
    return home / "node_modules"


def opens(case: Case, exported: Path, reference: Path, greedy: dict, packages: Path) -> str:
    """Whether transformers.js reads the folder and gives transformers' values and tokens."""
    stored = load_file(reference)
    told = {
        "model": exported.name,
        "kind": case.kind,
        "auto": case.auto,
        "greedy": greedy,
        "texts": case.texts,
        "tensors": {
            name: {"type": str(value.dtype), "dims": value.shape, "data": value.flatten().tolist()}
            for name, value in stored.items()
        },
    }
    cases = exported.parent / f"{case.name}.json"
    cases.write_text(json.dumps(told))
    command = ["node", HERE / "open.mjs", packages, exported.parent, cases]
    ran = subprocess.run(command, capture_output=True, text=True)
    said = (ran.stdout.strip() or ran.stderr.strip()).splitlines()
    return said[-1] if said else f"exit code {ran.returncode}"
