//! Inputs that must agree with each other: their batches, and what the cache has read.

use super::{Reader, refuse};
use crate::batch::Batch;
use crate::blocks::cache::{Cache, LayerCache};
use crate::error::Result;

impl Reader<'_> {
    /// Refuses inputs of different batches. Texts and images that are compared may differ.
    pub(super) fn rows(&self, batch: &Batch, cache: Option<&Cache>) -> Result<()> {
        if self.config.logit_scale.is_some() {
            return Ok(());
        }
        let given = [
            ("input_ids", batch.input_ids.as_ref().map(|x| x.dims()[0])),
            (
                "input_features",
                batch.input_features.as_ref().map(|x| x.dims()[0]),
            ),
            (
                "decoder_input_ids",
                batch.decoder_input_ids.as_ref().map(|x| x.dims()[0]),
            ),
        ];
        let mut given = given
            .into_iter()
            .filter_map(|(name, rows)| Some((name, rows?)));
        let Some((first, rows)) = given.next() else {
            return Ok(());
        };
        if let Some((name, other)) = given.find(|(_, other)| *other != rows) {
            return refuse(format!(
                "`{first}` and `{name}` differ in batch ({rows} and {other})"
            ));
        }
        let Some(cache) = cache else { return Ok(()) };
        let differs = |layer: &LayerCache| {
            let cross = layer.cross.iter();
            let mut all = cross.chain([&layer.own]);
            all.any(|past| past.key.dims()[0] != rows)
        };
        if cache.layers.iter().any(differs) {
            return refuse(format!(
                "`past_key_values` and `{first}` differ in batch ({rows})"
            ));
        }
        // Its output is not computed again.
        let source = match (&batch.input_ids, &self.config.encoder) {
            (Some(ids), _) => ids.dims()[1],
            (None, Some(encoder)) => encoder.max_positions,
            (None, None) => 0,
        };
        match cache.read() {
            0 => Ok(()),
            read if read == source => Ok(()),
            read => refuse(format!(
                "`past_key_values` have {read} positions of the encoder, which reads {source}"
            )),
        }
    }
}
