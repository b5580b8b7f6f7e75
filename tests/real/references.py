"""What transformers makes of a checkpoint: outputs for batches with padding, greedy tokens, and
the same checkpoint saved again by this version."""

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

from .cases import Case
from .inputs import batch, prompts

torch.set_num_threads(1)
# What is compared: states at every position and results, no caches.
OUTPUTS = ("logits", "last_hidden_state", "pooler_output")


def references(case: Case, checkpoint: Path, sound: np.ndarray, out: Path) -> None:
    """Writes `out`: reference.safetensors, greedy.json and the folder resaved."""
    (out / "resaved").mkdir(parents=True, exist_ok=True)
    cls = getattr(transformers, case.auto)
    model = cls.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager").eval()
    processor = processing(case, checkpoint)
    model.save_pretrained(out / "resaved")
    if processor is not None:
        processor.save_pretrained(out / "resaved")
    given = batch(case, model.config, prompts(case, processor), processor, sound)
    given = {name: torch.from_numpy(value) for name, value in given.items()}
    with torch.no_grad():
        got = model(**given)
    tensors = {f"in.{name}": value for name, value in given.items()}
    tensors |= {f"out.{k}": got[k].contiguous() for k in OUTPUTS if got.get(k) is not None}
    save_file(tensors, out / "reference.safetensors")
    written = greedy(case, model, processor, given)
    count = sum(p.numel() for p in model.parameters())
    found = {
        "transformers": transformers.__version__,
        "parameters": count,
        "max_new_tokens": case.new_tokens,
        "rows": written,
    }
    (out / "greedy.json").write_text(json.dumps(found))


def processing(case: Case, checkpoint: Path):
    """The tokenizer, image processor or processor of `checkpoint`, where there is one."""
    if case.kind == "speech":
        return transformers.AutoProcessor.from_pretrained(checkpoint)
    if case.kind == "image":
        return transformers.AutoImageProcessor.from_pretrained(checkpoint)
    if (checkpoint / "tokenizer.json").exists():
        return transformers.AutoTokenizer.from_pretrained(checkpoint)
    return None


def greedy(case: Case, model, processor, given: dict) -> list[dict]:
    """Each prompt alone: its token numbers and those that follow."""
    rows = []
    if case.kind == "speech":
        tokens = model.generate(given["input_features"][:1])[0].tolist()
        text = processor.decode(tokens, skip_special_tokens=True)
        return [{"ids": tokens, "text": text}]
    if case.kind not in ("text", "text2text"):
        return rows
    for ids in prompts(case, processor):
        prompt = torch.tensor([ids])
        tokens = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
            max_new_tokens=case.new_tokens,
        )[0].tolist()
        rows.append({"prompt": ids, "ids": tokens[len(ids) if case.kind == "text" else 1:]})
    return rows
