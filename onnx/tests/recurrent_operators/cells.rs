//! Cells as a user may write them, and steps that differ from them.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, LinearLayout};
use burn::tensor::{Device, Tensor, activation::sigmoid};

use super::{HIDDEN, WIDTH};

/// Four gates, as a user may write them: the weights of the slice in Burn's order of rows or
/// PyTorch's, a bias on that side only.
#[derive(Module, Debug)]
pub struct Cell {
    input: Vec<Linear>,
    state: Vec<Linear>,
}

impl Cell {
    pub fn new() -> Self {
        let device = Device::flex();
        let layer = |width: usize, bias: bool, layout| {
            let config = LinearConfig::new(width, HIDDEN)
                .with_bias(bias)
                .with_layout(layout);
            config.init(&device)
        };
        let input = |gate: usize| match gate % 2 {
            0 => layer(WIDTH, true, LinearLayout::Row),
            _ => layer(WIDTH, true, LinearLayout::Col),
        };
        Self {
            input: (0..4).map(input).collect(),
            state: (0..4)
                .map(|_| layer(HIDDEN, false, LinearLayout::Row))
                .collect(),
        }
    }

    fn gate(&self, gate: usize, x: &Tensor<2>, h: &Tensor<2>) -> Tensor<2> {
        self.state[gate].forward(h.clone()) + self.input[gate].forward(x.clone())
    }
}

pub type Pair = (Tensor<2>, Tensor<2>);

/// A step of `h` and `c`: the next ones, and what is given of the step.
pub type Step = fn(&Cell, Tensor<2>, Pair) -> (Pair, Tensor<2>);

/// `h'` and `c'`, and what of the step a mutant reads.
pub fn lstm(m: &Cell, x: Tensor<2>, (h, c): Pair) -> (Pair, Tensor<2>) {
    let [i, o, f] = [0, 1, 2].map(|gate| sigmoid(m.gate(gate, &x, &h)));
    let next = i * m.gate(3, &x, &h).tanh() + c * f;
    let out = next.clone().tanh() * o;
    ((out.clone(), next), out)
}

/// A GRU that keeps `c` as it was, which no loop passes on.
pub fn gru(m: &Cell, x: Tensor<2>, (h, c): Pair) -> (Pair, Tensor<2>) {
    let [z, r] = [0, 1].map(|gate| sigmoid(m.gate(gate, &x, &h)));
    let new = (m.input[2].forward(x) + m.state[2].forward(h.clone()) * r).tanh();
    let next = h * z.clone() + (-z + 1.0) * new;
    ((next.clone(), c), next)
}

/// Steps that differ in one place from the ones that are known.
pub const MUTANTS: [(&str, Step); 12] = [
    ("logistic function for a tangent", |m, x, (h, c)| {
        let [i, o, f, g] = [0, 1, 2, 3].map(|gate| sigmoid(m.gate(gate, &x, &h)));
        let next = f * c + i * g;
        let out = o * next.clone().tanh();
        ((out.clone(), next), out)
    }),
    ("tangent for a logistic function", |m, x, (h, c)| {
        let [i, o, g] = [0, 1, 3].map(|gate| m.gate(gate, &x, &h));
        let next = m.gate(2, &x, &h).tanh() * c + sigmoid(i) * g.tanh();
        let out = sigmoid(o) * next.clone().tanh();
        ((out.clone(), next), out)
    }),
    ("no tangent of the cell", |m, x, (h, c)| {
        let [i, o, f] = [0, 1, 2].map(|gate| sigmoid(m.gate(gate, &x, &h)));
        let next = f * c + i * m.gate(3, &x, &h).tanh();
        ((o.clone() * next.clone(), next.clone()), o * next)
    }),
    ("coupled gates", |m, x, (h, c)| {
        let [i, o] = [0, 1].map(|gate| sigmoid(m.gate(gate, &x, &h)));
        let next = (-i.clone() + 1.0) * c + i * m.gate(3, &x, &h).tanh();
        let out = o * next.clone().tanh();
        ((out.clone(), next), out)
    }),
    ("a gate is given", |m, x, pair| {
        let gate = sigmoid(m.gate(0, &x, &pair.0));
        (lstm(m, x, pair).0, gate)
    }),
    ("the cell is given", |m, x, pair| {
        let (h, c) = lstm(m, x, pair).0;
        ((h, c.clone()), c)
    }),
    ("a gate sees the cell", |m, x, (h, c)| {
        let [i, o] = [0, 1].map(|gate| sigmoid(m.gate(gate, &x, &h)));
        let forget = sigmoid(m.gate(2, &x, &h) + c.clone() * 0.5);
        let next = forget * c + i * m.gate(3, &x, &h).tanh();
        let out = o * next.clone().tanh();
        ((out.clone(), next), out)
    }),
    ("a gate without the state", |m, x, (h, c)| {
        let [i, o] = [0, 1].map(|gate| sigmoid(m.gate(gate, &x, &h)));
        let forget = sigmoid(m.input[2].forward(x.clone()));
        let next = forget * c + i * m.gate(3, &x, &h).tanh();
        let out = o * next.clone().tanh();
        ((out.clone(), next), out)
    }),
    ("the state is cut off", |m, x, pair| {
        let (h, c) = lstm(m, x, pair).0;
        let h = h.clamp(-0.1, 0.1);
        ((h.clone(), c), h)
    }),
    ("update gate the other way round", |m, x, (h, c)| {
        let [z, r] = [0, 1].map(|gate| sigmoid(m.gate(gate, &x, &h)));
        let new = (m.input[2].forward(x) + r * m.state[2].forward(h.clone())).tanh();
        let next = z.clone() * new + (-z + 1.0) * h;
        ((next.clone(), c), next)
    }),
    ("reset of the sum", |m, x, (h, c)| {
        let [z, r] = [0, 1].map(|gate| sigmoid(m.gate(gate, &x, &h)));
        let new = (r * m.gate(2, &x, &h)).tanh();
        let next = (-z.clone() + 1.0) * new + z * h;
        ((next.clone(), c), next)
    }),
    ("another function of a sum", |m, x, (h, c)| {
        let next = sigmoid(m.gate(0, &x, &h));
        ((next.clone(), c), next)
    }),
];
