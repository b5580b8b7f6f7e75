//! Loops over a sequence, as users write them.

use burn::nn::LinearConfig;
use burn::tensor::{Tensor, activation, s};

use super::builder::{Builder, Info, step};
use super::modules::stirred;
use super::program::{Step, Weights};
use super::value::{Kind, Rank, Value};

/// How the steps are put together.
#[derive(Clone, Copy, Debug)]
enum Gives {
    Stacked,
    Joined,
    Filled,
    Last,
}

/// A loop, but for its weights.
#[derive(Clone, Copy, Debug)]
struct Walk {
    /// Which of the layers read the element and the state; the gate's, if there is one, follow.
    at: usize,
    gated: bool,
    backwards: bool,
    /// Whether all elements are cut out before the loop.
    ahead: bool,
    gives: Gives,
}

/// `h = tanh(W x + U h)`, or a mixture of that and `h`, along the middle axis.
pub fn walk(b: &mut Builder) -> Option<Step> {
    let fits = |info: &Info| {
        info.kind == Kind::F && info.rank() == 3 && info.never_empty() && info.fixed(2).is_some()
    };
    let v = b.pick(fits)?;
    let width = b.info[v].fixed(2)?;
    let hidden = b.rng.range(1, 4);
    let walk = Walk {
        at: b.weights().linears.len(),
        gated: b.rng.chance(40),
        backwards: b.rng.chance(30),
        ahead: b.rng.chance(50),
        gives: match b.rng.range(0, 3) {
            0 => Gives::Stacked,
            1 => Gives::Joined,
            2 => Gives::Filled,
            _ => Gives::Last,
        },
    };
    for _ in 0..if walk.gated { 2 } else { 1 } {
        for input in [width, hidden] {
            let layer = LinearConfig::new(input, hidden).init(&b.device);
            let layer = stirred(b, layer);
            b.weights().linears.push(layer);
        }
    }
    Some(step!(
        "loop",
        format!("{walk:?} over $0, {hidden} wide"),
        [v],
        |w, _, v| match v[0].clone().f() {
            Rank::R3(x) => run(w, walk, x, hidden),
            _ => unreachable!("of rank 3"),
        }
    ))
}

/// `x [batch, steps, width]` gives `[batch, steps, hidden]`, or `[batch, hidden]`.
fn run(w: &Weights, walk: Walk, x: Tensor<3>, hidden: usize) -> Value {
    let [batch, count, _] = x.dims();
    let device = x.device();
    let element = |index: usize| x.clone().slice(s![.., index, ..]).squeeze_dim::<2>(1);
    let mut order: Vec<usize> = (0..count).collect();
    if walk.backwards {
        order.reverse();
    }
    let ahead: Vec<Tensor<2>> = if walk.ahead {
        order.iter().map(|index| element(*index)).collect()
    } else {
        Vec::new()
    };
    let layers = |at: usize, x: Tensor<2>, h: Tensor<2>| {
        w.linears[at].forward(x) + w.linears[at + 1].forward(h)
    };
    let mut h = Tensor::<2>::zeros([batch, hidden], &device);
    let mut filled = Tensor::<3>::zeros([batch, count, hidden], &device);
    let mut steps = Vec::new();
    for (step, index) in order.into_iter().enumerate() {
        let x = match ahead.get(step) {
            Some(x) => x.clone(),
            None => element(index),
        };
        let next = layers(walk.at, x.clone(), h.clone()).tanh();
        h = if walk.gated {
            let gate = activation::sigmoid(layers(walk.at + 2, x, h.clone()));
            gate.clone() * h + (gate.neg() + 1.0) * next
        } else {
            next
        };
        match walk.gives {
            Gives::Filled => {
                let one = h.clone().unsqueeze_dim(1);
                filled = filled.slice_assign(s![.., index, ..], one);
            }
            Gives::Stacked | Gives::Joined => steps.push(h.clone()),
            Gives::Last => {}
        }
    }
    match walk.gives {
        Gives::Stacked => Value::F(Rank::R3(Tensor::stack(steps, 1))),
        Gives::Joined => {
            let steps = steps.into_iter().map(|h| h.unsqueeze_dim::<3>(1));
            Value::F(Rank::R3(Tensor::cat(steps.collect(), 1)))
        }
        Gives::Filled => Value::F(Rank::R3(filled)),
        Gives::Last => Value::F(Rank::R2(h)),
    }
}
