//! How much difference is allowed between two runners, and why.

use crate::runner::Kind;

/// Float32 on CPUs: sums of a few thousand terms in another order stay below this.
pub const CPU: f64 = 2e-5;
/// A GPU on one side: its exponentials, square roots and fused sums are coarser.
pub const GPU: f64 = 1e-4;

/// Float16 arithmetic: runtimes round at other places, some thirty times over three layers, and
/// 11 units in the last place were seen. A unit is `2^-10` of the largest magnitude.
pub const HALF: f64 = 16.0 / 1024.0;

/// A runtime's distance from the exact outputs, in multiples of the measured noise: other orders
/// of sums err more than the few runs that it was measured with. The most that was seen is 1.6 in
/// the check of the zoo's exports, and 2.7 under hard inputs (`docs/consistency.md`).
pub const MARGIN: f64 = 4.0;
/// The same again for a GPU: its exponentials, square roots and divisions are specified to a few
/// units of the last place, not to half of one (Vulkan 1.3, precision of SPIR-V instructions).
pub const COARSE: f64 = 4.0;
/// Two units of float32's last place: rounding of the outputs themselves.
pub const LEAST: f64 = 2.4e-7;

/// Sixteen units of float32's last place: nobody is blamed for less in an output, whatever was
/// measured. A few runs may happen to round the few values of a single token alike: of SmolLM2's
/// keys 1.3 units were measured at one, and tract was 11 off.
pub const FLOOR: f64 = 16.0 / (1 << 23) as f64;
/// Half of that for what a part writes, in which nothing has gathered.
pub const PART_FLOOR: f64 = FLOOR / 2.0;
/// The error of a part, in multiples of its measured noise. Thousands of rows are looked at, each of
/// which was measured in a few runs: 11.7 was seen in ONNX Runtime on SmolLM2 where nothing was wrong,
/// and 32 there where one output of one layer was off by a hundredth of a percent.
pub const PART_MARGIN: f64 = 4.0 * MARGIN;

/// What a pair of runners may differ by, in the scaled measure
/// ([`Difference::scaled`](crate::diff::Difference::scaled)).
#[derive(Debug, Clone, PartialEq)]
pub struct Tolerance {
    /// The largest scaled difference that still agrees.
    pub value: f64,
    /// Where the number comes from.
    pub reason: &'static str,
    /// What rounding explains, where it was measured.
    pub noise: Option<f64>,
}

impl Tolerance {
    /// What stands beside [`AllClose`](crate::diff::AllClose): the reason, and the `noise` where it was measured.
    pub fn close(noise: Option<f64>) -> Self {
        Self {
            value: f64::NAN,
            reason: "|a - b| at most atol + rtol * max(|a|, |b|), as given",
            noise,
        }
    }

    /// The tolerance of an output whose `noise` was measured ([`crate::reference`]): from the exact
    /// one, and twice that between two that may err to either side.
    pub fn measured(a: Kind, b: Kind, noise: f64) -> Self {
        let exact = |kind| matches!(kind, Kind::Referee);
        let gpu = |kind| matches!(kind, Kind::Backend { gpu: true });
        let coarse = if gpu(a) || gpu(b) { COARSE } else { 1.0 };
        let own = (coarse * MARGIN * noise).max(FLOOR);
        Self {
            value: if exact(a) || exact(b) { own } else { 2.0 * own },
            reason: if coarse == 1.0 {
                "4 times the model's own rounding on these inputs, measured against float64"
            } else {
                "16 times the model's own rounding on these inputs, measured against float64: a GPU rounds more"
            },
            noise: Some(noise),
        }
    }

    /// The tolerance between runners of the kinds `a` and `b`; a `given` one overrides.
    pub fn between(a: Kind, b: Kind, given: Option<f64>) -> Self {
        let gpu = |kind| matches!(kind, Kind::Backend { gpu: true });
        match given {
            Some(value) => Self {
                value,
                reason: "as given",
                noise: None,
            },
            None if gpu(a) || gpu(b) => Self {
                value: GPU,
                reason: "float32 with a GPU on one side: other exponentials, square roots and fused sums",
                noise: None,
            },
            None => Self {
                value: CPU,
                reason: "float32 on CPUs: the same sums in another order",
                noise: None,
            },
        }
    }

    /// Whether a scaled difference is within it. NaN never is.
    pub fn allows(&self, scaled: f64) -> bool {
        scaled <= self.value
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FLEX: Kind = Kind::Backend { gpu: false };
    const WGPU: Kind = Kind::Backend { gpu: true };

    #[test]
    fn a_gpu_on_either_side_widens_it() {
        assert_eq!(Tolerance::between(FLEX, Kind::Graph, None).value, 2e-5);
        assert_eq!(Tolerance::between(FLEX, WGPU, None).value, 1e-4);
        assert_eq!(Tolerance::between(WGPU, Kind::File, None).value, 1e-4);
        assert_eq!(Tolerance::between(WGPU, FLEX, Some(0.5)).value, 0.5);
    }

    #[test]
    fn neither_nan_nor_infinity_is_ever_allowed() {
        let any = Tolerance::between(FLEX, FLEX, Some(f64::MAX));
        assert!(any.allows(1.0) && !any.allows(f64::NAN) && !any.allows(f64::INFINITY));
    }
}
