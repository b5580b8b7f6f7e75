//! A random module, with inputs of named sizes and the sizes that it is tried at.

use burn::tensor::{Bool, Device, Float, Int, Tensor, TensorData};
use fluxo_onnx::{Dim, Input, Kind};

use super::builder::Builder;
use super::common::{flags, floats, ints};
use super::program::{Program, Step, Weights};
use super::rng::Rng;
use super::value::Value;
use super::{
    elementwise as e, index as i, layout as l, modules as m, recurrent as c, reduce as r,
    sizes as s,
};

/// A module, and values of its inputs at every set of sizes.
pub struct Case {
    pub program: Program,
    pub inputs: Vec<Vec<TensorData>>,
    pub sizes: Vec<Vec<usize>>,
    /// Every value at every set of sizes.
    pub values: Vec<Vec<Value>>,
}

type Make = fn(&mut Builder) -> Option<Step>;

/// What steps there are, and how often.
const MAKERS: [(Make, usize); 38] = [
    (e::unary, 8),
    (e::rounding, 1),
    (e::binary, 10),
    (e::integer, 4),
    (e::compare, 4),
    (e::logic, 3),
    (e::float, 2),
    (e::mask, 5),
    (e::sized_scalar, 2),
    (l::reshape, 7),
    (l::order, 6),
    (l::slice, 8),
    (l::cat, 5),
    (l::expand, 5),
    (l::pad, 3),
    (r::dim, 7),
    (r::all, 1),
    (r::places, 2),
    (r::others, 2),
    (i::range, 4),
    (i::fill, 1),
    (i::triangle, 3),
    (i::select, 3),
    (i::gather, 3),
    (m::linear, 6),
    (m::norm, 3),
    (m::channel_norm, 2),
    (m::convolution, 4),
    (m::pool, 3),
    (m::matmul, 5),
    (m::attention, 3),
    (m::embedding, 2),
    (m::positions, 2),
    (m::bias, 2),
    (c::walk, 2),
    (s::branch, 1),
    (s::made, 3),
    (s::pooled, 2),
];

const NAMES: [&str; 4] = ["batch", "sequence", "past", "width"];

/// Smallest sizes, and five sets of sizes to try: the smallest; two of small ones, often 1; large
/// ones; all alike.
fn sizes(rng: &mut Rng, count: usize) -> (Vec<usize>, Vec<Vec<usize>>) {
    let minima: Vec<usize> = (0..count)
        .map(|index| match (NAMES[index], rng.range(0, 9)) {
            ("past", 0..=5) => 0,
            (_, 0) => 2,
            (_, 1) => 3,
            (_, 2) => 6,
            _ => 1,
        })
        .collect();
    let mut sets = vec![minima.clone()];
    for (low, high) in [(0, 4), (1, 8), (6, 15)] {
        let mut set: Vec<usize> = Vec::new();
        for min in &minima {
            let mut size = min + rng.range(low, high);
            while high > 4 && set.contains(&size) {
                size += 1; // unlike each other, so that equal lengths are equal sizes
            }
            set.push(size);
        }
        sets.push(set);
    }
    let alike = minima
        .iter()
        .copied()
        .max()
        .unwrap_or(1)
        .max(rng.range(2, 8));
    sets.push(vec![alike; count]);
    (minima, sets)
}

fn dim(rng: &mut Rng, count: usize) -> Dim {
    match rng.range(0, 11) {
        0..=5 => Dim::from(NAMES[rng.range(0, count - 1)]),
        6 if count > 1 => {
            let first = rng.range(0, count - 2);
            Dim::from(format!("{} + {}", NAMES[first], NAMES[first + 1]))
        }
        7 => Dim::Fixed(1),
        8 => Dim::from(format!(
            "{}*{}",
            rng.range(2, 3),
            NAMES[rng.range(0, count - 1)]
        )),
        other => Dim::Fixed([2, 3, 4, 6][other % 4]),
    }
}

/// Inputs of random shapes; every named size is an axis of one of them.
fn inputs(rng: &mut Rng, count: usize) -> Vec<Input> {
    let mut inputs = Vec::new();
    for index in 0..rng.range(1, 3) {
        let kind = match (index, rng.range(0, 5)) {
            (0, _) | (_, 0..=2) => Kind::Float,
            (_, 3 | 4) => Kind::Int,
            _ => Kind::Bool,
        };
        let dims: Vec<Dim> = (0..rng.range(1, 4)).map(|_| dim(rng, count)).collect();
        inputs.push(Input::new(format!("x{index}"), kind, dims));
    }
    // Often a second input of the first one's shape, or of the first with another size.
    if rng.chance(50) {
        let mut dims = inputs[0].dims.clone();
        if rng.chance(60) {
            let axis = rng.range(0, dims.len() - 1);
            dims[axis] = dim(rng, count);
        }
        inputs.push(Input::new(format!("x{}", inputs.len()), Kind::Float, dims));
    }
    for name in &NAMES[..count] {
        let has = |input: &Input| input.dims.iter().any(|dim| *dim == Dim::from(*name));
        if !inputs.iter().any(has) {
            let kind = if rng.chance(60) {
                Kind::Float
            } else {
                Kind::Int
            };
            let dims = match rng.range(0, 2) {
                0 => vec![Dim::from(*name)],
                1 => vec![Dim::from(*name), dim(rng, count)],
                _ => vec![dim(rng, count), Dim::from(*name), Dim::Fixed(4)],
            };
            inputs.push(Input::new(format!("x{}", inputs.len()), kind, dims));
        }
    }
    inputs
}

fn length(dim: &Dim, sizes: &[usize]) -> usize {
    match dim {
        Dim::Fixed(size) => *size,
        Dim::Size(name) => sizes[NAMES.iter().position(|own| own == name).unwrap()],
        Dim::Sum(parts) => parts.iter().map(|part| length(part, sizes)).sum(),
        Dim::Times(times, of) => times * length(of, sizes),
    }
}

/// An input's data as a value on a device.
pub fn value(input: &Input, data: &TensorData, device: &Device) -> Value {
    macro_rules! ranks {
        ($kind:ty) => {
            match input.dims.len() {
                1 => Tensor::<1, $kind>::from_data(data.clone(), device).into(),
                2 => Tensor::<2, $kind>::from_data(data.clone(), device).into(),
                3 => Tensor::<3, $kind>::from_data(data.clone(), device).into(),
                _ => Tensor::<4, $kind>::from_data(data.clone(), device).into(),
            }
        };
    }
    match input.kind {
        Kind::Float => ranks!(Float),
        Kind::Int => ranks!(Int),
        Kind::Bool => ranks!(Bool),
    }
}

/// The case of a seed.
pub fn case(seed: u64) -> Option<Case> {
    let mut rng = Rng::new(seed);
    let count = rng.range(1, 4);
    let (minima, sets) = sizes(&mut rng, count);
    let described = inputs(&mut rng, count);
    let device = Device::flex();
    let given: Vec<Vec<TensorData>> = sets
        .iter()
        .map(|sizes| {
            let data = |(index, input): (usize, &Input)| {
                let shape: Vec<usize> = input.dims.iter().map(|dim| length(dim, sizes)).collect();
                let seed = seed * 31 + index as u64;
                match input.kind {
                    Kind::Float => floats(&shape, seed),
                    Kind::Int => ints(&shape, -3, 7, seed),
                    Kind::Bool => flags(&shape, seed),
                }
            };
            described.iter().enumerate().map(data).collect()
        })
        .collect();
    let few = |data: &Vec<TensorData>| data.iter().all(|data| data.num_elements() <= 6000);
    if !given.iter().all(few) {
        return None;
    }
    let at = given
        .iter()
        .map(|data| {
            let pairs = described.iter().zip(data);
            pairs
                .map(|(input, data)| value(input, data, &device))
                .collect()
        })
        .collect();
    let minima = NAMES
        .iter()
        .map(|name| name.to_string())
        .zip(minima)
        .collect();
    let program = Program {
        inputs: described,
        minima,
        weights: Weights::default(),
        steps: Vec::new(),
        outputs: Vec::new(),
    };
    let mut builder = Builder::new(rng, program, at);
    grow(&mut builder);
    let Builder {
        mut rng,
        mut program,
        at,
        ..
    } = builder;
    let first = program.inputs.len();
    let total = first + program.steps.len();
    if program.steps.is_empty() {
        return None;
    }
    // The last value and others that nothing reads.
    let read: Vec<usize> = program
        .steps
        .iter()
        .flat_map(|step| step.operands.clone())
        .collect();
    let leaves: Vec<usize> = (first..total - 1)
        .filter(|value| !read.contains(value))
        .collect();
    program.outputs.push(total - 1);
    for leaf in leaves {
        if program.outputs.len() < 4 && rng.chance(70) {
            program.outputs.push(leaf);
        }
    }
    Some(Case {
        program,
        inputs: given,
        sizes: sets,
        values: at,
    })
}

fn grow(builder: &mut Builder) {
    let wanted = builder.rng.range(2, 12);
    let weight: usize = MAKERS.iter().map(|(_, weight)| weight).sum();
    for _ in 0..wanted * 4 {
        if builder.program.steps.len() >= wanted {
            break;
        }
        let mut left = builder.rng.range(0, weight - 1);
        let make = MAKERS
            .iter()
            .find(|(_, weight)| match left.checked_sub(*weight) {
                Some(rest) => {
                    left = rest;
                    false
                }
                None => true,
            });
        let Some((make, _)) = make else { continue };
        if let Some(step) = make(builder) {
            builder.push(step);
        }
    }
}
