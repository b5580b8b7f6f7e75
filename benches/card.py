"""PyTorch beside Fluxo on a graphics card: the same sizes, in turn with `fluxo bench`.

    python benches/card.py FLUXO OUT [--on vulkan,cuda]

FLUXO is the binary, built with `--features vulkan` or `cuda`; OUT a folder for the checkpoints and for
`card.json`. Without `torch`, Fluxo's own columns alone. `benches/card.sh` calls it.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

CASES = [
    # name, family, sizes, batch, sequence, what is timed
    ("BERT 12x768, 1x128", "bert", {}, 1, 128, "forward"),
    ("BERT 12x768, 8x128", "bert", {}, 8, 128, "forward"),
    ("GPT-2 124M, 32 tokens written", "gpt2", {}, 1, 128, "decoding"),
    ("GPT-2 12x768, update of 8x256", "gpt2", {}, 8, 256, "training"),
]
RUNS = 11


def fluxo(binary, *arguments):
    done = subprocess.run([binary, *arguments], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"fluxo {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def measured(binary, folder, names, batch, sequence, what):
    arguments = ["bench", str(folder), "--on", names, "--batch", str(batch), "--json"]
    arguments += ["--sequence", str(sequence), "--runs", str(RUNS)]
    if what == "training":
        arguments.append("--train")
    rows = json.loads(fluxo(binary, *arguments))["rows"]
    return {row["runner"]: row[what] for row in rows if row[what]}


def torch_times(family, folder, batch, sequence, what):
    """Milliseconds by precision; empty without torch, transformers and a card."""
    try:
        import torch
        import transformers
    except ImportError:
        return {}
    if not torch.cuda.is_available():
        return {}
    kind = transformers.AutoModel if what == "forward" else transformers.AutoModelForCausalLM
    found = {}
    for name in ["f32", "tf32", "bf16"]:
        torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
        torch.backends.cudnn.allow_tf32 = name == "tf32"
        dtype = torch.bfloat16 if name == "bf16" else torch.float32
        model = kind.from_pretrained(folder, torch_dtype=dtype).cuda()
        ids = torch.arange(batch * sequence).reshape(batch, sequence).cuda() * 7919 % model.config.vocab_size
        if what == "training":
            model.train()
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

            def run():
                loss = model(ids, labels=ids).loss
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                loss.item()

        elif what == "decoding":
            model.eval()

            def run():
                model.generate(ids[:, :32], max_new_tokens=32, min_new_tokens=32, do_sample=False)

        else:
            model.eval()

            def run():
                with torch.no_grad():
                    model(ids)[0].float().cpu()

        times = []
        for _ in range(RUNS + 1):
            torch.cuda.synchronize()
            start = time.perf_counter()
            run()
            torch.cuda.synchronize()
            times.append((time.perf_counter() - start) * 1e3)
        found[f"PyTorch {name}"] = statistics.median(times[1:])
        del model
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("fluxo")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--on", default="")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    backends = json.loads(fluxo(asked.fluxo, "backends", "--json"))["backends"]
    cards = [b for b in backends if b["usable"] and b["name"] not in ("flex", "ndarray", "cpu")]
    names = asked.on or ",".join(b["name"] for b in cards)
    if not names:
        sys.exit("no card that this build uses")
    for backend in cards:
        print(backend["name"], backend["adapters"], json.dumps(backend["products"]))
    table = {}
    for name, family, sizes, batch, sequence, what in CASES:
        folder = asked.out / family
        if not folder.exists():
            extra = [part for key, value in sizes.items() for part in ("--set", f"{key}={value}")]
            fluxo(asked.fluxo, "new", family, "--preset", "base", "--out", str(folder), *extra)
        row = torch_times(family, folder, batch, sequence, what)
        for runner, found in measured(asked.fluxo, folder, names, batch, sequence, what).items():
            row[runner] = found["median_ms"]
            row[f"{runner}, kernels"] = found["launches"]
        table[name] = row
        print(name, {runner: round(value, 1) for runner, value in row.items()})
    for family in ["bert", "llama", "t5", "mixtral"]:
        folder = asked.out / f"tiny-{family}"
        if not folder.exists():
            fluxo(asked.fluxo, "new", family, "--out", str(folder))
        print(family, fluxo(asked.fluxo, "compare", str(folder), "--on", f"flex,{names}"))
    (asked.out / "card.json").write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
