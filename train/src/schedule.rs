//! The learning rate over time: linear warm-up, then a cosine down to the floor.

use std::f64::consts::PI;

/// A learning rate for every step of a run.
pub(crate) struct Schedule {
    pub(crate) peak: f64,
    pub(crate) floor: f64,
    pub(crate) warmup: usize,
    pub(crate) steps: usize,
}

impl Schedule {
    /// The rate of `step`, counted from 1: `peak` at step `warmup`, `floor` at the last one.
    pub(crate) fn rate(&self, step: usize) -> f64 {
        if step <= self.warmup {
            return self.peak * step as f64 / self.warmup as f64;
        }
        let decay = self.steps.saturating_sub(self.warmup).max(1);
        let done = ((step - self.warmup) as f64 / decay as f64).min(1.0);
        self.floor + (self.peak - self.floor) * 0.5 * (1.0 + (PI * done).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_linearly_then_falls_along_a_cosine() {
        let s = Schedule {
            peak: 1.0,
            floor: 0.1,
            warmup: 4,
            steps: 12,
        };
        assert_eq!([s.rate(1), s.rate(2), s.rate(4)], [0.25, 0.5, 1.0]);
        // Half way down the cosine is half way between peak and floor; one rounding of cos(pi/2).
        assert!((s.rate(8) - 0.55).abs() < 1e-15);
        assert_eq!(s.rate(12), 0.1);
        for step in 5..=12 {
            assert!(s.rate(step) < s.rate(step - 1));
        }
    }

    #[test]
    fn needs_no_warm_up() {
        let s = Schedule {
            peak: 1.0,
            floor: 0.0,
            warmup: 0,
            steps: 2,
        };
        assert!((s.rate(1) - 0.5).abs() < 1e-15);
        assert_eq!(s.rate(2), 0.0);
    }
}
