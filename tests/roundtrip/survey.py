"""Every exported family through upstream's importer and back: `docs/round-trip.md`.

For every checkpoint of `tests/fixtures/hf`: exports it with the binary `fluxo`, turns each file
into Burn code with `burn-import` (what it panics with is kept), compiles the code, runs it on
Burn's backend flex, and compares every output with ONNX Runtime's on the same file and inputs.

    python tests/roundtrip/survey.py --fluxo target/release/fluxo --scratch FOLDER [NAME ...]

Needs cargo, and onnx, onnxruntime and numpy (the virtual environment of `.ci/run` has them). With
names of checkpoints it prints the results and writes no document. FOLDER keeps the build.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures/hf"

# Open sizes: those of a first call with an empty cache, and those of a later one.
LATER = {"batch": 2, "sequence": 7, "past_sequence": 5, "encoder_sequence": 6,
         "past_encoder_sequence": 6, "decoder_sequence": 4, "image_batch": 2}
FIRST = {"batch": 1, "sequence": 3, "past_sequence": 0, "encoder_sequence": 9,
         "past_encoder_sequence": 0, "decoder_sequence": 2, "image_batch": 3}

OPTIONS = [["--opset", str(n)] for n in range(17, 25)]
OPTIONS += [["--target", name] for name in ("ort", "tract", "rten", "web")]
OPTIONS += [["--dtype", "f16"], ["--dtype", "bf16"], ["--hidden-states"], ["--taps"]]
DECODERS_TAPS = ["--taps", "layers.0.t1,layers.1.h"]  # which encoder-decoders name otherwise
OPTIONS.append(DECODERS_TAPS)
OPTIONS_OF = ["bert", "llama", "gemma2", "t5", "vit"]

onnxruntime.set_default_logger_severity(3)

MANIFEST = """[package]
name = "survey"
version = "0.1.0"
edition = "2024"

[workspace]

[dependencies]
burn = { version = "=0.22.1", default-features = false, features = ["std", "flex"] }
burn-store = { version = "=0.22.1", default-features = false, features = ["std"] }
half = "2"
burn-import = { version = "=0.22.0", default-features = false, features = ["onnx"] }

[profile.dev]
debug = false
"""

IMPORT = """fn main() {
    let args: Vec<String> = std::env::args().collect();
    burn_import::onnx::ModelGen::new()
        .input(&args[1])
        .out_dir(&args[2])
        .simplify(args[3] == "simplify")
        .run_from_cli();
}
"""

LIB = """//! Reads inputs and compares outputs.
use burn::tensor::TensorData;

fn bytes<T, const N: usize>(path: &str, value: fn([u8; N]) -> T) -> Vec<T> {
    let bytes = std::fs::read(path).unwrap();
    bytes.chunks_exact(N).map(|c| value(c.try_into().unwrap())).collect()
}

pub fn floats(path: &str, shape: &[usize]) -> TensorData {
    TensorData::new(bytes(path, f32::from_le_bytes), shape.to_vec())
}

pub fn ints(path: &str, shape: &[usize]) -> TensorData {
    TensorData::new(bytes(path, i64::from_le_bytes), shape.to_vec())
}

/// The largest difference, of the largest magnitude where that is over 1.
pub fn apart(name: &str, got: TensorData, wanted: TensorData) -> f32 {
    assert_eq!(got.shape(), wanted.shape(), "{name}");
    let values = |data: &TensorData| data.iter::<f32>().collect::<Vec<f32>>();
    let (got, wanted) = (values(&got), values(&wanted));
    let scale = wanted.iter().fold(1f32, |most, x| most.max(x.abs()));
    let differences = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs() / scale);
    differences.fold(0.0, |most, d| if d.is_nan() { f32::INFINITY } else { most.max(d) })
}
"""

DOCUMENT = """# Back again

Exported files, turned into Burn code by upstream's importer: `burn-import` 0.22.0, which is
`burn-onnx` 0.22.0 under its old name (of `burn-onnx` there is 0.23.0-pre.1 too, for Burn
0.23.0-pre.1 alone). Every file of every checkpoint of `tests/fixtures/hf` is imported, and the code
compiled and run with Burn 0.22.1 on its backend flex. A number is the largest difference of any
output from ONNX Runtime's on the same file and inputs, divided by the output's largest magnitude
where that is over 1. `[1]` is a message of the importer, of the compiler or of the program, below;
with `(plain)` after it, the file is read, with the difference before it, once the importer is told
`ModelGen::simplify(false)`.

Written by `python tests/roundtrip/survey.py --fluxo target/release/fluxo --scratch FOLDER`. The
tests of `tests/roundtrip` hold a family of each kind to transformers' own outputs.

- Open sizes: as `fluxo export` writes by default, with the cache, as two files for
  encoder-decoders; one program runs a first call (one text, 3 tokens, an empty cache) and a later
  one (two texts, 7 tokens after 5).
- Fixed sizes: with `--static` for every open size, run at these.
- No cache: with `--no-cache`, sizes open.

Make the inputs of integers with `DType::I64` (`Tensor::from_data(ids, (&device, DType::I64))`):
ONNX's have 64 bits, and flex's own 32, which panics with `int_binary_op: dtype mismatch`.

| family | checkpoints | files | open sizes | fixed sizes | no cache |
|---|---:|---:|---:|---:|---:|
@FAMILIES@

The options of `fluxo export`, sizes open:

| option | @NAMES@ |
|@RULE@|
@OPTIONS@

## What does not come back

@MESSAGES@

What to do about them:

- A broadcast between constants of the same length (T5's distances between positions of a fixed
  length): `ModelGen::simplify(false)`, or leave the sequence open.
- `RMSNormalization`, `RotaryEmbedding`: only `--target ort|tract|rten` writes them; the default
  target and `web` do not. Nor does anything but `--target ort` write a `Sum` of tensors of different
  ranks, which the importer adds without broadcasting (`ElementConversion`).
- `use of moved value`: two outputs are one tensor (`last_hidden_state` and the last of
  `hidden_states`; `layers.0.x` and `layers.0.resid_pre`), which the generated code moves twice.
  Name the taps instead of asking for all: `--taps layers.0.t1,layers.1.h`.
- `--dtype f16`, which computes in f16: the code mixes element types and needs the crate `half`
  beside Burn. What does pass differs as f16 rounds. bf16 is widened inside the file, and passes.
"""


def command(args, **keywords):
    return subprocess.run([str(arg) for arg in args], capture_output=True, text=True, **keywords)


def panic_of(output):
    """What a panic says, with the path of its crate alone."""
    output = re.sub(r"\x1b\[[0-9;]*m", "", output)
    found = re.search(r"panicked at (\S+?):\d+:\d+:\n(.*?)(?=\nnote: |\nstack backtrace|\Z)", output, re.S)
    if not found:
        return " ".join(output.split())[-300:]
    place = re.sub(r"^.*/([^/]+/src/)", r"\1", found[1])
    lines = [line for line in found[2].split("\n") if not re.match(r"\s*(INFO|DEBUG|WARN)\b", line)]
    said = " ".join(" ".join(lines).split())
    said = re.sub(r"ONNX file '\S+'", "ONNX file", said)
    if listed := re.search(r"Unsupported ONNX operation\(s\): (.*)", said):
        operations = re.findall(r"(\w+) \(node '[^']*'\)", listed[1])
        said = said.replace(listed[1], ", ".join(dict.fromkeys(operations)))
    return f"{place}: {said}"[:400]


def size(dim, sizes):
    """Of `past_sequence + sequence`, or a number."""
    if not dim.dim_param:
        return dim.dim_value
    return sum(int(t) if t.isdigit() else sizes[t] for t in dim.dim_param.replace(" ", "").split("+"))


def open_sizes(path):
    dims = [d for i in onnx.load(path).graph.input for d in i.type.tensor_type.shape.dim]
    terms = {t for d in dims for t in d.dim_param.replace(" ", "").split("+")}
    return sorted(terms & LATER.keys())


def inputs_of(path, sizes):
    """Random inputs; the second text's last two tokens are hidden by the mask."""
    random, inputs = np.random.default_rng(0), {}
    for given in onnx.load(path).graph.input:
        shape = [size(dim, sizes) for dim in given.type.tensor_type.shape.dim]
        if given.type.tensor_type.elem_type != onnx.TensorProto.INT64:
            value = random.standard_normal(shape).astype(np.float32)
        elif "mask" in given.name:
            value = np.ones(shape, np.int64)
            value[1:, -2:] = 0
        elif "token_type" in given.name:
            value = np.zeros(shape, np.int64)
        else:
            value = random.integers(3, 40, shape)
        inputs[given.name] = value
    return inputs


class Survey:
    def __init__(self, fluxo, scratch):
        self.fluxo, self.crate = Path(fluxo).resolve(), Path(scratch).resolve() / "survey"
        self.env = dict(os.environ, CARGO_TARGET_DIR=str(self.crate / "target"), RUST_BACKTRACE="0")
        for folder in ("examples", "files"):
            shutil.rmtree(self.crate / folder, ignore_errors=True)
            (self.crate / folder).mkdir(parents=True)
        (self.crate / "src").mkdir(exist_ok=True)
        (self.crate / "Cargo.toml").write_text(MANIFEST)
        (self.crate / "src/main.rs").write_text(IMPORT)
        (self.crate / "src/lib.rs").write_text(LIB)
        shutil.copy(HERE / "Cargo.lock", self.crate / "Cargo.lock")
        subprocess.run(["cargo", "build"], cwd=self.crate, env=self.env, check=True)
        self.results = {}  # (form, checkpoint, file) -> (outcome, whether without simplification)

    def export(self, checkpoint, form, options, cases):
        """Exports, imports, and writes the program of each file."""
        out = self.crate / "files" / re.sub(r"\W", "_", f"{form}_{checkpoint.name}")
        done = command([self.fluxo, "export", checkpoint, "--out", out, "--quiet", *options])
        if done.returncode:
            lines = done.stderr.strip().split("\n")
            self.results[form, checkpoint.name, "export"] = (f"no export: {lines[-1]}", False)
            return []
        paths = sorted(out.glob("onnx/*.onnx"))
        for path in paths:
            key = (form, checkpoint.name, path.stem)
            self.results[key] = self.import_one(path, re.sub(r"\W", "_", "_".join(key)).lower(), cases)
            if self.results[key][0] != "imported":
                print(*key, *self.results[key])
        return paths

    def import_one(self, path, name, cases):
        out, message = path.parent / f"{path.stem}_burn", None
        for how in ("simplify", "plain"):
            done = command([self.crate / "target/debug/survey", path, out, how], env=self.env)
            if done.returncode == 0:
                self.program(path, out / f"{path.stem}.rs", name, cases)
                return "imported", message
            message = message or panic_of(done.stderr + done.stdout)
        return message, None

    def program(self, path, code, name, cases):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        outputs = [output.name for output in session.get_outputs()]
        calls = []
        for number, sizes in enumerate(cases):
            inputs = inputs_of(path, sizes)
            wanted = [np.asarray(x, np.float32) for x in session.run(None, inputs)]

            def file(kind, index, value):
                place = code.parent / f"{number}.{kind}.{index}"
                np.ascontiguousarray(value).tofile(place)
                return f'"{place}", &{list(value.shape)}'

            given = []
            for index, value in enumerate(inputs.values()):
                kind, read, dtype = ("Int", "ints", "I64") if value.dtype == np.int64 else ("Float", "floats", "F32")
                data = f"{read}({file('in', index, value)})"
                given.append(f"Tensor::<{value.ndim}, {kind}>::from_data({data}, (&device, DType::{dtype}))")
            names = [f"o{index}" for index in range(len(outputs))]
            bound = names[0] if len(names) == 1 else f"({', '.join(names)})"
            calls.append(f"    let {bound} = model.forward({', '.join(given)});")
            for index, value in enumerate(wanted):
                data = f"o{index}.to_data(), floats({file('out', index, value)})"
                calls.append(f'    most = most.max(apart("{outputs[index]}", {data}));')
        (self.crate / "examples" / f"{name}.rs").write_text(
            f'#[allow(warnings)]\nmod model {{\n    include!("{code}");\n}}\n'
            "#[allow(unused)]\nuse {burn::tensor::*, survey::*};\n\nfn main() {\n"
            "    let device = Device::flex();\n    let model = model::Model::default();\n"
            "    let mut most = 0f32;\n" + "\n".join(calls) + '\n    println!("most {most:e}");\n}\n'
        )

    def run(self):
        """Compiles every program and runs it."""
        built = command(["cargo", "build", "--examples", "--keep-going", "--message-format=short"],
                        cwd=self.crate, env=self.env)
        for key, (outcome, message) in self.results.items():
            if outcome != "imported":
                continue
            name = re.sub(r"\W", "_", "_".join(key)).lower()
            program = self.crate / "target/debug/examples" / name
            if f'"{name}"' in built.stderr or not program.exists():
                folder = re.sub(r"\W", "_", f"{key[0]}_{key[1]}")
                place = rf"files/{folder}/onnx/{key[2]}_burn\S+: (error.*)"
                errors = [re.sub(r"`\w+_out\d+`", "`…`", e) for e in re.findall(place, built.stderr)]
                errors = dict.fromkeys(errors)
                outcome = f"does not compile: {'; '.join(errors)}"[:400]
            else:
                done = command([program], env=self.env)
                found = re.search(r"most (\S+)", done.stdout)
                outcome = float(found[1]) if found else panic_of(done.stderr)
            self.results[key] = (outcome, message)
            print(*key, *self.results[key], flush=True)


def family_of(checkpoint):
    kind = json.loads((checkpoint / "config.json").read_text())["model_type"]
    return {"gpt_neox": "gpt-neox", "gemma3_text": "gemma3"}.get(kind, kind)


def figure(value):
    return re.sub(r"e-0?", "e-", f"{value:.1e}")


class Document:
    """Cells of the tables, and the messages that they refer to."""

    def __init__(self):
        self.messages = []

    def refer(self, message):
        if message not in self.messages:
            self.messages.append(message)
        return f"[{self.messages.index(message) + 1}]"

    def cell(self, results):
        if not results:
            return "–"
        numbers = [outcome for outcome, _ in results if isinstance(outcome, float)]
        parts = [figure(max(numbers))] if numbers else []
        for outcome, message in results:
            if not isinstance(outcome, float):
                parts.append(self.refer(outcome))
            elif message:
                parts.append(f"{self.refer(message)} (plain)")
        return " ".join(dict.fromkeys(parts))

    def write(self, results, families):
        rows = []
        for family, names in sorted(families.items()):
            def of(form):
                return [r for (f, name, _), r in results.items() if f == form and name in names]
            rows.append(f"| {family} | {len(names)} | {len(of('open'))} | {self.cell(of('open'))} "
                        f"| {self.cell(of('fixed'))} | {self.cell(of('no cache'))} |")
        options = []
        for option in OPTIONS:
            cells = [self.cell([r for (f, n, _), r in results.items() if f == " ".join(option) and n == name])
                     for name in OPTIONS_OF]
            options.append(f"| `{' '.join(option)}` | {' | '.join(cells)} |")
        text = DOCUMENT
        messages = "\n".join(f"{n}. `` {m} ``" for n, m in enumerate(self.messages, 1)) or "None."
        for mark, value in {"FAMILIES": "\n".join(rows), "NAMES": " | ".join(OPTIONS_OF),
                            "RULE": "|".join(["---"] + ["---:"] * len(OPTIONS_OF)),
                            "OPTIONS": "\n".join(options), "MESSAGES": messages}.items():
            text = text.replace(f"@{mark}@", value)
        (HERE.parent.parent / "docs/round-trip.md").write_text(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fluxo", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    survey, families = Survey(args.fluxo, args.scratch), defaultdict(list)
    for checkpoint in sorted(FIXTURES.glob("*/")):
        if not (checkpoint / "model.safetensors").exists() or args.names and checkpoint.name not in args.names:
            continue
        families[family_of(checkpoint)].append(checkpoint.name)
        paths = survey.export(checkpoint, "open", [], [FIRST, LATER])
        names = sorted({name for path in paths for name in open_sizes(path)})
        # Whisper's encoder fixes how much a decoder reads.
        heard = json.loads((checkpoint / "config.json").read_text()).get("max_source_positions")
        sizes = LATER | ({"encoder_sequence": heard, "past_encoder_sequence": heard} if heard else {})
        fixed = ",".join(f"{name}={sizes[name]}" for name in names)
        survey.export(checkpoint, "fixed", ["--static", fixed], [sizes])
        if "past_sequence" in names:
            survey.export(checkpoint, "no cache", ["--no-cache"], [FIRST, LATER])
        if checkpoint.name in OPTIONS_OF:
            for option in OPTIONS:
                if option == DECODERS_TAPS and "encoder_sequence" in names:
                    continue
                survey.export(checkpoint, " ".join(option), option, [FIRST, LATER])
    survey.run()
    if not args.names:
        Document().write(survey.results, families)


main()
