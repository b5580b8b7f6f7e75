"""Checks ONNX files and runs them in ONNX Runtime, for as long as someone asks.

Reads cases from stdin, answers one line each: fields between tabs, the checker's complaint or
nothing first, then for every set of inputs the largest difference, or `!` and what went wrong.
"""

import sys

import numpy as np
import onnx
import onnxruntime as ort

TYPES = {"f": np.float32, "i": np.int64, "b": np.bool_}


def line(stream):
    text = stream.readline()
    if not text:
        sys.exit(0)
    return text.decode().rstrip("\n").split(" ")


def tensor(stream):
    name, kind, dims, size = line(stream)
    shape = [int(dim) for dim in dims.split(",") if dim]
    data = np.frombuffer(stream.read(int(size)), dtype=TYPES[kind])
    return name, data.reshape(shape)


def short(error):
    return " ".join(str(error).split())[:400]


def difference(wanted, got):
    """The largest absolute difference over the largest magnitude where that is over 1."""
    if wanted.shape != got.shape:
        return f"!shape {list(wanted.shape)} became {list(got.shape)}"
    if wanted.dtype != got.dtype:
        return f"!type {wanted.dtype} became {got.dtype}"
    if wanted.size == 0:
        return 0.0
    a, b = wanted.astype(np.float64), got.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(a - b))
    gap = np.where(np.isnan(gap), np.inf, gap)
    finite = np.abs(a[np.isfinite(a)])
    return float(gap.max() / max(1.0, finite.max() if finite.size else 1.0))


def main():
    ort.set_default_logger_severity(4)
    stream, out = sys.stdin.buffer, sys.stdout
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    while True:
        size, sets = map(int, line(stream))
        model = stream.read(size)
        runs = []
        for _ in range(sets):
            inputs, outputs = map(int, line(stream))
            read = [tensor(stream) for _ in range(inputs + outputs)]
            runs.append((dict(read[:inputs]), dict(read[inputs:])))
        answer = [""]
        try:
            onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
        except Exception as error:
            answer[0] = short(error)
        try:
            session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            known = {given.name for given in session.get_inputs()}
        except Exception as error:
            session = None
            answer += ["!" + short(error)] * sets
        for inputs, outputs in runs if session else []:
            try:
                given = {name: data for name, data in inputs.items() if name in known}
                got = session.run(list(outputs), given)
                gaps = [difference(a, b) for a, b in zip(outputs.values(), got)]
                bad = [gap for gap in gaps if isinstance(gap, str)]
                answer.append(bad[0] if bad else repr(max(gaps)))
            except Exception as error:
                answer.append("!" + short(error))
        out.write("\t".join(answer) + "\n")
        out.flush()


main()
