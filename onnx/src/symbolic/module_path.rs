//! Where in the module an operation stands.

use std::collections::{BTreeMap, HashMap};

use burn_capture::TensorId;
use burn_ir::OperationIr;

/// The module path of every operation: the module whose parameter it reads, else what the
/// neighbours with parameters have in common.
pub(super) fn modules(ops: &[OperationIr], parameters: &BTreeMap<TensorId, String>) -> Vec<String> {
    // What is made of parameters alone, such as a weight in another shape, stands for them.
    let named = parameters.iter().map(|(id, path)| (*id, path.as_str()));
    let mut paths: HashMap<TensorId, &str> = named.collect();
    let mut own: Vec<Option<&str>> = Vec::new();
    for op in ops {
        // Its own parameter first: a tied head reads its table in another shape, and its own bias.
        let direct = op.inputs().find_map(|tensor| parameters.get(&tensor.id));
        let mut derived = op.inputs().filter_map(|tensor| paths.get(&tensor.id));
        let path = direct.map(String::as_str).or(derived.next().copied());
        if let Some(path) = path
            && op.inputs().all(|tensor| paths.contains_key(&tensor.id))
        {
            paths.extend(op.outputs().map(|tensor| (tensor.id, path)));
        }
        own.push(path.map(|path| path.rsplit_once('.').map_or("", |(module, _)| module)));
    }
    let mut after: Vec<Option<&str>> = vec![None; ops.len()];
    let mut next = None;
    for index in (0..ops.len()).rev() {
        next = own[index].or(next);
        after[index] = next;
    }
    let mut before = None;
    own.iter()
        .zip(&after)
        .map(|(own, after)| {
            before = own.or(before);
            match (*own, before, *after) {
                (Some(own), _, _) => own.to_string(),
                (None, Some(a), Some(b)) => common(a, b),
                (None, Some(one), None) | (None, None, Some(one)) => one
                    .rsplit_once('.')
                    .map_or("", |(module, _)| module)
                    .to_string(),
                (None, None, None) => String::new(),
            }
        })
        .collect()
}

fn common(a: &str, b: &str) -> String {
    let parts: Vec<&str> = a
        .split('.')
        .zip(b.split('.'))
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a)
        .collect();
    parts.join(".")
}
