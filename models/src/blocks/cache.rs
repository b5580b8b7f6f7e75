//! The keys and values of the positions already seen.

use burn::tensor::Tensor;

/// One layer's keys and values, each `[batch, kv_heads, past, head_dim]`.
#[derive(Debug, Clone)]
pub struct LayerCache {
    /// Keys, rotated where positions are rotary.
    pub key: Tensor<4>,
    /// Values.
    pub value: Tensor<4>,
}

impl LayerCache {
    /// The past with the present behind it: `past + seq` positions.
    pub fn extended(past: Option<Self>, key: Tensor<4>, value: Tensor<4>) -> Self {
        match past {
            Some(past) => Self {
                key: Tensor::cat(vec![past.key, key], 2),
                value: Tensor::cat(vec![past.value, value], 2),
            },
            None => Self { key, value },
        }
    }
}

/// The cache of a whole stack, a layer an entry.
#[derive(Debug, Clone)]
pub struct Cache {
    /// The layers' caches, first layer first.
    pub layers: Vec<LayerCache>,
}

impl Cache {
    /// How many positions the cache holds.
    pub fn past(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.key.dims()[2])
    }
}
