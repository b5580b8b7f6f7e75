//! Activation functions.

use burn_ir::ActivationOperationIr as Activation;

use super::refused;
use crate::lower::context::{Context, Lowered, unsupported};
use crate::lower::{activation, elementwise};

/// Appends the nodes of an activation function.
pub(super) fn lower(cx: &mut Context, op: &Activation) -> Lowered {
    match op {
        Activation::Relu(op) => elementwise::unary(cx, op, "Relu"),
        Activation::LeakyRelu(op) => activation::leaky_relu(cx, op),
        Activation::PRelu(op) => activation::prelu(cx, op),
        Activation::Gelu(op) => activation::gelu(cx, op),
        Activation::Sigmoid(op) => elementwise::unary(cx, op, "Sigmoid"),
        Activation::HardSigmoid(op) => activation::hard_sigmoid(cx, op),
        Activation::LogSigmoid(op) => activation::log_sigmoid(cx, op),
        Activation::Softmax(op) => activation::softmax(cx, op, "Softmax"),
        Activation::LogSoftmax(op) => activation::softmax(cx, op, "LogSoftmax"),
        Activation::Softmin(op) => activation::softmin(cx, op),
        Activation::ReluBackward(_)
        | Activation::GeluBackward(_)
        | Activation::SigmoidBackward(_)
        | Activation::LogSigmoidBackward(_) => unsupported(refused::GRADIENT),
    }
}
