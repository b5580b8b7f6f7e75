//! Tables that a file looks numbers of its inputs up in.

use std::collections::BTreeMap;

/// Operations that hand on the numbers that they are given.
const PASSING: [&str; 7] = [
    "Cast",
    "Flatten",
    "Identity",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// A node of a file's graph, and of those within it.
#[derive(Debug)]
pub(super) struct Node {
    pub kind: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    /// Where it has one.
    pub axis: i64,
}

/// How many rows the smallest of the tables of `shapes` has that `nodes` look up numbers of each of
/// the inputs `names` in.
pub(super) fn rows(
    names: &[&str],
    nodes: &[Node],
    shapes: &BTreeMap<String, Vec<usize>>,
) -> BTreeMap<String, usize> {
    // Which input's numbers a value holds.
    let mut of: BTreeMap<&str, &str> = names.iter().map(|name| (*name, *name)).collect();
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    for node in nodes {
        let first = node.inputs.first().map_or("", String::as_str);
        if PASSING.contains(&node.kind.as_str())
            && let Some(input) = of.get(first).copied()
        {
            of.extend(node.outputs.iter().map(|output| (output.as_str(), input)));
        }
        let [table, numbers] = node.inputs.as_slice() else {
            continue;
        };
        let looked_up = node.kind == "Gather" && node.axis == 0;
        let Some(input) = of.get(numbers.as_str()).filter(|_| looked_up) else {
            continue;
        };
        if let Some(&[count, _]) = shapes.get(table).map(Vec::as_slice) {
            let least = rows.entry(input.to_string()).or_insert(count);
            *least = count.min(*least);
        }
    }
    rows
}
