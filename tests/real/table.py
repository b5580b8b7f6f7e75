"""`docs/real-weights.md`."""

import json
from pathlib import Path

from .cases import CASES

HEAD = """# Real weights

Checkpoints that nobody made for these tests, out of packages that anyone can install. Each is
loaded as it is published (where it is in another form, `tests/real/` turns it into a folder of
transformers first), run beside transformers {version} in float32, saved again by that version and
run from that, exported, compared and opened in transformers.js. The weights are measured only:
they are not in this repository, and some may not be handed on.

- **values**: the largest difference of any output to transformers', divided by the output's
  largest magnitude where that is over 1, over a batch with padding; "saved again" is the same for
  the folder that transformers {version} wrote of it.
- **greedy**: how many texts come out token for token.
- **export**: with the default target and for the web, verification and all, in a binary of the
  development profile at `opt-level` 2.
- **stress**: `fluxo compare CHECKPOINT EXPORT --stress` with {seeds} random inputs: how many inputs, and the
  largest multiple of the measured rounding.
- **blamed**: what `--locate` blames on made-up inputs of batch 1 to 4, and the largest error of a
  part in multiples of the rounding measured for it.
- **transformers.js**: the exported folder in Node.

Written by `python tests/real_weights.py FLUXO CACHE`; figures differ a little between machines.

"""
COLUMNS = {
    "model": "model", "package": "package", "parameters": "parameters", "values": "values",
    "values_resaved": "saved again", "greedy": "greedy", "greedy_resaved": "saved again",
    "export_any": "export", "export_web": "for the web", "stress": "stress",
    "located": "blamed", "javascript": "transformers.js",
}


def write(cache: Path, out: Path, seeds: int) -> None:
    """The table of everything that was measured."""
    rows, versions = [row(COLUMNS.values()), row("---" for _ in COLUMNS)], set()
    for case in CASES:
        path = cache / "found" / f"{case.name}.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        versions |= {found.get("transformers")} - {None}
        found |= {"model": case.name, "package": f"`{case.package}`"}
        rows.append(row(shown(found.get(key)) for key in COLUMNS))
    lines = [HEAD.format(version=", ".join(sorted(versions)), seeds=seeds), *rows]
    out.write_text("".join(lines))


def row(cells) -> str:
    return "| " + " | ".join(cells) + " |\n"


def shown(value) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, float):
        return f"{value:.1e}"
    if isinstance(value, int):
        return f"{value / 1e6:.1f} M"
    return str(value).replace("|", "\\|")
