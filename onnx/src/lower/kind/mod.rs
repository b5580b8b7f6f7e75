//! One match over everything that Burn records, a file a category.
//!
//! There is no wildcard arm, so an operation that an upgrade of Burn adds does not compile until
//! it has a place here.

mod activation;
mod base;
mod float;
mod integer;
mod module;
mod numeric;
mod refused;

use burn_ir::OperationIr;

use super::context::{Context, Lowered, unsupported};
use super::create;
use crate::symbolic::{Scalar, Symbolic};

/// Appends the nodes of an operation, or says why it has none.
pub(super) fn lower_op(cx: &mut Context, sym: &Symbolic, op: &OperationIr) -> Lowered {
    // These lowerers take their scalars as they stand in the record.
    let takes_record = matches!(op, OperationIr::Module(_) | OperationIr::Activation(_));
    let varies = cx
        .op()?
        .scalars
        .iter()
        .any(|scalar| !matches!(scalar, Scalar::Constant(_)));
    if takes_record && varies {
        return unsupported("a scalar that varies with the sizes");
    }
    match op {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            base::lower(cx, op)
        }
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => numeric::lower(cx, op),
        OperationIr::Bool(op) => integer::lower_bool(cx, op),
        OperationIr::Int(op) => integer::lower(cx, op),
        OperationIr::Float(_, op) => float::lower(cx, op),
        OperationIr::Module(op) => module::lower(cx, op),
        OperationIr::Activation(op) => activation::lower(cx, op),
        OperationIr::Init(op) => match sym.constants.get(&op.out.id) {
            Some(constant) => create::constant(cx, op, constant),
            None => unsupported("the recording does not hold its data"),
        },
        OperationIr::Drop(_) => Ok(()),
        OperationIr::Custom(_) => unsupported(refused::CUSTOM),
        OperationIr::Distributed(_) => unsupported(refused::DISTRIBUTED),
    }
}
