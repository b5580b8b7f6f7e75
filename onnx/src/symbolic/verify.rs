//! What was found of the traces, held against one more.

use burn_ir::OperationIr;

use super::decompose::{OpParts, Parts, decompose, name_of};
use super::{Op, Scalar, Symbolic};
use crate::error::{Divergence, Error, Result, place};
use crate::expr::Expr;
use crate::record::capture::Trace;
use crate::record::plan::{End, show_sizes};

/// Refuses what holds at the sizes of the traces, which have no loops, and not at an `end`. A trace
/// that takes another way says nothing where it `may`.
///
/// # Errors
/// [`Error::NoClosedForm`] with the first number that is another, [`Error::Diverges`] for another
/// way.
pub(crate) fn verify(sym: &Symbolic, trace: &Trace, end: &End, may: bool) -> Result<()> {
    let at = end.sizes.as_slice();
    let operations = &trace.captured.graph.operations;
    let (mut here, mut there) = (Parts::default(), Parts::default());
    let pairs = sym.ops.iter().zip(operations);
    let pairs: Vec<(&Op, OpParts, OpParts)> = pairs
        .map(|(op, other)| {
            (
                op,
                decompose(&op.ir, &mut here),
                decompose(other, &mut there),
            )
        })
        .collect();
    let parts = pairs
        .iter()
        .position(|(_, here, there)| here.skeleton != there.skeleton);
    let shorter = operations.len().min(sym.ops.len());
    match parts.or((operations.len() != sym.ops.len()).then_some(shorter)) {
        Some(_) if may => return Ok(()),
        Some(index) => {
            let op = sym.ops.get(index);
            let name = |op: Option<&OperationIr>| op.map_or("the end".into(), name_of);
            let module = op.map_or("", |op| op.module.as_str());
            let others = if end.smallest {
                "larger sizes"
            } else {
                "smaller sizes"
            };
            return Err(Error::Diverges(Box::new(Divergence {
                index,
                module: place(module).to_string(),
                left: (name(op.map(|op| &op.ir)), others.into()),
                right: (name(operations.get(index)), show_sizes(&sym.sizes, at)),
                advice: None,
            })));
        }
        None => {}
    }
    for (op, here, there) in &pairs {
        let holds = |what: &str, expr: &Expr, value: i64| {
            if expr.at(at) == value {
                Ok(())
            } else {
                Err(Error::NoClosedForm {
                    what: format!("{what} of {}", name_of(&op.ir)),
                    module: place(&op.module).to_string(),
                    sizes: "sizes that it does not follow everywhere".into(),
                    seen: format!(
                        "{} becomes {value} at {}",
                        expr.show(&sym.sizes),
                        show_sizes(&sym.sizes, at)
                    ),
                })
            }
        };
        for (range, (start, end, _)) in op.ranges.iter().zip(&there.ranges) {
            holds("a bound", &range.start, *start)?;
            holds("a bound", &range.end, *end)?;
        }
        for (number, value) in op.numbers.iter().zip(&there.numbers) {
            holds("a number", number, *value)?;
        }
        for (scalar, value) in op.scalars.iter().zip(&there.scalars) {
            let value = value.elem::<f64>();
            match scalar {
                Scalar::Whole(expr) => holds("a scalar", expr, value as i64)?,
                Scalar::Reciprocal(expr) => holds("a scalar", expr, (1.0 / value).round() as i64)?,
                // What all traces share says nothing of sizes.
                Scalar::Constant(constant) => {
                    let expr = Expr::constant(constant.elem::<f64>() as i64);
                    holds("a scalar", &expr, value as i64)?;
                }
            }
        }
        for (tensor, other) in here.tensors.iter().zip(&there.tensors) {
            let Some(shape) = sym.shapes.get(&tensor.id) else {
                continue;
            };
            for (dim, value) in shape.iter().zip(other.shape.iter()) {
                holds("a dimension", dim, *value as i64)?;
            }
        }
    }
    Ok(())
}
