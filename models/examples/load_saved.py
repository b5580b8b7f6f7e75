"""Loads every folder in the folder given with transformers, and compares what it computes with
the folder's reference.safetensors. Ends with status 1 where a tensor is missing, too many or of
another shape, or an output differs by more than 2e-5 of its largest magnitude (or of 1)."""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

# What transformers makes itself, and no output depends on: the patch that DINOv2's pretraining
# puts in the place of others, and Marian's sines.
MADE = ("embeddings.mask_token", "coder.embed_positions.weight")


def problems(folder):
    """What is wrong with the model in `folder`, and the largest difference."""
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    model, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    model.eval()
    found = [f"{kind}: {what}" for kind, all in info.items() for what in all if not str(what).endswith(MADE)]
    if getattr(model.config, "pad_token_id", 0) is None:
        model.config.pad_token_id = -1  # nothing is padding; it refuses several rows without
    reference = load_file(folder / "reference.safetensors")
    inputs = {key[3:]: value for key, value in reference.items() if key.startswith("in.")}
    with torch.no_grad():
        outputs = model(**inputs)
    largest = 0.0
    for key, ours in reference.items():
        if not key.startswith("out.") or key.startswith("out.present."):
            continue
        theirs = getattr(outputs, key[4:], None)
        if theirs is None or theirs.shape != ours.shape:
            found.append(f"{key}: {tuple(ours.shape)} here, {None if theirs is None else tuple(theirs.shape)} there")
            continue
        difference = ((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1)).item()
        if not difference <= 2e-5:
            found.append(f"{key} differs by {difference:.1e}")
        largest = max(largest, difference)
    return found, largest


bad = 0
folders = sorted(pathlib.Path(sys.argv[1]).iterdir())
for folder in folders:
    found, largest = problems(folder)
    bad += bool(found)
    print(f"{folder.name}: {largest:.1e} {'; '.join(found)}")
print(f"{len(folders)} models, {bad} with problems")
sys.exit(bad > 0)
