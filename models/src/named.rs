//! What a network's outputs are called.

use burn::tensor::Tensor;

use crate::blocks::cache::{Cache, KeyValue};
use crate::network::{Answer, Network};
use crate::output::Output;

/// A tensor of some rank.
#[derive(Debug, Clone)]
pub enum AnyRank {
    /// A matrix.
    Two(Tensor<2>),
    /// Three axes.
    Three(Tensor<3>),
    /// Four axes.
    Four(Tensor<4>),
}

/// Outputs by name.
pub type Named = Vec<(String, AnyRank)>;

impl Output {
    /// The outputs that `network` gives by itself, by the names that other programs expect:
    /// `logits` (or `start_logits` and `end_logits`, `text_embeds`, `image_embeds`), or
    /// `last_hidden_state` where there is no head; `pooler_output`;
    /// `encoder_last_hidden_state`; of a decoder `present.{i}.key` and `.value`, with an
    /// encoder `present.{i}.decoder.key` and so on.
    pub fn named(&self, network: &Network) -> Named {
        use AnyRank::{Three, Two};
        let mut named = Named::new();
        let mut put = |name: &str, value: AnyRank| named.push((name.to_string(), value));
        if let Some(similarity) = &self.similarity {
            put("logits_per_image", Two(similarity.logits_per_image.clone()));
            put("logits_per_text", Two(similarity.logits_per_text.clone()));
            put("text_embeds", Two(similarity.text_embeds.clone()));
            put("image_embeds", Two(similarity.image_embeds.clone()));
        }
        if let Some(logits) = self.logits.clone() {
            let [batch, seq, size] = logits.dims();
            let answer = network.config().answer;
            match answer {
                Answer::Span => {
                    let part = |at| {
                        let part = logits.clone().narrow(2, at, 1);
                        Two(part.reshape([batch, seq]))
                    };
                    put("start_logits", part(0));
                    put("end_logits", part(1));
                }
                Answer::Scores => put("logits", Two(logits.reshape([batch, seq]))),
                _ => {
                    let name = match answer {
                        Answer::TextEmbeds => "text_embeds",
                        Answer::ImageEmbeds => "image_embeds",
                        _ => "logits",
                    };
                    put(
                        name,
                        if network.answers_positions() {
                            Three(logits)
                        } else {
                            Two(logits.reshape([batch, size]))
                        },
                    );
                }
            }
        } else if let Some(state) = self.last_hidden_state.clone() {
            put("last_hidden_state", Three(state));
        }
        if let Some(pooled) = self.pooler_output.clone() {
            put("pooler_output", Two(pooled));
        }
        if let Some(state) = self.encoder_last_hidden_state.clone() {
            put("encoder_last_hidden_state", Three(state));
        }
        if let Some(cache) = &self.cache {
            named.extend(cache_named(cache, "present"));
        }
        named
    }

    /// The hidden states by transformers' names: `hidden_states.{i}`, or with an encoder
    /// `encoder_hidden_states.{i}` and `decoder_hidden_states.{i}`.
    pub fn named_hidden_states(&self, network: &Network) -> Named {
        let name = if network.config().encodes_and_decodes() {
            "decoder_hidden_states"
        } else {
            "hidden_states"
        };
        let all = [
            (name, &self.hidden_states),
            ("encoder_hidden_states", &self.encoder_hidden_states),
        ];
        all.into_iter()
            .flat_map(|(name, states)| {
                let states = states.iter().enumerate();
                states.map(move |(i, x)| (format!("{name}.{i}"), AnyRank::Three(x.clone())))
            })
            .collect()
    }
}

/// A cache's keys and values under `prefix`, as optimum names them.
pub fn cache_named(cache: &Cache, prefix: &str) -> Named {
    let mut named = Named::new();
    for (i, layer) in cache.layers.iter().enumerate() {
        let mut put = |place: &str, cache: &KeyValue| {
            let name = |part| format!("{prefix}.{i}.{place}{part}");
            named.push((name("key"), AnyRank::Four(cache.key.clone())));
            named.push((name("value"), AnyRank::Four(cache.value.clone())));
        };
        match &layer.cross {
            None => put("", &layer.own),
            Some(cross) => {
                put("decoder.", &layer.own);
                put("encoder.", cross);
            }
        }
    }
    named
}
