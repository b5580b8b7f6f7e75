//! Times of several runners, taken in turns so that each meets the same machine.

use std::time::{Duration, Instant};

use anyhow::Result;

/// A runner: its name and what it does once.
pub type Runner<'a> = (&'a str, Box<dyn FnMut() -> Result<()> + 'a>);

/// Runs each of `runners` in turns, `rounds` times after two rounds that do not count, and
/// gives the durations of each.
///
/// # Errors
/// Those of the runners.
pub fn interleaved(runners: &mut [Runner<'_>], rounds: usize) -> Result<Vec<Vec<Duration>>> {
    let mut times = vec![Vec::with_capacity(rounds); runners.len()];
    for round in 0..rounds + 2 {
        for ((_, run), times) in runners.iter_mut().zip(&mut times) {
            let start = Instant::now();
            run()?;
            if round >= 2 {
                times.push(start.elapsed());
            }
        }
    }
    Ok(times)
}

/// The median of `times`, and the quartiles around it.
pub fn quartiles(times: &[Duration]) -> [Duration; 3] {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    [1, 2, 3].map(|quarter| sorted[(sorted.len() - 1) * quarter / 4])
}

/// The median of the ratios that `times` and `others` have round by round.
pub fn ratio(times: &[Duration], others: &[Duration]) -> f64 {
    let mut ratios: Vec<f64> = times
        .iter()
        .zip(others)
        .map(|(a, b)| a.as_secs_f64() / b.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}
