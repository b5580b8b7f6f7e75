//! What a comparison comes to, in one word and a sentence.

use serde::Serialize;

use crate::format::number;
use crate::report::Report;

/// The word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// Everything that was to be compared was, and lies within its tolerance.
    #[serde(rename = "agree")]
    Agree,
    /// Something does not.
    #[serde(rename = "differ")]
    Differ,
    /// Nothing differs, and not everything that was asked for was done.
    #[serde(rename = "could not run")]
    CouldNotRun,
}

impl Outcome {
    /// As reports have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Differ => "differ",
            Self::CouldNotRun => "could not run",
        }
    }
}

/// Something that was asked for and could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unable {
    /// A runner, a model; nothing where the reason says it.
    pub who: String,
    /// Why not.
    pub reason: String,
    /// Whether it is a runner that was named, and that failed.
    pub named: bool,
}

impl Unable {
    /// `tract: it panicked`.
    fn message(&self) -> String {
        let Self { who, reason, .. } = self;
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        if who.is_empty() {
            return reason;
        }
        // A runner's own error begins with its name.
        let who = format!("{who}: ");
        format!("{who}{}", reason.replace(&who, ""))
    }
}

/// The end of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// The word.
    pub outcome: Outcome,
    /// The rest of the sentence.
    pub reason: String,
    /// Whether a runner that was named failed.
    pub failed: bool,
}

impl std::fmt::Display for Conclusion {
    /// The last line of a report.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.outcome.name(), self.reason)
    }
}

impl Report {
    /// Sets what the report comes to where `unable` could not be done, and gives it.
    pub fn conclude(&mut self, unable: &[Unable]) -> Conclusion {
        let conclusion = self.concluded(unable);
        self.conclusion = Some(conclusion.clone());
        conclusion
    }

    /// What was concluded, or follows from the comparisons alone.
    pub fn end(&self) -> Conclusion {
        let own = self.conclusion.clone();
        own.unwrap_or_else(|| self.concluded(&[]))
    }

    fn concluded(&self, unable: &[Unable]) -> Conclusion {
        let failed = unable.iter().any(|unable| unable.named);
        let conclusion = |outcome, reason| Conclusion {
            outcome,
            reason,
            failed,
        };
        // Where some were named, it is about those.
        let told = unable.iter().filter(|unable| unable.named || !failed);
        let told: Vec<_> = told.map(Unable::message).collect();
        let kept_from = told.first().map(|first| match told.len() {
            1 => first.clone(),
            all => format!("{first} (and {} more)", all - 1),
        });
        if let Some(difference) = self.difference() {
            let reason = match kept_from {
                Some(kept_from) => format!("{difference}; could not run: {kept_from}"),
                None => difference,
            };
            return conclusion(Outcome::Differ, reason);
        }
        let agreed = self.largest().map(|largest| {
            let (runners, scaled) = (self.runners.join(", "), number(largest.scaled));
            (runners, format!("at most {scaled} ({})", largest.place()))
        });
        match (kept_from, agreed) {
            (Some(kept_from), Some((runners, most))) => conclusion(
                Outcome::CouldNotRun,
                format!("{kept_from}; {runners} agree, {most}"),
            ),
            (Some(kept_from), None) => conclusion(Outcome::CouldNotRun, kept_from),
            (None, Some((runners, most))) => {
                conclusion(Outcome::Agree, format!("{runners}; {most}"))
            }
            (None, None) => conclusion(Outcome::CouldNotRun, "nothing was compared".into()),
        }
    }

    /// What differs, where something does.
    fn difference(&self) -> Option<String> {
        let beyond = self.pairs.iter().filter(|pair| !pair.agrees).count();
        if let (1.., Some(worst)) = (beyond, self.worst()) {
            return Some(format!(
                "{beyond} of {} comparisons; the worst is {}",
                self.pairs.len(),
                worst.place()
            ));
        }
        let mut skipped = self.skipped.iter();
        let failed = skipped.find(|skipped| self.runners.contains(&skipped.runner));
        if let Some(failed) = failed {
            let runner = &failed.runner;
            return Some(format!("{runner} runs some inputs and fails on others"));
        }
        let located = self.located.as_ref();
        located.map(|module| format!("{module}, by less than shows at the outputs"))
    }
}
