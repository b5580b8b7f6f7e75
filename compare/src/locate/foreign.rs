//! Files that nobody's checkpoint judges: the first value at which two runners of them part.

use fluxo_models::Tensors;

use super::cut::Cut;
use super::{Location, PartError, Suspect, measure};
use crate::error::{Error, Result};
use crate::verdict::CPU;

/// How many values are looked at in one run.
const PROBES: usize = 16;

/// Where each of `runners` but the first parts from the first, by the names of their values: the
/// first value that differs by more than sums in another order explain. Runs see `PROBES` values
/// each, spread over those that are left. A value's own error is that of a run which is given what
/// the first runner has of the values before it that are looked at.
///
/// # Errors
/// When the inputs do not fit a file. A runner that fails has its reason in [`Location::note`].
pub fn part(runners: &mut [Cut], inputs: &Tensors) -> Result<Vec<Location>> {
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

fn search(first: &mut Cut, other: &mut Cut, inputs: &Tensors, found: &mut Location) -> Result<()> {
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
    loop {
        let step = left.len().div_ceil(PROBES);
        let ends = (1..=left.len()).filter(|i| i % step == 0 || *i == left.len());
        let ends: Vec<usize> = ends.map(|end| end - 1).collect();
        let probed: Vec<&str> = ends.iter().map(|end| left[*end].1.as_str()).collect();
        let exact = first.values_of(&probed, &Tensors::new(), inputs)?;
        let given = other.values_of(&probed, &Tensors::new(), inputs)?;
        // Each from what the first runner has of those before it.
        let forced = other.values_of(&probed, &exact, inputs)?;
        found.looked_at += probed.len();
        let mut parted = None;
        for (i, end) in ends.iter().enumerate() {
            let (node, value) = &left[*end];
            let error = |given: &Tensors| match (exact.get(value), given.get(value)) {
                (Some(exact), Some(given)) => measure::error(exact, given, None),
                _ => f64::INFINITY,
            };
            let off = error(&given);
            let guilty = measure::beyond(off, CPU);
            found.parts.push(PartError {
                path: node.clone(),
                cumulative: Some(off),
                teacher_forced: Some(error(&forced)),
                noise: CPU,
                guilty,
            });
            if guilty {
                parted = Some(i);
                break;
            }
            found.largest = found.largest.max(off / CPU);
        }
        let Some(parted) = parted else {
            found.parts.clear();
            return Ok(());
        };
        if step == 1 {
            let node = left[ends[parted]].0.clone();
            // Values further on were found in error first; the table reads in order.
            found.parts.retain(|part| !part.guilty || part.path == node);
            // Where its own error is small it only shows what gathered before it.
            for part in found.parts.iter_mut().filter(|part| part.guilty) {
                part.teacher_forced
                    .take_if(|own| !measure::beyond(*own, CPU));
            }
            (found.path, found.node) = (Some(node.clone()), Some(node));
            return Ok(());
        }
        let from = if parted == 0 { 0 } else { ends[parted - 1] + 1 };
        left = &left[from..=ends[parted]];
    }
}
