//! Runners, and what judges them.

use fluxo_models::{Model, OutputOptions};
use fluxo_verify::diff::AllClose;
use fluxo_verify::reference::Reference;
use fluxo_verify::{Case, Judging, Report};

use crate::compare::compare_judged;
use crate::convention;
use crate::error::Result;
use crate::referee;
use crate::runner::{Kind, Runner};

/// Runners, and what judges them.
pub(super) struct Judge {
    /// The model that the referee runs.
    pub model: Option<Model>,
    /// Whether it is asked for a single verdict, and holds the model no longer than that takes.
    pub once: bool,
    pub runners: Vec<Box<dyn Runner>>,
    pub request: OutputOptions,
    pub close: Option<AllClose>,
    pub tolerance: Option<f64>,
    /// What the referee said last.
    pub references: Vec<Reference>,
}

impl Judge {
    /// The report on `cases`.
    ///
    /// # Errors
    /// When the inputs do not fit the model, or fewer than two runners gave anything.
    pub fn compare(&mut self, cases: &[Case]) -> Result<Report> {
        self.references = match (&self.model, self.tolerance) {
            (Some(model), None) => {
                let declared = self.runners.iter().filter_map(|it| it.label().declared);
                referee::reference_outputs_on(model, self.request, cases, declared)?
                    .unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let files = self
            .runners
            .iter()
            .any(|runner| matches!(runner.label().kind, Kind::Graph));
        let saved = cases
            .iter()
            .any(|(_, inputs)| inputs.keys().any(|name| name.starts_with("out.")));
        let others = match &self.model {
            Some(model) if files || saved => {
                convention::others(model, self.request, cases, !self.references.is_empty())?
            }
            _ => Vec::new(),
        };
        if self.once {
            self.model = None;
        }
        let judging = Judging {
            references: &self.references,
            close: self.close,
            tolerance: self.tolerance,
            others: &others,
            ..Judging::default()
        };
        compare_judged(&mut self.runners, cases, &judging)
    }

    /// [`Judge::compare`] of `steps` and `cases`, the last of which is what a page and a bundle
    /// show.
    ///
    /// # Errors
    /// As [`Judge::compare`].
    pub fn decoded(&mut self, cases: &[Case], steps: Vec<Case>) -> Result<Report> {
        let all: Vec<Case> = steps.into_iter().chain(cases.iter().cloned()).collect();
        let report = self.compare(&all)?;
        self.references = self
            .references
            .split_off(self.references.len().saturating_sub(cases.len()));
        Ok(report)
    }
}
