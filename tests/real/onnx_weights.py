"""Weights out of an ONNX file by the names that its nodes kept, int8 ones dequantised."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

SUFFIXES = ("_quantized", "_scale", "_zero_point")


def weights(path: Path) -> dict[str, np.ndarray]:
    """Initializers under their own names; those that the exporter numbered (it transposes what a
    MatMul takes) under the path of the module that reads them, `[out, in]` as torch keeps them."""
    model = onnx.load(path)
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    found = {}
    for name in stored:
        whole = name.removesuffix("_quantized")
        if not name.endswith(SUFFIXES[1:]) and not whole.startswith("onnx::"):
            found[whole] = value(stored, whole)
    for node in model.graph.node:
        for name in node.input:
            whole = name.removesuffix("_quantized")
            if name in stored and whole.startswith("onnx::") and not name.endswith(SUFFIXES[1:]):
                taken = value(stored, whole)
                module = node.name.strip("/").rsplit("/", 1)[0].replace("/", ".")
                key = f"{module}.weight" if "MatMul" in node.op_type else node.name.strip("/")
                found[key] = np.ascontiguousarray(taken.T if "MatMul" in node.op_type else taken)
    return found


def value(stored: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name in stored:
        return stored[name].astype(np.float32)
    whole, scale, zero = (stored[name + suffix] for suffix in SUFFIXES)
    return (whole.astype(np.float32) - zero.astype(np.float32)) * scale.astype(np.float32)
