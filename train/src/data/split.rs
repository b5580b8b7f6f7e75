//! Examples to learn from, and those held back for evaluation.

use super::{Row, Split};
use crate::error::{Error, Result};

/// Examples of both splits.
#[derive(Debug, Clone)]
pub(crate) struct Splits<T> {
    pub(crate) training: Vec<T>,
    pub(crate) evaluation: Vec<T>,
}

impl<T> Default for Splits<T> {
    fn default() -> Self {
        Self {
            training: Vec::new(),
            evaluation: Vec::new(),
        }
    }
}

impl<T> Splits<T> {
    /// Holds back `fraction` of `examples`, every so many-th one, so that data that are sorted
    /// by label are not torn apart.
    ///
    /// # Errors
    /// When a split is empty.
    pub(crate) fn of(examples: Vec<T>, fraction: f64) -> Result<Self> {
        let count = examples.len();
        let mut split = Self::default();
        for (number, example) in examples.into_iter().enumerate() {
            let before = |number: usize| (number as f64 * fraction).floor();
            if before(number + 1) > before(number) {
                split.evaluation.push(example)
            } else {
                split.training.push(example)
            }
        }
        if split.training.is_empty() || split.evaluation.is_empty() {
            return Err(Error::Data(format!(
                "{count} examples, of which validation_fraction = {fraction} takes {} for \
                 evaluation and leaves {} to learn from; give more examples, or another \
                 validation_fraction",
                split.evaluation.len(),
                split.training.len()
            )));
        }
        Ok(split)
    }

    /// All examples.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.training.iter().chain(&self.evaluation)
    }

    /// What `make` makes of each example.
    pub(crate) fn map<U>(&self, make: impl Fn(&T) -> Result<U>) -> Result<Splits<U>> {
        Ok(Splits {
            training: self.training.iter().map(&make).collect::<Result<_>>()?,
            evaluation: self.evaluation.iter().map(&make).collect::<Result<_>>()?,
        })
    }

    /// The examples of `rows`.
    pub(crate) fn rows(&self, split: Split, rows: &[Row]) -> Vec<&T> {
        let examples = match split {
            Split::Training => &self.training,
            Split::Evaluation => &self.evaluation,
        };
        rows.iter().map(|row| &examples[row.example]).collect()
    }

    /// At most `most` numbers of examples for evaluation, spread evenly.
    pub(crate) fn spread(&self, most: usize) -> Vec<usize> {
        let all = self.evaluation.len();
        let count = all.min(most.max(1));
        (0..count).map(|i| i * all / count).collect()
    }
}

/// The labels among `given`, each once: by number where all are whole numbers, else by name.
///
/// # Errors
/// When there are fewer than two: nothing could be learned.
pub(crate) fn labels<'a>(given: impl Iterator<Item = &'a str>) -> Result<Vec<String>> {
    let mut labels: Vec<String> = given.map(str::to_string).collect();
    labels.sort();
    labels.dedup();
    if labels.iter().all(|label| label.parse::<i64>().is_ok()) {
        labels.sort_by_key(|label| label.parse::<i64>().unwrap_or_default());
    }
    match labels.as_slice() {
        [] | [_] => Err(Error::Data(format!(
            "all examples have the label {:?}; a classifier needs two labels or more",
            labels.concat()
        ))),
        _ => Ok(labels),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_so_many_th_example_is_held_back() {
        let split = Splits::of((0..10).collect(), 0.3).unwrap();
        assert_eq!(split.evaluation, [3, 6, 9]);
        assert_eq!(split.training, [0, 1, 2, 4, 5, 7, 8]);
        assert_eq!(split.spread(2), [0, 1]);
        assert_eq!(split.spread(9), [0, 1, 2]);
        let error = Splits::of(vec![1; 9], 0.1).err().unwrap().to_string();
        assert!(error.contains("takes 0 for evaluation"), "{error}");
        assert!(Splits::<u8>::of(vec![], 0.5).is_err());
    }

    #[test]
    fn labels_are_in_the_order_of_their_kind() {
        let sorted = |given: [&str; 4]| labels(given.into_iter()).unwrap();
        assert_eq!(sorted(["10", "9", "-1", "9"]), ["-1", "9", "10"]);
        assert_eq!(sorted(["b", "10", "9", "b"]), ["10", "9", "b"]);
        let error = labels(["a", "a"].into_iter()).unwrap_err().to_string();
        assert!(error.contains("the label \"a\""), "{error}");
    }
}
