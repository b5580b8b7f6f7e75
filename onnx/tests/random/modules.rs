//! Layers with weights, and operations of fixed rank.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::conv::{Conv1dConfig, Conv2dConfig, ConvTranspose1dConfig};
use burn::nn::{
    BatchNormConfig, EmbeddingConfig, GroupNormConfig, LayerNormConfig, LinearConfig,
    PaddingConfig1d, PaddingConfig2d, RmsNormConfig,
};
use burn::tensor::module as ops;
use burn::tensor::ops::{AttentionModuleOptions, AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor};

use super::builder::{Builder, Info, step};
use super::common::floats;
use super::program::Step;
use super::rng::Rng;
use super::value::{Kind, Rank, Value, both, each, only};

/// Random weights, none the same everywhere.
struct Stir<'a>(&'a mut Rng);

impl ModuleMapper for Stir<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let seed = self.0.next();
        param.map(|tensor| {
            let device = tensor.device();
            Tensor::from_data(floats(&tensor.dims(), seed), &device) * 0.3 + tensor.abs() * 0.5
        })
    }
}

pub fn stirred<M: Module>(b: &mut Builder, module: M) -> M {
    module.map(&mut Stir(&mut b.rng))
}

/// A float tensor whose last axis is fixed, and that length.
fn last_fixed(b: &mut Builder, rank: std::ops::RangeInclusive<usize>) -> Option<(usize, usize)> {
    let fits = |info: &Info| {
        info.kind == Kind::F
            && rank.contains(&info.rank())
            && info.never_empty()
            && info
                .fixed(info.rank() - 1)
                .is_some_and(|width| (1..=12).contains(&width))
    };
    let v = b.pick(fits)?;
    let info = &b.info[v];
    Some((v, info.fixed(info.rank() - 1)?))
}

pub fn linear(b: &mut Builder) -> Option<Step> {
    let (v, width) = last_fixed(b, 1..=4)?;
    let (out, bias) = (b.rng.range(1, 6), b.rng.chance(60));
    let layer = LinearConfig::new(width, out)
        .with_bias(bias)
        .init(&Device::flex());
    let layer = stirred(b, layer);
    let at = b.weights().linears.len();
    b.weights().linears.push(layer);
    let code = format!("self.linears[{at}].forward($0) // {width} to {out}, bias {bias}");
    Some(step!("Linear", code, [v], |w, _, v| {
        Value::F(each!(v[0].clone().f(), t => w.linears[at].forward(t)))
    }))
}

pub fn norm(b: &mut Builder) -> Option<Step> {
    let (v, width) = last_fixed(b, 2..=4)?;
    if width < 2 {
        return None;
    }
    if b.rng.chance(50) {
        let layer = LayerNormConfig::new(width)
            .with_epsilon(1e-2)
            .init(&Device::flex());
        let layer = stirred(b, layer);
        let at = b.weights().layer_norms.len();
        b.weights().layer_norms.push(layer);
        return Some(step!(
            "LayerNorm",
            format!("self.layer_norms[{at}].forward($0)"),
            [v],
            |w, _, v| { Value::F(each!(v[0].clone().f(), t => w.layer_norms[at].forward(t))) }
        ));
    }
    let layer = RmsNormConfig::new(width)
        .with_epsilon(1e-2)
        .init(&Device::flex());
    let layer = stirred(b, layer);
    let at = b.weights().rms_norms.len();
    b.weights().rms_norms.push(layer);
    Some(step!(
        "RmsNorm",
        format!("self.rms_norms[{at}].forward($0)"),
        [v],
        |w, _, v| { Value::F(each!(v[0].clone().f(), t => w.rms_norms[at].forward(t))) }
    ))
}

/// A tensor with a fixed number of channels and windows of at least `least` behind.
fn channels(b: &mut Builder, rank: usize, least: usize) -> Option<(usize, usize)> {
    let fits = |info: &Info| {
        info.kind == Kind::F
            && info.rank() == rank
            && info.never_empty()
            && info.fixed(1).is_some_and(|c| (1..=8).contains(&c))
            && (2..rank).all(|axis| info.least(axis) >= least)
    };
    let v = b.pick(fits)?;
    Some((v, b.info[v].fixed(1)?))
}

pub fn channel_norm(b: &mut Builder) -> Option<Step> {
    let rank = b.rng.range(2, 4);
    let (v, count) = channels(b, rank, 1)?;
    if rank > 2 && b.rng.chance(50) {
        let groups = if count % 2 == 0 { 2 } else { 1 };
        let layer = GroupNormConfig::new(groups, count)
            .with_epsilon(1e-2)
            .init(&Device::flex());
        let layer = stirred(b, layer);
        let at = b.weights().group_norms.len();
        b.weights().group_norms.push(layer);
        return Some(step!(
            "GroupNorm",
            format!("self.group_norms[{at}].forward($0)"),
            [v],
            |w, _, v| { Value::F(each!(v[0].clone().f(), t => w.group_norms[at].forward(t))) }
        ));
    }
    let layer = BatchNormConfig::new(count).init(&Device::flex());
    let layer = stirred(b, layer);
    let at = b.weights().batch_norms.len();
    b.weights().batch_norms.push(layer);
    Some(step!(
        "BatchNorm",
        format!("self.batch_norms[{at}].forward($0)"),
        [v],
        |w, _, v| { Value::F(each!(v[0].clone().f(), t => w.batch_norms[at].forward(t))) }
    ))
}

pub fn convolution(b: &mut Builder) -> Option<Step> {
    let (kernel, stride) = (b.rng.range(1, 3), b.rng.range(1, 3));
    let (pad, dilation) = (b.rng.range(0, kernel / 2), b.rng.range(1, 2));
    let needs = (kernel - 1) * dilation + 1 - 2 * pad.min(kernel / 2);
    let device = &Device::flex();
    match b.rng.range(0, 2) {
        0 => {
            let (v, count) = channels(b, 3, needs.max(1))?;
            let layer = Conv1dConfig::new(count, 3, kernel)
                .with_stride(stride)
                .with_dilation(dilation)
                .with_padding(PaddingConfig1d::Explicit(pad, pad))
                .init(device);
            let layer = stirred(b, layer);
            let at = b.weights().conv1d.len();
            b.weights().conv1d.push(layer);
            let code = format!(
                "self.conv1d[{at}].forward($0) // kernel {kernel}, stride {stride}, padding {pad}, dilation {dilation}"
            );
            Some(step!("Conv1d", code, [v], |w, _, v| w.conv1d[at]
                .forward(only!(v[0].clone().f(), R3))
                .into()))
        }
        1 => {
            let (v, count) = channels(b, 4, needs.max(1))?;
            let layer = Conv2dConfig::new([count, 3], [kernel, kernel])
                .with_stride([stride, 1])
                .with_dilation([dilation, dilation])
                .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
                .init(device);
            let layer = stirred(b, layer);
            let at = b.weights().conv2d.len();
            b.weights().conv2d.push(layer);
            let code = format!(
                "self.conv2d[{at}].forward($0) // kernel {kernel}, stride [{stride}, 1], padding {pad}, dilation {dilation}"
            );
            Some(step!("Conv2d", code, [v], |w, _, v| w.conv2d[at]
                .forward(only!(v[0].clone().f(), R4))
                .into()))
        }
        _ => {
            let (v, count) = channels(b, 3, 1)?;
            let layer = ConvTranspose1dConfig::new([count, 2], kernel)
                .with_stride(stride)
                .init(device);
            let layer = stirred(b, layer);
            let at = b.weights().transposed.len();
            b.weights().transposed.push(layer);
            let code =
                format!("self.transposed[{at}].forward($0) // kernel {kernel}, stride {stride}");
            Some(step!("ConvTranspose1d", code, [v], |w, _, v| w.transposed
                [at]
                .forward(only!(v[0].clone().f(), R3))
                .into()))
        }
    }
}

pub fn pool(b: &mut Builder) -> Option<Step> {
    let (kernel, stride) = (b.rng.range(1, 3), b.rng.range(1, 3));
    let pad = (b.rng.range(0, kernel / 2), b.rng.range(0, kernel / 2));
    let (ceil, count) = (b.rng.chance(30), b.rng.chance(50));
    let note =
        format!("kernel {kernel}, stride {stride}, padding {pad:?}, ceil {ceil}, count {count}");
    let average = b.rng.chance(50);
    if b.rng.chance(50) {
        let (v, _) = channels(b, 3, kernel)?;
        return Some(if average {
            step!(
                "avg_pool1d",
                format!("avg_pool1d($0) // {note}"),
                [v],
                |_, _, v| {
                    let o = AvgPoolOptions {
                        kernel_size: [kernel],
                        stride: [stride],
                        padding: [pad],
                        count_include_pad: count,
                        ceil_mode: ceil,
                    };
                    ops::avg_pool1d(only!(v[0].clone().f(), R3), o).into()
                }
            )
        } else {
            step!(
                "max_pool1d",
                format!("max_pool1d($0) // {note}"),
                [v],
                |_, _, v| {
                    let o = MaxPoolOptions {
                        kernel_size: [kernel],
                        stride: [stride],
                        padding: [pad],
                        dilation: [1],
                        ceil_mode: ceil,
                    };
                    ops::max_pool1d(only!(v[0].clone().f(), R3), o).into()
                }
            )
        });
    }
    let (v, _) = channels(b, 4, kernel)?;
    Some(if average {
        step!(
            "avg_pool2d",
            format!("avg_pool2d($0) // {note}"),
            [v],
            |_, _, v| {
                let o = AvgPoolOptions {
                    kernel_size: [kernel, kernel],
                    stride: [stride, 1],
                    padding: [pad, (0, 0)],
                    count_include_pad: count,
                    ceil_mode: ceil,
                };
                ops::avg_pool2d(only!(v[0].clone().f(), R4), o).into()
            }
        )
    } else {
        step!(
            "max_pool2d",
            format!("max_pool2d($0) // {note}"),
            [v],
            |_, _, v| {
                let o = MaxPoolOptions {
                    kernel_size: [kernel, kernel],
                    stride: [stride, 1],
                    padding: [pad, (0, 0)],
                    dilation: [1, 1],
                    ceil_mode: ceil,
                };
                ops::max_pool2d(only!(v[0].clone().f(), R4), o).into()
            }
        )
    })
}

/// Products of matrices: with a partner, or with the tensor's own transpose.
pub fn matmul(b: &mut Builder) -> Option<Step> {
    let v = b.pick(|info| info.kind == Kind::F && info.rank() >= 2 && info.never_empty())?;
    let own = b.info[v].dims.clone();
    let rank = own.len();
    let fits = |info: &Info| {
        let one = |dim: &[usize]| dim.iter().all(|d| *d == 1);
        info.kind == Kind::F
            && info.rank() == rank
            && info.never_empty()
            && info.dims[rank - 2] == own[rank - 1]
            && (0..rank - 2).all(|a| info.dims[a] == own[a] || one(&info.dims[a]) || one(&own[a]))
    };
    match (b.pick(fits), b.rng.chance(70)) {
        (Some(w), true) => Some(step!(
            "matmul",
            "$0.matmul($1).mul_scalar(0.5)",
            [v, w],
            |_, _, v| {
                Value::F(
                    both!(v[0].clone().f(), v[1].clone().f(), x, y => x.matmul(y).mul_scalar(0.5)),
                )
            }
        )),
        _ => Some(step!(
            "matmul",
            "$0.matmul($0.transpose()).mul_scalar(0.25)",
            [v],
            |_, _, v| {
                Value::F(
                    each!(v[0].clone().f(), t => t.clone().matmul(t.transpose()).mul_scalar(0.25)),
                )
            }
        )),
    }
}

/// Attention of one head over the last axis, causal or not.
pub fn attention(b: &mut Builder) -> Option<Step> {
    let q = b.pick(|info| {
        info.kind == Kind::F && info.rank() == 3 && info.fixed(2).is_some() && info.never_empty()
    })?;
    let own = b.info[q].dims.clone();
    let k = b.pick(|info| {
        info.kind == Kind::F
            && info.rank() == 3
            && info.dims[0] == own[0]
            && info.dims[2] == own[2]
            && info.never_empty()
    })?;
    let longer = b.info[k].dims[1].iter().zip(&own[1]).all(|(k, q)| k >= q);
    let causal = longer && b.rng.chance(50);
    let code = format!(
        "attention($0.unsqueeze_dim(1), $1.unsqueeze_dim(1), $1.unsqueeze_dim(1)).squeeze_dim(1) // causal {causal}"
    );
    Some(step!("attention", code, [q, k], |_, _, v| {
        let [q, k] = [0, 1].map(|i| only!(v[i].clone().f(), R3).unsqueeze_dim::<4>(1));
        let options = AttentionModuleOptions {
            scale: None,
            softcap: None,
            is_causal: causal,
        };
        ops::attention(q, k.clone(), k, None, None, options)
            .squeeze_dim::<3>(1)
            .into()
    }))
}

/// Rows of a table.
pub fn embedding(b: &mut Builder) -> Option<Step> {
    let v = b.pick(|info| info.kind == Kind::I && info.rank() == 2)?;
    let width = b.rng.range(1, 4);
    let table = EmbeddingConfig::new(6, width).init(&Device::flex());
    let table = stirred(b, table);
    let at = b.weights().tables.len();
    b.weights().tables.push(table);
    let code = format!("self.tables[{at}].forward($0.abs().remainder_scalar(6)) // 6 by {width}");
    Some(step!("Embedding", code, [v], |w, _, v| {
        w.tables[at]
            .forward(only!(v[0].clone().i(), R2).abs().remainder_scalar(6))
            .into()
    }))
}

/// The first rows of a table, as many as an axis is long.
pub fn positions(b: &mut Builder) -> Option<Step> {
    let v = b.rng.range(0, b.info.len() - 1);
    let axis = b.axis(v);
    if b.info[v].dims[axis].iter().any(|dim| *dim > 40) {
        return None;
    }
    let width = b.rng.range(1, 4);
    let data = floats(&[64, width], b.rng.next());
    let at = b.weights().positions.len();
    b.weights()
        .positions
        .push(Param::from_tensor(Tensor::from_data(data, &Device::flex())));
    let code = format!("self.positions[{at}].slice_dim(0, 0..$0.dims()[{axis}]) // 64 by {width}");
    Some(step!("positions", code, [v], |w, _, v| {
        let rows = v[0].dims()[axis];
        w.positions[at].val().slice_dim(0, 0..rows).into()
    }))
}

/// A vector of weights added along the last axis, or along the axis of channels.
pub fn bias(b: &mut Builder) -> Option<Step> {
    let v = b.of(Kind::F)?;
    let axis = b.axis_of(v, |info, axis| {
        info.fixed(axis).is_some_and(|d| (1..=12).contains(&d))
    })?;
    let width = b.info[v].fixed(axis)?;
    let data = floats(&[width], b.rng.next());
    let at = b.weights().vectors.len();
    b.weights()
        .vectors
        .push(Param::from_tensor(Tensor::from_data(data, &Device::flex())));
    let code = format!("$0.add(self.vectors[{at}] along axis {axis})");
    Some(step!("bias", code, [v], |w, _, v| {
        let mut dims = vec![1; v[0].dims().len()];
        dims[axis] = width;
        let vector = Value::from(w.vectors[at].val()).reshape(dims).f();
        Value::F(both!(v[0].clone().f(), vector, x, y => x.add(y)))
    }))
}
