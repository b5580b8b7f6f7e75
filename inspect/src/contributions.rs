//! Which part of the stream's end came from which sublayer.
//!
//! The stream's end h is a sum of parts: the embedding and what each sublayer wrote. A part's
//! share is `<part, h> / <h, h>`, averaged over positions, so that the shares sum to one; it is
//! negative where the part points against the stream.
//!
//! All norm positions but one add the parts up as they are written. Post-norm puts a norm behind
//! each sum, which with its own σ kept is affine: every part goes through `γ · (part − mean part) / σ`
//! (root-mean-square norms without the mean) and β joins as a part of its own.

use burn::tensor::Tensor;
use fluxo_models::{
    Model,
    blocks::{
        block::NormPosition,
        norm::{Norm, NormConfig, NormKind},
    },
};

use crate::{
    Error, StreamReport, numbers,
    rows::{Rows, average, dot},
};

/// Where a part comes from.
#[derive(Clone, Copy)]
enum Source {
    Embedding,
    Attention(usize),
    Cross(usize),
    FeedForward(usize),
    NormBias(usize),
}

/// Sets the shares in `report`, from the taps that `tap` gives.
pub(crate) fn fill(
    report: &mut StreamReport,
    model: &Model,
    tap: impl Fn(usize, &str) -> Result<Rows, Error>,
) -> Result<(), Error> {
    let network = &model.network;
    let stacks = [&network.decoder, &network.encoder, &network.vision];
    let Some(stack) = stacks.into_iter().flatten().next() else {
        return Ok(());
    };
    let config = model.config().main();
    let mut parts = vec![(Source::Embedding, tap(0, "resid_pre")?)];
    for layer in 0..config.layers {
        let number = config.block_of(layer);
        let (block, config) = (&stack.layers[number], &config.blocks[number]);
        let post = config.norm_position == NormPosition::Post;
        // Each sublayer: what it wrote, the stream that it wrote it into, the norm of their sum.
        let attention = Source::Attention(layer);
        let mut sublayers = vec![(attention, "attn_out", "resid_pre", &block.attention_norm)];
        let mut stream = "resid_mid";
        if block.cross.is_some() {
            let cross = Source::Cross(layer);
            sublayers.push((cross, "cross_out", stream, &block.cross_norm));
            stream = "resid_cross";
        }
        let network = Source::FeedForward(layer);
        sublayers.push((network, "ffn_out", stream, &block.feed_forward_norm));
        for (source, written, stream, norm) in sublayers {
            let written = tap(layer, written)?;
            parts.push((source, written.clone()));
            if let Some(norm) = norm.as_ref().filter(|_| post) {
                let sum = written.plus(&tap(layer, stream)?);
                Affine::new(norm, config.norm, &sum)?.push(layer, &mut parts);
            }
        }
    }

    let last = report.layers.len().saturating_sub(1);
    let end = tap(last, "resid_post")?;
    if end.iter().any(|row| dot(row, row) == 0.0) {
        let tap = format!("layers.{last}.resid_post");
        return Err(Error::ZeroStream { tap });
    }
    let mut rest = end.clone();
    for (source, part) in &parts {
        let ratios = part.iter().zip(end.iter());
        let share = average(ratios.map(|(part, h)| dot(part, h) / dot(h, h)));
        match *source {
            Source::Embedding => report.embedding_share = share,
            Source::Attention(layer) => report.layers[layer].attention_share = share,
            Source::Cross(layer) => report.layers[layer].cross_share = Some(share),
            Source::FeedForward(layer) => report.layers[layer].feed_forward_share = share,
            Source::NormBias(layer) => {
                *report.layers[layer].norm_bias_share.get_or_insert(0.0) += share;
            }
        }
        for (rest, value) in rest.values.iter_mut().zip(&part.values) {
            *rest -= value;
        }
    }
    report.remainder = largest(&rest) / largest(&end);
    Ok(())
}

fn largest(rows: &Rows) -> f64 {
    rows.values
        .iter()
        .fold(0.0, |max, value| max.max(value.abs()))
}

/// A norm at one point of the stream, with the σ it had there.
struct Affine {
    centred: bool,
    /// One for each row.
    sigma: Vec<f64>,
    /// `[d_model]`.
    gamma: Vec<f64>,
    /// `[d_model]`, or nothing.
    beta: Option<Vec<f64>>,
}

impl Affine {
    /// `norm` as it acts on `input`.
    fn new(norm: &Norm, config: NormConfig, input: &Rows) -> Result<Self, Error> {
        let centred = matches!(config.kind, NormKind::Layer | NormKind::LayerWithoutBias);
        let sigma = input.iter().map(|row| {
            let centre = if centred {
                average(row.iter().copied())
            } else {
                0.0
            };
            let variance = average(row.iter().map(|value| (value - centre).powi(2)));
            (variance + config.epsilon).sqrt()
        });
        Ok(Self {
            centred,
            sigma: sigma.collect(),
            gamma: match config.kind {
                NormKind::RmsPlusOne => weights(norm.weight.val() + 1.0)?,
                _ => weights(norm.weight.val())?,
            },
            beta: norm
                .bias
                .as_ref()
                .map(|bias| weights(bias.val()))
                .transpose()?,
        })
    }

    /// Sends every part through the norm, and adds the norm's β as one of `layer`.
    fn push(&self, layer: usize, parts: &mut Vec<(Source, Rows)>) {
        let width = self.gamma.len();
        for (_, part) in parts.iter_mut() {
            for (row, sigma) in part.values.chunks_mut(width).zip(&self.sigma) {
                let centre = if self.centred {
                    average(row.iter().copied())
                } else {
                    0.0
                };
                for (value, gamma) in row.iter_mut().zip(&self.gamma) {
                    *value = gamma * (*value - centre) / sigma;
                }
            }
        }
        if let Some(beta) = &self.beta {
            let values = beta.repeat(self.sigma.len());
            parts.push((Source::NormBias(layer), Rows { width, values }));
        }
    }
}

fn weights(tensor: Tensor<1>) -> Result<Vec<f64>, Error> {
    let name = "a norm's weights";
    let data = tensor.try_into_data().map_err(|error| Error::Values {
        name: name.to_owned(),
        reason: error.to_string(),
    })?;
    numbers(name, &data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::{Distribution, TensorData};

    use super::*;

    /// Every kind of norm: parts that were sent through it sum to what it makes of their sum.
    #[test]
    fn parts_go_through_every_norm() {
        let device = fluxo_backends::device("flex").unwrap();
        let kinds = [
            NormKind::Layer,
            NormKind::LayerWithoutBias,
            NormKind::Rms,
            NormKind::RmsPlusOne,
        ];
        for kind in kinds {
            let epsilon = 1e-3;
            let config = NormConfig { kind, epsilon };
            let mut norm = config.init(6, &device);
            let random = Distribution::Uniform(-1.0, 2.0);
            norm.weight = norm.weight.map(|gain| gain.random_like(random));
            norm.bias = norm.bias.map(|bias| bias.map(|b| b.random_like(random)));
            let part = || Tensor::<3>::random([1, 4, 6], random, &device);
            let (a, b) = (part(), part());
            let rows = |data: TensorData| Rows::read("x", Some(&data), &[true; 4]).unwrap();
            let sum = a.clone() + b.clone();
            let wanted = rows(norm.forward(sum.clone()).to_data());
            let parts = [(Source::Embedding, a), (Source::Attention(0), b)];
            let mut parts: Vec<_> = parts.map(|(s, x)| (s, rows(x.to_data()))).into();
            Affine::new(&norm, config, &rows(sum.to_data()))
                .unwrap()
                .push(0, &mut parts);
            assert_eq!(parts.len(), 2 + usize::from(kind == NormKind::Layer));
            let sum = parts.into_iter().map(|(_, part)| part);
            let sum = sum.reduce(|a, b| a.plus(&b)).unwrap();
            for (sum, wanted) in sum.values.iter().zip(&wanted.values) {
                // The norm itself is in float32: a few roundings of values up to 4.
                assert!(
                    (sum - wanted).abs() < 2e-6,
                    "{kind:?}: {sum} is not {wanted}"
                );
            }
        }
    }
}
