"""The binary, and its verdicts on one checkpoint."""

import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from .cases import Case


class Fluxo:
    def __init__(self, binary: Path):
        self.binary = binary

    def __call__(self, *words) -> tuple[int, dict, str, float]:
        """Exit code, the JSON document, the error's first line, seconds."""
        start = time.monotonic()
        command = [self.binary, *map(str, words), "--json"]
        ran = subprocess.run(command, capture_output=True, text=True)
        seconds = time.monotonic() - start
        try:
            document = json.loads(ran.stdout)
        except ValueError:
            document = {}
        said = [line for line in ran.stderr.splitlines() if line.strip()]
        return ran.returncode, document, said[-1] if said else "", seconds


def with_task(case: Case) -> list[str]:
    return ["--task", case.task] if case.task else []


def values(fluxo: Fluxo, case: Case, folder: Path, reference: Path) -> float | str:
    """The largest difference of any output, divided by its largest magnitude where that is over
    1, at the positions that the mask keeps."""
    stored = load_file(reference)
    with tempfile.TemporaryDirectory() as home:
        inputs, out = Path(home) / "in.safetensors", Path(home) / "out.safetensors"
        save_file({k: v for k, v in stored.items() if k.startswith("in.")}, inputs)
        code, _, said, _ = fluxo("run", folder, "--inputs", inputs, "--out", out, *with_task(case))
        if code:
            return said
        got = load_file(out)
    worst = 0.0
    for key, wanted in stored.items():
        name = key.removeprefix("out.")
        if key.startswith("in."):
            continue
        if name not in got:
            return f"no {name}"
        error = np.abs(got[name] - wanted)
        mask = stored.get("in.attention_mask")
        if mask is not None and error.shape[:2] == mask.shape:
            error = error * mask[..., None]
        worst = max(worst, float(error.max() / max(1, np.abs(wanted).max())))
        if not np.isfinite(got[name]).all():
            return f"{name} is not finite"
    return worst


def greedy(fluxo: Fluxo, case: Case, folder: Path, wanted: dict, sound: Path) -> str:
    """How many of transformers' texts come out token for token."""
    rows = wanted["rows"]
    if not rows:
        return "-"
    if case.kind == "speech":
        code, got, said, _ = fluxo("generate", folder, "--sound", sound, "--max-new-tokens", 440)
    else:
        prompts = [w for r in rows for w in ("--ids", ",".join(map(str, r["prompt"])))]
        limit = ("--max-new-tokens", wanted["max_new_tokens"])
        code, got, said, _ = fluxo("generate", folder, *prompts, *limit)
    if code:
        return said
    ours = [row["ids"] for row in got.get("rows", [got])]
    # Either may write the token that ends a text; Whisper's start tokens are not of the text.
    config = json.loads((folder / "config.json").read_text())
    end = config.get("eos_token_id")
    special = range(end, config["vocab_size"]) if case.kind == "speech" else [end]
    same = sum(
        [t for t in a if t not in special] == [t for t in b["ids"] if t not in special]
        for a, b in zip(ours, rows, strict=True)
    )
    return f"{same} of {len(rows)}"
