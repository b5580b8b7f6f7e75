//! Files that nobody's checkpoint judges: the first value at which two runners of them part.

use burn::tensor::TensorData;
use fluxo_models::Tensors;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::onnx_suspect::OnnxSuspect;
use super::suspect::{Suspect, allowed};
use crate::error::{Error, Result};
use crate::runner::Kind;
use fluxo_verify::diff::tolerance::{CPU, MARGIN};
use fluxo_verify::diff::{Off, Rounding};
use fluxo_verify::report::{Location, PartError};

/// How many values are looked at in one run.
const PROBES: usize = 16;
/// How many runs, of what is read moved by a unit of its last place, measure what rounding explains
/// of a value that would be blamed.
const MOVED: u64 = 2;

/// Where each of `runners` but the first parts from the first, by the names of their values: the
/// first value that differs by more than sums in another order explain where both are given what
/// the first runner has of the values before it that are looked at: what has gathered on the way is
/// nobody's. Runs see `PROBES` values each, spread over those that are left.
///
/// # Errors
/// When the inputs do not fit a file. A runner that fails has its reason in [`Location::note`].
pub fn bisect(runners: &mut [OnnxSuspect], inputs: &Tensors) -> Result<Vec<Location>> {
    let Some((first, others)) = runners.split_first_mut() else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for other in others {
        let mut location = Location::of(&other.label().name);
        match search(first, other, inputs, &mut location) {
            Ok(()) => {}
            Err(error) if error.is_input() => return Err(error),
            Err(error) => location.note = Some(error.to_string()),
        }
        found.push(location);
    }
    Ok(found)
}

fn search(
    first: &mut OnnxSuspect,
    other: &mut OnnxSuspect,
    inputs: &Tensors,
    found: &mut Location,
) -> Result<()> {
    let theirs = other.values()?;
    let mut values = first.values()?;
    values.retain(|(_, value)| theirs.iter().any(|(_, known)| known == value));
    if values.is_empty() {
        return Err(Error::runner(
            &other.label().name,
            "the files have no values of the same name",
        ));
    }
    found.of = values.len();
    // What lies before the first of these is alike, and the last one differs.
    let mut left = values.as_slice();
    // What the first has of those before it.
    let mut before = Tensors::new();
    loop {
        let step = left.len().div_ceil(PROBES);
        let ends = (1..=left.len()).filter(|i| i % step == 0 || *i == left.len());
        let ends: Vec<usize> = ends.map(|end| end - 1).collect();
        let probed: Vec<&str> = ends.iter().map(|end| left[*end].1.as_str()).collect();
        let exact = first.values_of(&probed, &Tensors::new(), inputs)?;
        let given = other.values_of(&probed, &Tensors::new(), inputs)?;
        let mut known = before.clone();
        known.extend(exact.clone());
        let forced = other.values_of(&probed, &known, inputs)?;
        found.looked_at += probed.len();
        let even = || Rounding::of_part().with_even(CPU / MARGIN);
        let mut noise: Vec<Rounding> = probed.iter().map(|_| even()).collect();
        let off = |value: &str, given: &Tensors, noise: &Rounding| {
            let both = exact.get(value).zip(given.get(value));
            let off = both.and_then(|(exact, given)| noise.worst(exact, given, None, within));
            off.unwrap_or(Off {
                scaled: f64::INFINITY,
                noise: CPU / MARGIN,
            })
        };
        let own = |noise: &[Rounding]| -> Vec<Off> {
            let values = probed.iter().zip(noise);
            values
                .map(|(value, noise)| off(value, &forced, noise))
                .collect()
        };
        let beyond = |off: &Off| off.scaled.is_nan() || off.scaled > within(off.noise);
        let mut errors = own(&noise);
        if errors.iter().any(beyond) {
            for seed in 1..=MOVED {
                let moved = first.values_of(&probed, &moved(&known, seed), inputs)?;
                for (value, noise) in probed.iter().zip(&mut noise) {
                    if let (Some(exact), Some(moved)) = (exact.get(*value), moved.get(*value)) {
                        noise.widen(exact, moved, None);
                    }
                }
            }
            errors = own(&noise);
        }
        let mut parted = None;
        for (i, (end, own)) in ends.iter().zip(&errors).enumerate() {
            let (node, value) = &left[*end];
            let at_fault = beyond(own);
            found.parts.push(PartError {
                path: node.clone(),
                cumulative: Some(off(value, &given, &noise[i]).scaled),
                teacher_forced: Some(own.scaled),
                noise: own.noise,
                at_fault,
            });
            if at_fault {
                parted = Some(i);
                break;
            }
            found.largest = found.largest.max(own.scaled / own.noise);
        }
        let Some(parted) = parted else {
            found.parts.clear();
            return Ok(());
        };
        if step == 1 {
            let node = left[ends[parted]].0.clone();
            // Values further on were found in error first; the table reads in order.
            found
                .parts
                .retain(|part| !part.at_fault || part.path == node);
            (found.path, found.node) = (Some(node.clone()), Some(node));
            return Ok(());
        }
        let right = probed[..parted].iter();
        before.extend(right.filter_map(|name| Some((name.to_string(), exact.get(*name)?.clone()))));
        let from = if parted == 0 { 0 } else { ends[parted - 1] + 1 };
        left = &left[from..=ends[parted]];
    }
}

/// The largest error of a value that is not blamed.
fn within(noise: f64) -> f64 {
    allowed(Kind::Graph, noise)
}

/// `values` with each number moved by a unit of its last place, up or down at random.
fn moved(values: &Tensors, seed: u64) -> Tensors {
    let mut random = StdRng::seed_from_u64(seed);
    let mut moved = |data: &TensorData| {
        let values = data.iter::<f32>().map(|value| {
            if random.random::<bool>() {
                value * (1.0 + f32::EPSILON)
            } else {
                value * (1.0 - f32::EPSILON)
            }
        });
        TensorData::new(values.collect::<Vec<f32>>(), data.shape().clone())
    };
    let moved = values
        .iter()
        .map(|(name, data)| (name.clone(), moved(data)));
    moved.collect()
}
