//! Under which names a checkpoint has a family's tensors.

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
        if let Some(name) = known.first() {
            let before = |full: &str| full.strip_suffix(name.as_str()).map(str::to_string);
            candidates.extend(store.names().filter_map(before));
        }
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
        }
    }

    /// The prefix, where it is not what the family has.
    pub fn foreign_prefix(&self) -> Option<&str> {
        let known = self.base.is_empty() || self.base == self.family.prefix;
        (!known).then_some(&self.base)
    }

    /// The checkpoint's tensor for a name of the family's, or of its head's.
    pub fn entry(&self, theirs: &str, of_head: bool) -> Option<(String, &'a Entry)> {
        let prefixes = match of_head {
            true => self.head.as_slice(),
            false => std::slice::from_ref(&self.base),
        };
        prefixes.iter().find_map(|prefix| {
            spellings(theirs).find_map(|name| {
                let name = format!("{prefix}{name}");
                self.store.get(&name).map(|entry| (name, entry))
            })
        })
    }
}

/// A name, and what it was in checkpoints of TensorFlow's days.
fn spellings(name: &str) -> impl Iterator<Item = String> {
    let older = |new: &str, old: &str| name.strip_suffix(new).map(|start| format!("{start}{old}"));
    let gamma = older("LayerNorm.weight", "LayerNorm.gamma");
    let beta = older("LayerNorm.bias", "LayerNorm.beta");
    std::iter::once(name.to_string()).chain(gamma).chain(beta)
}
