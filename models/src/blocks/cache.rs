//! The keys and values of the positions already seen.

use burn::tensor::{Int, Tensor};

/// Keys and values, each `[batch, kv_heads, key, head_dim]`.
#[derive(Debug, Clone)]
pub struct KeyValue {
    /// Keys, rotated where positions are rotary.
    pub key: Tensor<4>,
    /// Values.
    pub value: Tensor<4>,
}

impl KeyValue {
    /// How many places there are.
    pub fn places(&self) -> usize {
        self.key.dims()[2]
    }

    /// The past with the present behind it. Where the past has `room` for it, the present is
    /// written there and nothing is copied.
    pub fn extended(past: Option<Self>, room: Option<usize>, present: Self) -> Self {
        let Some(past) = past else { return present };
        let Some(at) = room else {
            return Self {
                key: Tensor::cat(vec![past.key, present.key], 2),
                value: Tensor::cat(vec![past.value, present.value], 2),
            };
        };
        let [batch, heads, seq, dim] = present.key.dims();
        let place = [0..batch, 0..heads, at..at + seq, 0..dim];
        Self {
            key: past.key.slice_assign(place.clone(), present.key),
            value: past.value.slice_assign(place, present.value),
        }
    }

    /// The same with `places` places, those behind the old ones empty.
    fn with_places(self, places: usize) -> Self {
        let widen = |x: Tensor<4>| {
            let [batch, heads, old, dim] = x.dims();
            let empty = Tensor::zeros([batch, heads, places, dim], (&x.device(), x.dtype()));
            empty.slice_assign([0..batch, 0..heads, 0..old, 0..dim], x)
        };
        Self {
            key: widen(self.key),
            value: widen(self.value),
        }
    }

    fn select(self, rows: &Tensor<1, Int>) -> Self {
        Self {
            key: self.key.select(0, rows.clone()),
            value: self.value.select(0, rows.clone()),
        }
    }
}

/// What a layer has seen.
#[derive(Debug, Clone)]
pub struct LayerCache {
    /// The keys and values of its own stack's positions.
    pub own: KeyValue,
    /// Those of the encoder's output, where the layer attends to one.
    pub cross: Option<KeyValue>,
}

/// The cache of a whole stack, a layer an entry.
#[derive(Debug, Clone)]
pub struct Cache {
    /// The layers' caches, first layer first.
    pub layers: Vec<LayerCache>,
    /// How many places are filled, where there are more places than that.
    filled: Option<usize>,
}

impl Cache {
    /// A cache whose every place is filled.
    pub fn full(layers: Vec<LayerCache>) -> Self {
        let filled = None;
        Self { layers, filled }
    }

    /// After a pass over `query` positions that started from `before`.
    pub(crate) fn after(layers: Vec<LayerCache>, before: Option<usize>, query: usize) -> Self {
        let filled = before.map(|filled| filled + query);
        Self { layers, filled }
    }

    /// How many positions the cache holds.
    pub fn past(&self) -> usize {
        let places = || self.layers.first().map_or(0, |layer| layer.own.places());
        self.filled.unwrap_or_else(places)
    }

    /// How many positions of an encoder's output it has keys and values of, the first ones.
    pub fn read(&self) -> usize {
        let cross = self.layers.first().and_then(|layer| layer.cross.as_ref());
        cross.map_or(0, KeyValue::places)
    }

    /// How many places are filled, where there are more places than that.
    pub(crate) fn filled(&self) -> Option<usize> {
        self.filled
    }

    /// Places for positions that are yet to come.
    pub(crate) fn room(&self) -> usize {
        let places = |layer: &LayerCache| layer.own.places();
        self.layers.first().map_or(0, places) - self.past()
    }

    /// The cache with room for `more` positions. They are then written in place; without room
    /// each pass copies the past.
    #[must_use]
    pub fn with_room(self, more: usize) -> Self {
        if self.room() >= more {
            return self;
        }
        let past = self.past();
        let widen = |layer: LayerCache| LayerCache {
            own: layer.own.with_places(past + more),
            cross: layer.cross,
        };
        Self {
            layers: self.layers.into_iter().map(widen).collect(),
            filled: Some(past),
        }
    }

    /// The cache of other rows: row `i` becomes what row `rows[i]` was.
    #[must_use]
    pub fn select(self, rows: &Tensor<1, Int>) -> Self {
        self.rearranged(|layer| LayerCache {
            own: layer.own.select(rows),
            cross: layer.cross.map(|cross| cross.select(rows)),
        })
    }

    /// [`Cache::select`] where row `i` reads the same source as row `rows[i]`, so that nothing
    /// of the encoder's is copied.
    #[must_use]
    pub fn select_own(self, rows: &Tensor<1, Int>) -> Self {
        self.rearranged(|layer| LayerCache {
            own: layer.own.select(rows),
            cross: layer.cross,
        })
    }

    fn rearranged(self, change: impl Fn(LayerCache) -> LayerCache) -> Self {
        Self {
            layers: self.layers.into_iter().map(change).collect(),
            filled: self.filled,
        }
    }
}
