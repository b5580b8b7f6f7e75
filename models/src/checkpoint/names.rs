//! Under which names a checkpoint has a family's tensors.

use std::collections::BTreeMap;

use super::Ours;
use super::rule::{self, Found};
use super::store::{Entry, Store};
use crate::families::{Class, Family};

/// Where our parameter number `index` is published, and whether that is a head's name.
pub(super) fn rule_of(
    family: &Family,
    class: &Class,
    ours: &Ours,
    index: usize,
) -> Option<(Found, bool)> {
    let has = |name: &str| ours.find(name).is_some();
    let both = ours.names(index);
    let by = |rules| both.iter().find_map(|name| rule::find(rules, name, has));
    by(class.head)
        .map(|found| (found, true))
        .or_else(|| by(family.tensors).map(|found| (found, false)))
}

/// What stands before a family's names in one checkpoint.
pub(super) struct Names<'a> {
    family: &'a Family,
    store: &'a Store,
    /// Before the names of the stacks' tensors.
    base: String,
    /// Before the names of a head's.
    head: Vec<String>,
    /// What newer files leave out at the start of the names.
    omits: &'static str,
    /// Names of the family's whose tensors are stored under another, in full.
    elsewhere: BTreeMap<String, String>,
}

impl<'a> Names<'a> {
    /// Looks at how `store` names the tensors of `class`.
    pub fn new(family: &'a Family, class: &'a Class, store: &'a Store, ours: &Ours) -> Self {
        let known: Vec<String> = (0..ours.len())
            .filter_map(|index| rule_of(family, class, ours, index))
            .filter(|(_, of_head)| !of_head)
            .map(|(found, _)| found.theirs)
            .collect();
        let mut candidates = vec![family.prefix.to_string(), String::new()];
        // By the first name that is there: a tied table may be stored under another.
        let before = |name: &String| -> Vec<String> {
            let before = |full: &str| full.strip_suffix(name.as_str()).map(str::to_string);
            store.names().filter_map(before).collect()
        };
        let found = known.iter().map(before).find(|found| !found.is_empty());
        candidates.extend(found.unwrap_or_default());
        // The prefix that most names have; of equals the first.
        let count = |prefix: &String| {
            let there = |name: &&String| store.get(&format!("{prefix}{name}")).is_some();
            known.iter().filter(there).count()
        };
        let base = candidates
            .into_iter()
            .rev()
            .max_by_key(count)
            .unwrap_or_default();
        let outer = base.strip_suffix(family.prefix).unwrap_or(&base);
        Self {
            family,
            store,
            head: vec![String::new(), outer.to_string(), base.clone()],
            base,
            omits: class.omits,
            elsewhere: BTreeMap::new(),
        }
    }

    /// From now on the tensor `theirs` is the one that is stored as `full`.
    pub fn is_at(&mut self, theirs: &str, full: &str) {
        self.elsewhere.insert(theirs.to_string(), full.to_string());
    }

    /// The prefix, where it is not what the family has.
    pub fn foreign_prefix(&self) -> Option<&str> {
        let known = self.base.is_empty() || self.base == self.family.prefix;
        (!known).then_some(&self.base)
    }

    /// The tensor that is stored as `full`.
    pub fn stored(&self, full: &str) -> Option<(String, &'a Entry)> {
        let entry = self.store.get(full)?;
        Some((full.to_string(), entry))
    }

    /// The checkpoint's tensor for a name of the family's, or of its head's.
    pub fn entry(&self, theirs: &str, of_head: bool) -> Option<(String, &'a Entry)> {
        if let Some(full) = self.elsewhere.get(theirs) {
            return self.store.get(full).map(|entry| (full.clone(), entry));
        }
        let prefixes = if of_head {
            self.head.as_slice()
        } else {
            std::slice::from_ref(&self.base)
        };
        let shorter = theirs.strip_prefix(self.omits).unwrap_or(theirs);
        [theirs, shorter].into_iter().find_map(|theirs| {
            prefixes.iter().find_map(|prefix| {
                spellings(theirs).find_map(|name| self.stored(&format!("{prefix}{name}")))
            })
        })
    }
}

/// Under which names a tensor may be stored, the one that counts first: what it was in checkpoints
/// of TensorFlow's days; the bias of a layer that BERT's kin have a second time beside the layer,
/// which reads its own (`BertLMPredictionHead`); what transformers 5 calls GPT-NeoX's head.
fn spellings(name: &str) -> impl Iterator<Item = String> {
    let ending = |new: &str, other: &str| {
        let start = name.strip_suffix(new)?;
        Some(format!("{start}{other}"))
    };
    let of_layer = if name.ends_with(".decoder.bias") {
        None
    } else {
        ending(".bias", ".decoder.bias")
    };
    let others = [
        ending("LayerNorm.weight", "LayerNorm.gamma"),
        ending("LayerNorm.bias", "LayerNorm.beta"),
        ending(".decoder.bias", ".bias"),
        ending("embed_out.weight", "lm_head.weight"),
    ];
    let names = of_layer.into_iter().chain([name.to_string()]);
    names.chain(others.into_iter().flatten())
}
