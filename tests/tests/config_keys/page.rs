//! `docs/config-keys.md`: families and keys, how many cases each has, and the worst difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

use fluxo_models::catalog::FAMILIES;

use super::allowed;
use super::case::{Checkpoint, Fine, Outcome};

const PAGE: &str = "docs/config-keys.md";

/// What was counted of a key in a family.
#[derive(Default)]
struct Count {
    cases: usize,
    /// Cases in which transformers' result is another than that of the unchanged file.
    matters: usize,
    agree: usize,
    both_refuse: usize,
    refused: usize,
    read: usize,
    worst: f64,
}

/// Families and keys.
#[derive(Default)]
pub struct Tally {
    counts: BTreeMap<(&'static str, String), Count>,
    reasons: BTreeSet<&'static str>,
}

impl Tally {
    /// Adds what came of a checkpoint's cases.
    pub fn add(&mut self, checkpoint: &Checkpoint, outcomes: &[Outcome]) {
        let family = checkpoint.family();
        for outcome in outcomes {
            let key = outcome.key.rsplit('.').next().unwrap_or_default();
            let count = self.counts.entry((family, key.to_string())).or_default();
            count.cases += 1;
            count.matters += usize::from(outcome.matters);
            match &outcome.verdict {
                Ok(Fine::Agrees(worst)) => {
                    count.agree += 1;
                    count.worst = count.worst.max(*worst);
                }
                Ok(Fine::BothRefuse) => count.both_refuse += 1,
                Ok(Fine::Refused(reason)) => {
                    count.refused += 1;
                    self.reasons.insert(reason);
                }
                Ok(Fine::Read(reason)) => {
                    count.read += 1;
                    self.reasons.insert(reason);
                }
                // Such a case fails the test, and then the page is not written.
                Err(_) => {}
            }
        }
    }

    /// Writes the page; every checkpoint must have been tried.
    pub fn write(&self) {
        let mut text = String::from(HEAD);
        for family in families() {
            let own = self.counts.iter().filter(|((name, _), _)| *name == family);
            let own: Vec<_> = own.collect();
            let sum =
                |of: fn(&Count) -> usize| own.iter().map(|(_, count)| of(count)).sum::<usize>();
            let keys = own.iter().filter(|(_, count)| count.matters > 0).count();
            let worst = own
                .iter()
                .fold(0f64, |worst, (_, count)| worst.max(count.worst));
            writeln!(
                text,
                "| {} | {} | {keys} | {} | {} | {} | {} | {} | {worst:.1e} |",
                family,
                own.len(),
                sum(|c| c.cases),
                sum(|c| c.agree),
                sum(|c| c.both_refuse),
                sum(|c| c.refused),
                sum(|c| c.read),
            )
            .unwrap();
        }
        text += KEYS;
        let keys: BTreeSet<&str> = self.counts.keys().map(|(_, key)| key.as_str()).collect();
        let mut never = Vec::new();
        for key in keys {
            let own = self.counts.iter().filter(|((_, name), _)| name == key);
            let own: Vec<_> = own.collect();
            let matters = own.iter().filter(|(_, count)| count.matters > 0);
            let families: Vec<_> = matters.map(|((family, _), _)| *family).collect();
            if families.is_empty() {
                never.push(format!("`{key}`"));
                continue;
            }
            let cases: usize = own.iter().map(|(_, count)| count.cases).sum();
            let worst = own
                .iter()
                .fold(0f64, |worst, (_, count)| worst.max(count.worst));
            let families = families.join(", ");
            writeln!(text, "| `{key}` | {families} | {cases} | {worst:.1e} |").unwrap();
        }
        write!(text, "\nNothing changed with {}.\n", never.join(", ")).unwrap();
        text += REASONS;
        for (part, reason) in allowed::REFUSED {
            if self.reasons.contains(reason) {
                writeln!(text, "- {}: {reason}.", part.replace('`', "")).unwrap();
            }
        }
        text += READ;
        for read in allowed::READ {
            if self.reasons.contains(read.reason) {
                let what = if read.key.is_empty() {
                    read.part
                } else {
                    read.key
                };
                writeln!(
                    text,
                    "- `{}`: {}.",
                    what.trim_start_matches("= "),
                    read.reason
                )
                .unwrap();
            }
        }
        std::fs::write(path(), text).unwrap();
    }
}

/// The families, one of those that share their classes.
fn families() -> impl Iterator<Item = &'static str> {
    let shared = |at: &usize| {
        let before = &FAMILIES[..*at];
        before
            .iter()
            .any(|family| family.model_type == FAMILIES[*at].model_type)
    };
    let own = (0..FAMILIES.len()).filter(move |at| !shared(at));
    own.map(|at| FAMILIES[at].name)
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(PAGE)
}

/// Figures differ between machines, so only the families' names are compared.
pub fn is_complete() -> Result<(), String> {
    let text = std::fs::read_to_string(path()).map_err(|e| format!("{PAGE}: {e}"))?;
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let listed: BTreeSet<&str> = rows.filter_map(|row| row.split(" | ").next()).collect();
    let missing: Vec<_> = families().filter(|name| !listed.contains(name)).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{PAGE} lacks {}; FLUXO_WRITE_DOCS=1 with this test writes it",
            missing.join(", ")
        ))
    }
}

const HEAD: &str = "# Keys of config.json, measured

Every key of every family's configuration, left out, changed and contradicted by another: each
checkpoint of `tests/fixtures/hf` with its `config.json` changed as a file, read by transformers
(`tests/fixtures/make_config_keys.py`) and by Fluxo. Both give the same values within 1e-5, divided
by the output's largest magnitude where that is over 1, or Fluxo refuses the file and names the key.
\"Matter\" counts keys whose change changes transformers' result; \"both refuse\" counts files that
transformers does not read either, or makes up weights for.

A key that a file leaves out has the default of transformers' class for the family, and may go by
its other names (`models/src/config/keys.json`, written by the same script).

Written by `FLUXO_WRITE_DOCS=1 cargo test -p fluxo-tests --test config_keys`; figures differ a
little between machines.

| family | keys | matter | cases | agree | both refuse | refused by name | read all the same | worst |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
";

const KEYS: &str = "
## Keys that matter

| key | changes a result of | cases | worst |
|---|---|---:|---:|
";

const REASONS: &str = "
## Refused by name, though transformers reads it

";

const READ: &str = "
## Read, though transformers refuses it

";
