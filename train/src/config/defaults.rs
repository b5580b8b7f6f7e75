//! What keys are where they are not given.

use fluxo_models::Task;

pub(super) fn text_generation() -> String {
    Task::TextGeneration.to_string()
}
pub(super) fn tiny() -> String {
    "tiny".into()
}
pub(super) fn five_percent() -> f64 {
    0.05
}
pub(super) fn steps() -> usize {
    2500
}
pub(super) fn batch_size() -> usize {
    8
}
pub(super) fn sequence_length() -> usize {
    64
}
pub(super) fn one() -> usize {
    1
}
pub(super) fn learning_rate() -> f64 {
    1e-3
}
pub(super) fn weight_decay() -> f64 {
    0.1
}
pub(super) fn betas() -> [f64; 2] {
    [0.9, 0.95]
}
pub(super) fn epsilon() -> f64 {
    1e-8
}
pub(super) fn one_f64() -> f64 {
    1.0
}
pub(super) fn log_every() -> usize {
    10
}
pub(super) fn eval_batches() -> usize {
    8
}
