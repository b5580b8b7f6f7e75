//! How often the right class is chosen.

use std::collections::BTreeSet;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::task::Decided;

/// What was decided of every example, and what would have been right.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decisions(Vec<(usize, usize)>);

/// How good decisions are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scores {
    /// The share of examples whose class was chosen.
    pub(crate) accuracy: f64,
    /// The mean over the classes of the harmonic mean of precision and recall.
    pub(crate) macro_f1: f64,
}

impl Decisions {
    /// Adds the rows of `decided`: of each the class with the largest logit.
    ///
    /// # Errors
    /// When the device does not give the numbers.
    pub(crate) fn add(&mut self, decided: Decided) -> Result<()> {
        let Decided { logits, labels } = decided;
        let chosen: Tensor<2, burn::tensor::Int> = logits.argmax(1);
        let chosen = chosen
            .try_into_data()
            .map_err(|e| Error::Device(e.to_string()))?;
        let chosen = chosen.iter::<i64>().map(|class| class as usize);
        self.0.extend(labels.into_iter().zip(chosen));
        Ok(())
    }

    /// The scores; none where nothing was decided.
    ///
    /// F1 is scikit-learn's `f1_score(average="macro", zero_division=0)`: over the classes that
    /// are right or chosen anywhere.
    pub(crate) fn scores(&self) -> Option<Scores> {
        if self.0.is_empty() {
            return None;
        }
        let count = |of: &dyn Fn(&(usize, usize)) -> bool| {
            self.0.iter().filter(|decision| of(decision)).count() as f64
        };
        let classes: BTreeSet<usize> = self.0.iter().flat_map(|&(a, b)| [a, b]).collect();
        let f1 = |&class: &usize| {
            let hits = count(&|&(right, chosen)| right == class && chosen == class);
            let right = count(&|&(right, _)| right == class);
            let chosen = count(&|&(_, chosen)| chosen == class);
            // One of the two is over 0, or the class would not be among them.
            2.0 * hits / (right + chosen)
        };
        Some(Scores {
            accuracy: count(&|(right, chosen)| right == chosen) / self.0.len() as f64,
            macro_f1: classes.iter().map(f1).sum::<f64>() / classes.len() as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::Device;

    use super::*;

    fn scores(right: &[usize], chosen: &[usize]) -> (f64, f64) {
        let decisions = right.iter().copied().zip(chosen.iter().copied());
        let scores = Decisions(decisions.collect()).scores().unwrap();
        (scores.accuracy, scores.macro_f1)
    }

    /// By scikit-learn 1.9, `f1_score(right, chosen, average="macro", zero_division=0)`.
    #[test]
    fn scores_are_scikit_learns() {
        // The example of its documentation.
        let (accuracy, f1) = scores(&[0, 1, 2, 0, 1, 2], &[0, 2, 1, 0, 0, 1]);
        assert_eq!(accuracy, 1.0 / 3.0);
        assert!((f1 - 0.26666666666666666).abs() < 1e-15, "{f1}");
        // A class that is never right and once chosen, and one that is never chosen.
        let (accuracy, f1) = scores(&[0, 0, 1, 1, 3], &[0, 0, 1, 2, 0]);
        assert_eq!(accuracy, 0.6);
        assert!((f1 - 0.3666666666666667).abs() < 1e-15, "{f1}");
        assert_eq!(scores(&[4, 4], &[4, 4]), (1.0, 1.0));
        assert_eq!(Decisions::default().scores(), None);
    }

    #[test]
    fn the_largest_logit_decides() {
        let logits =
            Tensor::<2>::from_floats([[0.1, 0.3, 0.2], [2.0, -1.0, 1.0]], &Device::default());
        let mut decisions = Decisions::default();
        let labels = vec![1, 2];
        decisions.add(Decided { logits, labels }).unwrap();
        assert_eq!(decisions.0, [(1, 1), (2, 0)]);
    }
}
