//! What makes a model's answer of the last hidden state.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor};
use serde::Serialize;

use crate::blocks::activation::Activation;
use crate::blocks::norm::{Norm, NormConfig};
use crate::blocks::taps::Taps;
use crate::blocks::{apply, linear};

/// A head: positions that are read, a dense layer, an output layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadConfig {
    /// Which positions are read.
    pub read: Pooling,
    /// A layer before the output.
    pub dense: Option<DenseConfig>,
    /// A norm before the output, where there is no such layer.
    pub norm: Option<NormConfig>,
    /// The output layer.
    pub output: OutputConfig,
    /// What is read is multiplied by this before the output layer.
    pub scale: Option<f64>,
    /// Outputs `y` become `cap · tanh(y / cap)`.
    pub softcap: Option<f64>,
}

/// Which positions a head reads, as transformers' classes do: by column or by token number. The
/// mask counts for a mean alone, and for the last position where no token stands for padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Every one: an answer a position.
    All,
    /// The first column.
    First,
    /// The mean of those that the mask keeps.
    Mean,
    /// The first, and behind it the mean of the others.
    FirstAndMean,
    /// The last whose token is not this one, which stands for padding; without one, the last that
    /// the mask keeps (transformers refuses several rows then, and reads the last column of one).
    LastBut(Option<usize>),
    /// The first whose token is this one.
    FirstOf(usize),
    /// The last whose token is this one.
    LastOf(usize),
    /// The first that has the highest token number.
    Highest,
}

/// A dense layer with what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DenseConfig {
    /// Its width.
    pub width: usize,
    /// Whether it has a bias.
    pub bias: bool,
    /// The function after it.
    pub activation: Activation,
    /// A norm after that.
    pub norm: Option<NormConfig>,
}

/// The last layer of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputConfig {
    /// None.
    None,
    /// The token embedding, transposed: one tensor for both.
    Tied {
        /// Whether a bias is added.
        bias: bool,
    },
    /// A linear layer.
    Linear {
        /// Its width.
        size: usize,
        /// Whether it has a bias.
        bias: bool,
    },
}

impl HeadConfig {
    /// An output layer over every position.
    pub fn every(output: OutputConfig) -> Self {
        Self {
            read: Pooling::All,
            dense: None,
            norm: None,
            output,
            scale: None,
            softcap: None,
        }
    }

    /// An output layer over what `read` says.
    pub fn of(read: Pooling, output: OutputConfig) -> Self {
        Self {
            read,
            ..Self::every(output)
        }
    }

    /// The same behind a dense layer.
    #[must_use]
    pub fn behind(mut self, dense: DenseConfig) -> Self {
        self.dense = Some(dense);
        self
    }

    /// Values an answer has.
    fn width(&self, d_model: usize) -> usize {
        match self.read {
            Pooling::FirstAndMean => 2 * d_model,
            _ => d_model,
        }
    }

    /// A head over `d_model` values, its weights of deviation `std`, for `vocab` tokens.
    pub fn init(&self, d_model: usize, vocab: usize, std: f64, device: &Device) -> HeadLayers {
        let mut width = self.width(d_model);
        let dense = self.dense.map(|dense| {
            let layer = linear(width, dense.width, dense.bias, std, device);
            width = dense.width;
            layer
        });
        let norm = match self.dense {
            Some(dense) => dense.norm,
            None => self.norm,
        };
        let zeros = |size| burn::nn::Initializer::Zeros.init([size], device);
        HeadLayers {
            dense,
            norm: norm.map(|norm| norm.init(width, device)),
            output: match self.output {
                OutputConfig::Linear { size, bias } => Some(linear(width, size, bias, std, device)),
                _ => None,
            },
            bias: match self.output {
                OutputConfig::Tied { bias: true } => Some(zeros(vocab)),
                _ => None,
            },
            config: self.clone(),
        }
    }
}

/// A head's layers.
#[derive(Module, Debug)]
pub struct HeadLayers {
    /// The dense layer.
    pub dense: Option<Linear>,
    /// The norm after it, or in its place.
    pub norm: Option<Norm>,
    /// The output layer.
    pub output: Option<Linear>,
    /// The bias of an output layer that is the token embedding, `[vocab]`.
    pub bias: Option<burn::module::Param<Tensor<1>>>,
    #[module(skip)]
    config: HeadConfig,
}

/// What a head knows beside the hidden state.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The tokens that were read, `[batch, seq]`.
    pub ids: Option<Tensor<2, Int>>,
    /// `[batch, past + seq]`, 0 for padding.
    pub keep: Option<Tensor<2, Int>>,
    /// The token embedding `[vocab, width]`.
    pub table: Option<Tensor<2>>,
}

impl HeadLayers {
    /// `[batch, seq, d_model] -> [batch, seq, size]`; `seq` is 1 where the head reads a row as
    /// a whole.
    pub fn forward(&self, x: Tensor<3>, context: &Context, taps: &mut Taps) -> Tensor<3> {
        let mut x = self.read(x, context);
        if let (Some(layer), Some(dense)) = (&self.dense, self.config.dense) {
            let read = taps.begin(format_args!("dense"), x);
            x = dense.activation.forward(taps.end(layer.forward(read)));
        }
        if let Some(norm) = &self.norm {
            let read = taps.begin(format_args!("norm"), x);
            x = taps.end(norm.forward(read));
        }
        if let Some(scale) = self.config.scale {
            x = x * scale;
        }
        x = match (&self.output, &context.table, self.config.output) {
            (Some(output), ..) => {
                let x = taps.begin(format_args!("output"), x);
                taps.end(apply(output, x))
            }
            (None, Some(table), OutputConfig::Tied { .. }) => {
                let y = taps.tied(x, table.clone());
                match &self.bias {
                    Some(bias) => y + bias.val().unsqueeze(),
                    None => y,
                }
            }
            _ => x,
        };
        match self.config.softcap {
            Some(cap) => (x / cap).tanh() * cap,
            None => x,
        }
    }

    /// `[batch, seq, d_model] -> [batch, 1, width]`, but for all positions.
    fn read(&self, x: Tensor<3>, context: &Context) -> Tensor<3> {
        if self.config.read == Pooling::All {
            return x;
        }
        let [batch, seq, _] = x.dims();
        let first = |x: Tensor<3>| x.narrow(1, 0, 1);
        // With a cache the mask has the positions before this call's too.
        let keep = context.keep.clone().map(|keep| {
            let [_, all] = keep.dims();
            keep.slice([0..batch, all - seq..all])
        });
        match self.config.read {
            Pooling::Mean => match keep {
                Some(keep) => weighted(x, keep),
                None => x.mean_dim(1),
            },
            Pooling::FirstAndMean => {
                let others = x.clone().narrow(1, 1, seq - 1).mean_dim(1);
                Tensor::cat(vec![first(x), others], 2)
            }
            Pooling::LastBut(None) => match keep {
                Some(keep) => picked(x, last_of(keep)),
                None => x.narrow(1, seq - 1, 1),
            },
            read => match place(read, context.ids.as_ref()) {
                Some(place) => picked(x, place),
                None => first(x),
            },
        }
    }
}

/// 1 at the one position of each row that `read` reads by its token, elsewhere 0, `[batch, seq]`;
/// `None` where no token says it.
///
/// `ids` are `[batch, seq]`. A row without the token that is looked for is read at its first.
fn place(read: Pooling, ids: Option<&Tensor<2, Int>>) -> Option<Tensor<2, Int>> {
    let ids = ids?.clone();
    Some(match read {
        Pooling::LastBut(Some(padding)) => last_of(ids.not_equal_elem(padding as i64).int()),
        Pooling::LastOf(token) => last_of(ids.equal_elem(token as i64).int()),
        Pooling::FirstOf(token) => first_of(ids.equal_elem(token as i64).int()),
        Pooling::Highest => {
            let highest = ids.clone().max_dim(1).expand(ids.dims());
            first_of(ids.equal(highest).int())
        }
        _ => return None,
    })
}

/// `[batch, seq]`, 1 at the first place of each row that is not 0, or at its first place where
/// all are.
fn first_of(found: Tensor<2, Int>) -> Tensor<2, Int> {
    let first = |found: Tensor<2, Int>| found.clone().cumsum(1).equal_elem(1).int() * found;
    let none = found.clone().sum_dim(1).equal_elem(0).int();
    let none = none.expand(found.dims()) * first(found.ones_like());
    first(found) + none
}

/// The same for the last place that is not 0.
fn last_of(found: Tensor<2, Int>) -> Tensor<2, Int> {
    // The only place where as many have come as ever will, and which is one of them.
    let so_far = found.clone().cumsum(1);
    let all = found.clone().sum_dim(1).expand(so_far.dims());
    first_of(so_far.equal(all).int() * found)
}

/// The position of each row where `place` `[batch, seq]` is 1: `[batch, 1, width]`.
fn picked(x: Tensor<3>, place: Tensor<2, Int>) -> Tensor<3> {
    let [batch, seq] = place.dims();
    let place = place.float().cast(x.dtype()).reshape([batch, seq, 1]);
    (x * place).sum_dim(1)
}

/// The mean over the positions that `keep` `[batch, seq]` keeps: `[batch, 1, width]`.
fn weighted(x: Tensor<3>, keep: Tensor<2, Int>) -> Tensor<3> {
    let [batch, seq] = keep.dims();
    let keep = keep.float().cast(x.dtype()).reshape([batch, seq, 1]);
    (x * keep.clone()).sum_dim(1) / keep.sum_dim(1).clamp_min(1.0)
}
