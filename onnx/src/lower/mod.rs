//! From recorded operations to nodes.

mod activation;
mod adaptive;
mod angle;
mod assign;
mod attention;
mod compare;
mod context;
mod conv;
mod create;
mod cumulative;
mod deform;
mod elementwise;
mod grid;
mod index;
mod initializers;
mod kind;
mod layout;
mod logical_reduce;
mod loops;
mod matmul;
mod norm;
mod pool;
mod reduce;
mod resample;
mod resize;
mod shift;
mod unfold;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use burn_capture::TensorId;

use crate::error::{Error, Result, Unsupported, place};
use crate::expr::{Expr, Factor};
use crate::graph::build::{DataType, Graph};
use crate::record::parameters::Parameter;
use crate::spec::{Kind, Spec};
use crate::symbolic::{Loop, Symbolic, name_of};
use crate::target::Forms;
use context::{Context, Lowered, Refusal};

/// Which operations the outputs depend on, and which parameters those read.
pub(crate) fn live(sym: &Symbolic) -> (Vec<usize>, BTreeSet<String>) {
    let mut wanted: HashSet<TensorId> = sym.outputs.iter().map(|(_, id)| *id).collect();
    let mut live = Vec::new();
    for index in (0..sym.ops.len()).rev() {
        if let Some(turn) = sym.loops.iter().find(|turn| turn.ops.end == index + 1) {
            want_steps(sym, turn, &mut wanted);
        }
        let op = &sym.ops[index];
        if op.ir.outputs().any(|tensor| wanted.contains(&tensor.id)) {
            live.push(index);
            wanted.extend(op.ir.inputs().map(|tensor| tensor.id));
        }
    }
    live.reverse();
    let used = sym.parameters.iter().filter(|(id, _)| wanted.contains(id));
    let parameters = used.map(|(_, path)| path.clone()).collect();
    (live, parameters)
}

/// Adds what the steps of a loop need so that what is wanted of it is made.
fn want_steps(sym: &Symbolic, turn: &Loop, wanted: &mut HashSet<TensorId>) {
    let mut known = 0;
    for (inside, after) in &turn.last {
        if wanted.contains(after) {
            wanted.insert(*inside);
        }
    }
    for joined in &turn.joined {
        if wanted.contains(&joined.whole) {
            wanted.insert(joined.each);
        }
    }
    // What a step needs of the one before, that one must make.
    while wanted.len() != known {
        known = wanted.len();
        for op in sym.ops[turn.ops.clone()].iter().rev() {
            if op.ir.outputs().any(|tensor| wanted.contains(&tensor.id)) {
                wanted.extend(op.ir.inputs().map(|tensor| tensor.id));
            }
        }
        for carried in &turn.carried {
            if wanted.contains(&carried.inside) {
                wanted.extend([carried.next, carried.initial]);
            }
        }
    }
}

/// The form of the file.
pub(crate) struct Form {
    /// The operator set.
    pub opset: i64,
    /// The type of float inputs.
    pub float: DataType,
    /// Operators that are one node.
    pub forms: Forms,
}

/// Builds the graph.
pub(crate) fn lower(
    spec: &Spec,
    sym: &Symbolic,
    live: &[usize],
    mut parameters: BTreeMap<String, Parameter>,
    form: &Form,
) -> Result<Graph> {
    let mut cx = Context::new(&spec.name, sym, form.opset, form.forms);
    let input_ids: BTreeMap<usize, TensorId> =
        sym.inputs.iter().map(|(id, index)| (*index, *id)).collect();
    for (index, input) in spec.inputs.iter().enumerate() {
        let dtype = match input.kind {
            Kind::Float => form.float,
            Kind::Int => DataType::Int64,
            Kind::Bool => DataType::Bool,
        };
        let shape: Vec<Expr> = input.dims.iter().map(|dim| dim.expr(&sym.sizes)).collect();
        for (dim, expr) in input.dims.iter().zip(&shape) {
            if expr.as_constant().is_none() {
                cx.graph
                    .spelled
                    .entry(expr.clone())
                    .or_insert_with(|| dim.to_string());
            }
        }
        cx.reserve(&input.name);
        let value = cx.value(input.name.clone(), dtype, shape);
        cx.graph.inputs.push(value);
        if let Some(id) = input_ids.get(&index) {
            cx.bind_source(*id, value);
        }
    }
    check_sizes(&cx.graph)?;
    for (name, _) in &sym.outputs {
        cx.reserve(name);
    }
    for (id, path) in &sym.parameters {
        if let Some(parameter) = parameters.remove(path) {
            let value = initializers::parameter(&mut cx, path, parameter);
            cx.bind_source(*id, value);
        }
    }
    let mut refused = Vec::new();
    let mut turn: Option<loops::Open> = None;
    for index in live {
        let op = &sym.ops[*index];
        if let Some(open) = turn.take_if(|open| !open.contains(*index)) {
            note(
                open.close(&mut cx),
                "the end of a loop",
                &op.module,
                &mut refused,
            )?;
        }
        let mut starts = sym.loops.iter();
        if turn.is_none()
            && let Some(own) = starts.find(|turn| turn.ops.contains(index))
        {
            match loops::open(&mut cx, sym, own, live) {
                Ok(open) => turn = Some(open),
                // Nothing of it can be lowered, nor what follows.
                Err(refusal) => {
                    note(Err(refusal), "a loop", &op.module, &mut refused)?;
                    return Err(Error::Unsupported(refused));
                }
            }
        }
        if op.ir.outputs().all(|tensor| cx.bound(tensor.id).is_some()) {
            continue; // inputs and parameters
        }
        cx.enter(op);
        let lowered = match turn.as_mut().map(|turn| turn.lower(&mut cx, &op.ir)) {
            Some(Ok(true)) => Ok(()),
            Some(Err(refusal)) => Err(refusal),
            Some(Ok(false)) | None => kind::lower_op(&mut cx, sym, &op.ir),
        };
        let lowered = match (lowered, cx.too_new()) {
            (Ok(()), Some((name, since))) => Err(Refusal::Unsupported(Some(format!(
                "ONNX has {name} in this form from opset {since} on, and this is {}",
                form.opset
            )))),
            (lowered, _) => lowered,
        };
        if !note(lowered, &name_of(&op.ir), &op.module, &mut refused)? {
            op.ir
                .outputs()
                .for_each(|tensor| cx.bind_placeholder(tensor));
        }
    }
    if let Some(open) = turn {
        note(open.close(&mut cx), "the end of a loop", "", &mut refused)?;
    }
    if !refused.is_empty() {
        return Err(Error::Unsupported(refused));
    }
    name_outputs(&mut cx, sym)?;
    if !cx.graph.turns.is_empty() {
        cx.graph.sort();
    }
    Ok(cx.graph)
}

/// Adds a refusal to the list; gives whether there was none.
fn note(
    lowered: Lowered,
    operation: &str,
    module: &str,
    refused: &mut Vec<Unsupported>,
) -> Result<bool> {
    match lowered {
        Ok(()) => Ok(true),
        Err(Refusal::Fatal(error)) => Err(error),
        Err(Refusal::Unsupported(reason)) => {
            refused.push(Unsupported {
                operation: operation.to_string(),
                module: place(module).to_string(),
                reason,
            });
            Ok(false)
        }
    }
}

/// Every named size must be readable from some input: alone, or in a sum of others that are.
fn check_sizes(graph: &Graph) -> Result<()> {
    let dims: Vec<&Expr> = graph
        .inputs
        .iter()
        .flat_map(|input| &graph.values[*input].shape)
        .collect();
    // `h` or `32*h`.
    let alone = |size: &Factor| {
        dims.iter()
            .any(|dim| dim.terms().keys().eq([&vec![size.clone()]]))
    };
    for (size, name) in graph.sizes.iter().enumerate() {
        let own = Factor::Size(size);
        let in_sum = dims.iter().any(|dim| {
            let terms = dim.terms();
            let mut factors = terms.keys().flatten();
            terms
                .get(&vec![own.clone()])
                .is_some_and(|times| *times > 0)
                && factors.all(|other| *other == own || alone(other))
        });
        let alone = alone(&own);
        if !alone && !in_sum {
            return Err(Error::Spec(format!(
                "size `{name}` cannot be read from any input"
            )));
        }
    }
    Ok(())
}

/// Gives results the names that the caller chose.
fn name_outputs(cx: &mut Context, sym: &Symbolic) -> Result<()> {
    for (index, (name, id)) in sym.outputs.iter().enumerate() {
        if sym.outputs[..index].iter().any(|(other, _)| other == name)
            || cx
                .graph
                .inputs
                .iter()
                .any(|input| cx.graph.values[*input].name == *name)
        {
            return Err(Error::Spec(format!("the name `{name}` is used twice")));
        }
        let Some(value) = cx.bound(*id) else {
            return Err(Error::Unsound(format!("output `{name}` was not computed")));
        };
        let made = cx
            .graph
            .nodes
            .iter()
            .any(|node| node.outputs.contains(&value));
        let value = if made && !cx.graph.outputs.contains(&value) {
            value
        } else {
            // An input, a weight or a second name for the same tensor.
            let (dtype, shape) = (cx.dtype(value), cx.shape(value));
            let attrs = vec![];
            let node = cx.unique(&format!("{name}/Identity"));
            let out = cx.value(name.clone(), dtype, shape);
            cx.graph.nodes.push(crate::graph::build::Node {
                op: "Identity",
                name: node,
                inputs: vec![Some(value)],
                outputs: vec![out],
                attrs,
            });
            out
        };
        cx.graph.values[value].name = name.clone();
        cx.graph.outputs.push(value);
    }
    Ok(())
}
