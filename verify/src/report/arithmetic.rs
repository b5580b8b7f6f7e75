//! Runners that compute with fewer digits than their type has.

use serde::Serialize;

use super::{Report, Severity};

/// What a runner computes with, where that is less than its type says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arithmetic {
    /// The runner.
    pub runner: String,
    /// What it computes with: `f32 with products in TF32`.
    pub computes: String,
}

impl Arithmetic {
    /// In a line.
    pub fn message(&self) -> String {
        let Self { runner, computes } = self;
        format!("{runner} computes {computes}: what rounding explains is measured for that")
    }
}

impl Report {
    /// Notes who computes with fewer digits, in the reasons of their assessments too.
    pub fn computed(&mut self, with: Vec<Arithmetic>) {
        for new in with {
            if self.arithmetic.contains(&new) {
                continue;
            }
            let own = self.assessments.iter_mut();
            let rounded = own.filter(|found| {
                found.runner == new.runner
                    && !matches!(found.finding, Severity::Same | Severity::Convention)
            });
            for assessment in rounded {
                assessment.reason.push_str(&format!(" ({})", new.computes));
            }
            self.arithmetic.push(new);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::{DType, TensorData};
    use fluxo_backends::kernels::unit;

    use crate::diff::Rounding;
    use crate::reference::{Noise, Reference};
    use crate::runner::{Kind, Label, Replay, Runner};
    use crate::{Judging, Tensors, compare};

    use super::*;

    const TF32: &str = "f32 with products in TF32";

    /// What is said of a card that is `off` from 1, where float32's noise is 1e-6.
    fn found(off: f64, tf32: bool) -> Report {
        let given = |value: f64| {
            let data = TensorData::new(vec![value, 1.0], [2]);
            Tensors::from([("y".to_string(), data)])
        };
        let plain = Label::new("card", Kind::Backend { gpu: true });
        let card = if tf32 {
            Label {
                unit: Some(2f64.powi(-11)),
                arithmetic: Some(TF32.to_string()),
                ..plain
            }
        } else {
            plain
        };
        let right = Label::new("right", Kind::Backend { gpu: false });
        let mut runners: Vec<Box<dyn Runner>> = vec![
            Box::new(Replay::given(right, vec![Ok(given(1.0))])),
            Box::new(Replay::given(card, vec![Ok(given(1.0 + off))])),
        ];
        let noise = Noise::from([("y".to_string(), Rounding::of_output(1e-6))]);
        let reference = Reference::new(given(1.0), noise, unit(DType::F32));
        let case = ("here".to_string(), Tensors::new());
        compare(&mut runners, &[case], &Judging::measured(&[reference])).unwrap()
    }

    #[test]
    fn fewer_digits_are_judged_by_their_own_rounding_and_named() {
        // Two thousand times float32's noise is half of TF32's.
        let report = found(2e-3, true);
        let card = &report.assessments[1];
        assert_eq!(card.finding, Severity::Noise, "{report}");
        assert!(
            card.reason.ends_with(" (f32 with products in TF32)"),
            "{}",
            card.reason
        );
        assert!(
            report
                .to_string()
                .contains("card computes f32 with products in TF32: ")
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["arithmetic"][0]["computes"], TF32);

        let report = found(2e-3, false);
        assert_eq!(report.assessments[1].finding, Severity::Bug, "{report}");
        assert!(serde_json::to_value(&report).unwrap()["arithmetic"].is_null());
    }

    #[test]
    fn what_is_wrong_in_tf32_is_wrong() {
        // 244 times TF32's noise.
        let report = found(1.0, true);
        assert_eq!(report.assessments[1].finding, Severity::Bug, "{report}");
    }
}
