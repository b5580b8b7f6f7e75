"""`cargo run -- FOLDER | python measure.py FOLDER > found.tsv`: what burn-onnx exported, checked
and run in ONNX Runtime at sizes that no trace had."""

import pathlib
import re
import sys

import numpy as np
import onnx
import onnxruntime as ort

TYPES = {"f": np.float32, "i": np.int64, "b": np.bool_}


def tensors(path):
    with open(path, "rb") as stream:
        inputs, outputs = map(int, stream.readline().split())
        read = []
        for _ in range(inputs + outputs):
            kind, dims, size = stream.readline().decode().split(" ")
            shape = [int(dim) for dim in dims.split(",") if dim]
            read.append(np.frombuffer(stream.read(int(size)), TYPES[kind]).reshape(shape))
    return read[:inputs], read[inputs:]


def short(error):
    return " ".join(str(error).split())[:160]


def brief(message):
    """The operation's name without its record."""
    message = re.sub(r"(operation) at index \d+: (\w+)\((?:\w+, )?(\w+)\(.*", r"\1: \2(\3)", message)
    return re.sub(r" for tensor TensorId\(\d+\)", "", message)


def measure(folder):
    model = onnx.load(folder / "model.onnx")
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        return "the checker: " + short(error)
    try:
        session = ort.InferenceSession(str(folder / "model.onnx"))
    except Exception as error:
        return "ONNX Runtime does not load it: " + short(error)
    names = [given.name for given in session.get_inputs()]
    worst = 0.0
    for path in sorted(folder.glob("*.bin")):
        inputs, wanted = tensors(path)
        shapes = ", ".join(str(list(data.shape)) for data in inputs)
        if len(names) != len(inputs):
            return f"{len(names)} of {len(inputs)} inputs are in the file"
        try:
            got = session.run(None, dict(zip(names, inputs)))
        except Exception as error:
            return f"fails at {shapes}: {short(error)}"
        for a, b in zip(wanted, got):
            if a.shape != b.shape:
                return f"at {shapes} {list(a.shape)} became {list(b.shape)}"
            gap = np.abs(a.astype(np.float64) - b).max() / max(1.0, np.abs(a).max())
            if not gap <= 2e-5:
                return f"differs by {gap:.1e} at {shapes}"
            worst = max(worst, float(gap))
    return f"{worst:.1e}"


def main():
    ort.set_default_logger_severity(4)
    folder = pathlib.Path(sys.argv[1])
    print("# burn-onnx 0.22.0 (feature `export`) with burn 0.22.1, ONNX Runtime " + ort.__version__)
    print("# written by `cargo run -- FOLDER | python measure.py FOLDER > found.tsv` in tests/upstream")
    for row in sys.stdin:
        name, outcome = row.rstrip("\n").split("\t", 1)
        word, _, refusal = outcome.partition(" ")
        if word == "OPEN":
            outcome = measure(folder / name.replace(" ", "_"))
        elif word == "FIXED":
            found = measure(folder / name.replace(" ", "_"))
            outcome = f"fixed sizes only: {found} ({brief(refusal)})"
        print(f"{name}\t{brief(outcome)}")


main()
