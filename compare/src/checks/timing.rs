//! How long each runner takes.

use std::time::Instant;

use fluxo_models::Tensors;
pub use fluxo_verify::report::Timing;

use crate::error::Result;
use crate::runner::Runner;

/// Something that is timed.
pub struct Job<'a> {
    /// What reports call it.
    pub name: String,
    run: Box<dyn FnMut() -> Result<f64> + 'a>,
}

impl<'a> Job<'a> {
    /// `run`, which gives the milliseconds that it took.
    pub fn measured(name: &str, run: impl FnMut() -> Result<f64> + 'a) -> Self {
        Self {
            name: name.to_string(),
            run: Box::new(run),
        }
    }

    /// One run more; the milliseconds that it took.
    ///
    /// # Errors
    /// When it fails.
    pub fn once(&mut self) -> Result<f64> {
        (self.run)()
    }

    /// `run`, with a clock around it.
    pub fn new(name: &str, mut run: impl FnMut() -> Result<()> + 'a) -> Self {
        Self::measured(name, move || {
            let start = Instant::now();
            run()?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        })
    }
}

/// Times `runs` runs of each of `jobs`: one after the other in turn, so that what slows the machine
/// for a while slows all of them. A first round warms up. Of a job that fails there is the error.
pub fn in_turn(jobs: &mut [Job<'_>], runs: usize) -> Vec<Result<Timing>> {
    let mut taken: Vec<Result<Vec<f64>>> = jobs.iter().map(|_| Ok(Vec::new())).collect();
    for round in 0..=runs {
        for (job, taken) in jobs.iter_mut().zip(&mut taken) {
            let Ok(times) = taken else { continue };
            match (job.run)() {
                Ok(_) if round == 0 => {}
                Ok(ms) => times.push(ms),
                Err(error) => *taken = Err(error),
            }
        }
    }
    let timings = jobs.iter().zip(taken).map(|(job, times)| {
        let mut times = times?;
        times.sort_by(f64::total_cmp);
        Ok(Timing {
            runner: job.name.clone(),
            runs,
            median_ms: quantile(&times, 0.5),
            lower_ms: quantile(&times, 0.25),
            upper_ms: quantile(&times, 0.75),
            peak_bytes: None,
        })
    });
    timings.collect()
}

/// Times `runs` runs of each of `runners` on `inputs` ([`in_turn`]). A runner that fails has no row.
///
/// # Errors
/// When the inputs do not fit the model.
pub fn time(runners: &mut [Box<dyn Runner>], inputs: &Tensors, runs: usize) -> Result<Vec<Timing>> {
    let (inputs, _) = crate::inputs::split(inputs);
    let inputs = &inputs;
    let jobs = runners.iter_mut().map(|runner| {
        let name = runner.name().to_string();
        Job::measured(&name, move || {
            let start = Instant::now();
            runner.run(inputs)?;
            let elapsed = start.elapsed().as_secs_f64() * 1e3;
            Ok(runner.cost().map_or(elapsed, |cost| cost.ms))
        })
    });
    let mut jobs: Vec<_> = jobs.collect();
    let mut timings = Vec::new();
    for timing in in_turn(&mut jobs, runs) {
        match timing {
            Ok(timing) => timings.push(timing),
            Err(error) if error.is_input() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(timings)
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
