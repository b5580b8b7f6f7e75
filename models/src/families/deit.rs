//! DeiT: "Training data-efficient image transformers & distillation through attention"
//! (arXiv:2012.12877).
//!
//! ViT with a distillation token.

use super::vit::{self, CLASSIFIER, TENSORS};
use super::{Class, Family, Ties};
use crate::task::Task;

/// The family.
pub const FAMILY: Family = Family {
    name: "deit",
    model_type: "deit",
    paper: "arXiv:2012.12877",
    classes: &[
        Class::with_head(
            "DeiTForImageClassification",
            Task::ImageClassification,
            CLASSIFIER,
        ),
        Class::bare("DeiTModel", Task::ImageFeatureExtraction),
    ],
    prefix: "deit.",
    read: |raw, task| vit::network(raw, task, true),
    tensors: TENSORS,
    ties: Ties::PLAIN,
    preset: |preset| vit::sizes(preset, "DeiTForImageClassification", "deit"),
};
