"""Checks ONNX files with onnx's own checker, and that nothing in them is pointless; prints how many
weights they hold. Of a table that an encoder and a decoder both read, each has its own."""

import collections
import math
import sys

import onnx

MADE = ("constant", "scalar", "ints", "cube_exponent")  # what no parameter is named


def clean(graph):
    """What is unused, doubled, unnamed or untyped."""
    reads = collections.Counter(name for node in graph.node for name in node.input)
    outputs = {value.name for value in graph.output}
    made = {name: node for node in graph.node for name in node.output}
    typed = {value.name for value in [*graph.value_info, *graph.output]}
    for weight in graph.initializer:
        assert reads[weight.name], f"{weight.name} is not read"
    for value in graph.input:
        assert reads[value.name], f"input {value.name} is not read"
    seen = set()
    for node in graph.node:
        assert node.name, f"a {node.op_type} has no name"
        used = any(reads[name] or name in outputs for name in node.output)
        assert used, f"{node.name} is not read"
        assert all(name in typed for name in node.output), f"{node.name} has no type"
        what = (node.op_type, tuple(node.input), str(node.attribute))
        assert what not in seen, f"{node.name} is computed twice"
        seen.add(what)
        before = made.get(node.input[0]) if node.input else None
        same = before is not None and before.op_type == node.op_type
        chain = node.op_type in ("Transpose", "Reshape", "Identity", "Not", "Neg")
        assert not (same and chain and reads[node.input[0]] == 1), f"{node.name} after another"
    stored = {weight.name for weight in graph.initializer}
    for node in graph.node:
        for name in node.input:
            module, _, leaf = name.rpartition(".")
            if name in stored and leaf in ("weight", "bias") and reads[name] == 1:
                assert node.name.startswith(f"{module}/"), f"{node.name} reads {name}"
    matrices = collections.Counter(
        (tuple(weight.dims), bytes(weight.raw_data))
        for weight in graph.initializer
        if len(weight.dims) > 1
    )
    assert all(count == 1 for count in matrices.values()), "a matrix is stored twice"


def main(files):
    weights = {}
    for file in files:
        model = onnx.load(file)
        onnx.checker.check_model(model, full_check=True)
        clean(model.graph)
        for weight in model.graph.initializer:
            if not weight.name.split("/")[-1].startswith(MADE):
                size = math.prod(weight.dims)
                assert weights.setdefault(weight.name, size) == size, weight.name
        told = {entry.key for entry in model.metadata_props}
        assert told >= {"fluxo.config", "fluxo.parity", "fluxo.version", "burn.version"}, told
    print(sum(weights.values()))


main(sys.argv[1:])
