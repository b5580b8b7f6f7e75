//! How long each runner takes.

use std::time::Instant;

use fluxo_models::Tensors;
pub use fluxo_verify::report::Timing;

use crate::error::Result;
use crate::runner::Runner;

/// Times `runs` runs of each of `runners` on `inputs`: one after the other in turn, so that what
/// slows the machine for a while slows all of them. A first round warms up. A runner that fails
/// has no row.
///
/// # Errors
/// When the inputs do not fit the model.
pub fn time(runners: &mut [Box<dyn Runner>], inputs: &Tensors, runs: usize) -> Result<Vec<Timing>> {
    let (inputs, _) = crate::inputs::split(inputs);
    let mut taken: Vec<Option<Vec<f64>>> = runners.iter().map(|_| Some(Vec::new())).collect();
    for round in 0..=runs {
        for (runner, taken) in runners.iter_mut().zip(&mut taken) {
            let Some(times) = taken else { continue };
            let start = Instant::now();
            match runner.run(&inputs) {
                Ok(_) if round == 0 => {}
                Ok(_) => {
                    let elapsed = start.elapsed().as_secs_f64() * 1e3;
                    times.push(runner.cost().map_or(elapsed, |cost| cost.ms));
                }
                Err(error) if error.is_input() => return Err(error),
                Err(_) => *taken = None,
            }
        }
    }
    let timed = runners.iter().zip(taken).filter_map(|(runner, times)| {
        let mut times = times?;
        times.sort_by(f64::total_cmp);
        Some(Timing {
            runner: runner.name().to_string(),
            runs,
            median_ms: quantile(&times, 0.5),
            lower_ms: quantile(&times, 0.25),
            upper_ms: quantile(&times, 0.75),
            peak_bytes: None,
        })
    });
    Ok(timed.collect())
}

/// The most memory that each of `children`, runners in processes of their own, held in one run on
/// `inputs`, by their names.
pub fn memory(children: &mut [Box<dyn Runner>], inputs: &Tensors) -> Vec<(String, u64)> {
    let (inputs, _) = crate::inputs::split(inputs);
    let held = children.iter_mut().filter_map(|child| {
        child.run(&inputs).ok()?;
        Some((child.name().to_string(), child.cost()?.peak_bytes?))
    });
    held.collect()
}

/// The value under which the share `part` of `sorted` lies, between two of them on the line from
/// one to the other; NaN where there are none.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = part * last as f64;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    below + (above - below) * place.fract()
}

/// The most memory, in bytes, that this process has held so far; `None` where the system does
/// not say (it does on Linux).
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::error::Error;
    use crate::runner::{Kind, Label};

    struct Sleeper(Label, Option<u64>);

    fn sleeper(name: &str, ms: Option<u64>) -> Sleeper {
        Sleeper(Label::new(name, Kind::Graph), ms)
    }

    impl Runner for Sleeper {
        fn label(&self) -> &Label {
            &self.0
        }
        fn run(&mut self, _: &Tensors) -> Result<Tensors> {
            let time = self.1.ok_or_else(|| Error::runner(self.name(), "no"))?;
            std::thread::sleep(Duration::from_millis(time));
            Ok(Tensors::new())
        }
    }

    #[test]
    fn the_slower_takes_longer_and_who_fails_has_no_row() {
        let mut runners: Vec<Box<dyn Runner>> = vec![
            Box::new(sleeper("slow", Some(20))),
            Box::new(sleeper("broken", None)),
            Box::new(sleeper("fast", Some(1))),
        ];
        let timed = time(&mut runners, &Tensors::new(), 3).unwrap();
        let names: Vec<_> = timed.iter().map(|timing| timing.runner.as_str()).collect();
        assert_eq!(names, ["slow", "fast"]);
        assert!(timed[0].median_ms >= 20.0 && timed[0].median_ms > timed[1].median_ms);
        assert!(
            timed
                .iter()
                .all(|t| t.runs == 3 && t.lower_ms <= t.upper_ms)
        );
    }

    #[test]
    fn quartiles_lie_between_neighbours() {
        let times = [1.0, 2.0, 3.0, 4.0];
        let all = [0.0, 0.25, 0.5, 1.0].map(|part| quantile(&times, part));
        assert_eq!(all, [1.0, 1.75, 2.5, 4.0]);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn linux_says_what_a_process_held() {
        assert_eq!(peak_memory().is_some(), cfg!(target_os = "linux"));
    }
}
