"""Exports of a checkpoint, and what comparing says of them."""

import json
import shutil
import tempfile
from pathlib import Path

from safetensors.numpy import save_file

from .cases import Case
from .fluxo import Fluxo, with_task
from .inputs import located


def export(fluxo: Fluxo, case: Case, folder: Path, out: Path, target: str) -> str:
    """Exports, with the check that comes with it."""
    shutil.rmtree(out, ignore_errors=True)
    words = ["--out", out, "--target", target, *with_task(case)]
    code, _, said, seconds = fluxo("export", folder, *words)
    return said if code else f"yes, {seconds:.0f} s"


def stress(fluxo: Fluxo, case: Case, folder: Path, exported: Path, seeds: int) -> str:
    """Hard and random inputs, everywhere."""
    words = [folder, exported, "--stress", "--seeds", seeds, *with_task(case)]
    code, report, said, _ = fluxo("compare", *words)
    if not report:
        return said
    cases = len(report["stress"]["cases"])
    worst = max((standing["times"] or 0 for standing in report["standings"]), default=0)
    findings = {s["runner"]: s["finding"] for s in report["standings"]}
    wrong = [f"{r} {f}" for r, f in findings.items() if f not in ("same", "noise")]
    if code or wrong:
        return ", ".join(wrong) or said or report["verdict"]
    return f"agree on {cases}, {worst:.1f}"


def blamed(fluxo: Fluxo, case: Case, folder: Path, exported: Path, seeds: range) -> str:
    """On how many inputs a part is blamed, and which."""
    vocab = json.loads((folder / "config.json").read_text()).get("vocab_size", 0)
    found, drifting, largest, looked = [], [], 0.0, 0
    with tempfile.TemporaryDirectory() as home:
        for seed in seeds:
            inputs = Path(home) / "in.safetensors"
            save_file({f"in.{k}": v for k, v in located(case, vocab, seed).items()}, inputs)
            words = [folder, exported, "--locate", "--inputs", inputs, *with_task(case)]
            code, report, said, _ = fluxo("compare", *words)
            if not report:
                return f"seed {seed}: {said}"
            for location in report["locations"]:
                looked += location["looked_at"]
                largest = max(largest, location["largest"])
                if location["path"]:
                    found.append(f"seed {seed}: {location['runner']} {location['path']}")
            if code and not any(location["path"] for location in report["locations"]):
                # The outputs differ, and no part is to blame.
                off = [s for s in report["standings"] if s["finding"] in ("drift", "bug")]
                told = [f"{s['runner']} {s['finding']}, {s['times']:.1f} times" for s in off]
                drifting.append(f"seed {seed}: {', '.join(told) or said}")
    if found:
        return f"{len(found)}: {'; '.join(found[:3])}"
    beside = f"; outputs of {len(drifting)}: {'; '.join(drifting[:3])}" if drifting else ""
    return f"nowhere in {len(seeds)}, {largest:.1f} of {looked} parts{beside}"
