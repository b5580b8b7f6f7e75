"""Fluxo's exporter beside torch's, in one run, on the same random weights at published shapes.

For each model: writes a checkpoint, exports it with `torch.onnx.export(dynamo=True)` and with the
binary `fluxo`, and prints the times, the numbers of nodes, how far the two files' outputs lie
apart, and how long ONNX Runtime takes for each (calls take turns, medians, so that other work on
the machine weighs on both alike). Nothing is downloaded.

    python tests/torch_export.py --fluxo target/release/fluxo [--models bert-6x384,gpt2]

Needs torch, transformers, onnx, onnxscript and onnxruntime. Exits with 1 if a bound is missed:
export of gpt2 in under a fifth of torch's time, every ratio of latencies at most 1.00, fewer
nodes, outputs within 2e-5 of each other.
"""

import argparse
import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import onnx
import onnxruntime
import torch
import transformers
from transformers.cache_utils import DynamicCache

BERT = {"vocab_size": 30522, "max_position_embeddings": 512}
CONFIGS = {
    "bert-6x384": lambda: transformers.BertConfig(
        **BERT, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    ),
    "bert-12x768": lambda: transformers.BertConfig(**BERT),
    "gpt2": lambda: transformers.GPT2Config(),
}
# Absolute, divided by the output's largest magnitude where that is over 1.
LARGEST_DIFFERENCE = 2e-5
ROUNDS = 4


class Encoder(torch.nn.Module):
    """BERT by the names of its inputs."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        out = self.model(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        )
        return out.last_hidden_state, out.pooler_output


class Decoder(torch.nn.Module):
    """GPT-2 with its cache as plain tensors."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, past):
        cache = DynamicCache([(past[i], past[i + 1]) for i in range(0, len(past), 2)])
        out = self.model(
            input_ids=input_ids, attention_mask=attention_mask, past_key_values=cache, use_cache=True
        )
        present = [t for layer in out.past_key_values.layers for t in (layer.keys, layer.values)]
        return (out.logits, *present)


def fresh(name, config):
    """A model with random weights, biases and norms included: a bias of zeros could be left out."""
    torch.manual_seed(7)
    kind = transformers.BertModel if name.startswith("bert") else transformers.GPT2LMHeadModel
    model = kind(config).eval()
    for weight in model.parameters():
        if weight.dim() == 1:
            weight.data += 0.02 * torch.randn_like(weight)
    return model


def torch_export(name, model, config, path):
    """Writes torch's file and gives the seconds that took, the saving included."""
    batch, seq = "batch", "sequence"
    ids = torch.randint(0, 1000, (2, 5))
    if name.startswith("bert"):
        module = Encoder(model)
        args = (ids, torch.ones(2, 5, dtype=torch.int64), torch.zeros(2, 5, dtype=torch.int64))
        shapes = ({0: batch, 1: seq},) * 3
        inputs = ["input_ids", "attention_mask", "token_type_ids"]
        outputs = ["last_hidden_state", "pooler_output"]
    else:
        module = Decoder(model)
        heads, size = config.n_head, config.n_embd // config.n_head
        past = [torch.randn(2, heads, 3, size) for _ in range(2 * config.n_layer)]
        args = (ids, torch.ones(2, 8, dtype=torch.int64), past)
        before = {0: batch, 2: "past_sequence"}
        shapes = ({0: batch, 1: seq}, {0: batch, 1: "total_sequence"}, [before] * len(past))
        names = [f"{i}.{part}" for i in range(config.n_layer) for part in ("key", "value")]
        inputs = ["input_ids", "attention_mask", *(f"past_key_values.{n}" for n in names)]
        outputs = ["logits", *(f"present.{n}" for n in names)]
    start = time.perf_counter()
    program = torch.onnx.export(
        module.eval(),
        args,
        dynamo=True,
        dynamic_shapes=shapes,
        input_names=inputs,
        output_names=outputs,
        verbose=False,
    )
    program.save(str(path))
    return time.perf_counter() - start


def fluxo_export(binary, checkpoint, out, target):
    """Exports with the whole binary and gives two times: that of all it does, from loading the
    checkpoint on, and that without the runs in other runtimes that it verifies the file by."""
    command = [binary, "export", str(checkpoint), "--out", str(out), "--target", target, "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"fluxo export failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return seconds, seconds - json.loads(done.stdout)["verification_seconds"]


def nodes(path):
    model = onnx.load(str(path), load_external_data=False)
    inner = sum(len(function.node) for function in model.functions)
    assert not inner, "torch's file keeps functions: its nodes are not comparable"
    return len(model.graph.node)


def cases(name, config):
    """Inputs of each measured call."""
    rng = np.random.default_rng(1)
    ids = lambda batch, seq: rng.integers(0, 1000, (batch, seq), dtype=np.int64)
    if name.startswith("bert"):
        for batch, seq in [(1, 128), (8, 32)]:
            yield f"batch {batch}, sequence {seq}", {
                "input_ids": ids(batch, seq),
                "attention_mask": np.ones((batch, seq), np.int64),
                "token_type_ids": np.zeros((batch, seq), np.int64),
            }
        return
    heads, size = config.n_head, config.n_embd // config.n_head
    for label, past, seq in [("prefill of 128", 0, 128), ("decoding after 128", 128, 1)]:
        feeds = {"input_ids": ids(1, seq), "attention_mask": np.ones((1, past + seq), np.int64)}
        for layer in range(config.n_layer):
            for part in ("key", "value"):
                block = rng.standard_normal((1, heads, past, size)).astype(np.float32)
                feeds[f"past_key_values.{layer}.{part}"] = block
        yield label, feeds


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Threads that wait for the next call of one session would slow down the other.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def difference(ours, theirs):
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max()))


def measure(files, feeds, threads, seconds):
    """Milliseconds of each file (medians), the ratio of the processor time they take, which other
    work on the machine hardly changes, and the largest difference of their outputs.

    Where a session's weights happen to lie in memory counts for some per cent: every round has
    fresh ones, opened in the other order."""
    times, work = ([], []), ([], [])
    for turn in range(ROUNDS):
        order = (0, 1) if turn % 2 == 0 else (1, 0)
        opened = {which: session(files[which], threads) for which in order}
        sessions = opened[0], opened[1]
        names = [output.name for output in sessions[1].get_outputs()]
        ours, theirs = (s.run(names, feeds) for s in sessions)
        worst = max(difference(a, b) for a, b in zip(ours, theirs))
        for run in sessions * 3:
            run.run(names, feeds)
        start, calls = time.perf_counter(), 0
        while time.perf_counter() - start < seconds / ROUNDS or calls < 6:
            # Who goes first takes turns too.
            for which in ((0, 1), (1, 0))[calls % 2]:
                begin, used = time.perf_counter(), time.process_time()
                sessions[which].run(names, feeds)
                times[which].append(time.perf_counter() - begin)
                work[which].append(time.process_time() - used)
            calls += 1
    ratio = float(np.median(work[0]) / np.median(work[1]))
    return [1000 * float(np.median(t)) for t in times], ratio, worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--fluxo", default="target/release/fluxo", help="the release binary")
    parser.add_argument("--models", default=",".join(CONFIGS))
    parser.add_argument("--targets", default="any,ort", help="what Fluxo exports for")
    parser.add_argument("--seconds", type=float, default=15.0, help="for each pair of latencies")
    parser.add_argument("--keep", help="folder to keep checkpoints and files in (torch's are used again)")
    args = parser.parse_args()
    home = Path(args.keep or tempfile.mkdtemp())
    home.mkdir(parents=True, exist_ok=True)
    missed = []
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, ", end="")
    print(f"ONNX Runtime {onnxruntime.__version__}, {os.cpu_count()} cores, {platform.machine()}")
    for name in args.models.split(","):
        config = CONFIGS[name]()
        checkpoint = home / name
        theirs = home / f"{name}-torch" / "model.onnx"
        theirs.parent.mkdir(exist_ok=True)
        taken = theirs.with_suffix(".seconds")
        if not taken.exists():
            model = fresh(name, config)
            model.save_pretrained(checkpoint)
            taken.write_text(str(torch_export(name, model, config, theirs)))
            del model
            gc.collect()
        slow = float(taken.read_text())
        print(f"{name}: torch exports in {slow:.2f} s, {nodes(theirs)} nodes", flush=True)
        for target in args.targets.split(","):
            ours = home / f"{name}-{target}"
            whole, fast = fluxo_export(args.fluxo, checkpoint, ours, target)
            ours = ours / "onnx" / "model.onnx"
            print(f"  --target {target}: {fast:.2f} s, ratio {fast / slow:.3f}; ", end="")
            print(f"verified in {whole - fast:.2f} s more; {nodes(ours)} nodes", flush=True)
            if name == "gpt2" and fast * 5 >= slow:
                missed.append(f"{name} for {target}: export time")
            if nodes(ours) >= nodes(theirs):
                missed.append(f"{name} for {target}: nodes")
            for label, feeds in cases(name, config):
                for threads in (1, 2):
                    (a, b), work, worst = measure((ours, theirs), feeds, threads, args.seconds)
                    print(f"    {label}, {threads} threads: {a:.2f} ms, torch {b:.2f} ms, ", end="")
                    print(f"ratio {a / b:.3f} (processor time {work:.3f}), difference {worst:.1e}", flush=True)
                    if a > b:
                        missed.append(f"{name} for {target}: latency, {label}, {threads} threads")
                    if worst > LARGEST_DIFFERENCE:
                        missed.append(f"{name} for {target}: difference, {label}")
    if not args.keep:
        shutil.rmtree(home)
    print("\n".join(f"missed: {line}" for line in missed) or "every bound held")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
