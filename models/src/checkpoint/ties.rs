//! Which of a checkpoint's tensors are one: by their values, not by what `config.json` says.
//!
//! As `PreTrainedModel.tie_weights` of transformers 5 has it: whatever reads the table of tokens
//! or is tied to it (a stack's embedding, the output layer) has the tensor of its own where one is
//! stored whose values differ; without one it has the shared table, under whichever of the tied
//! names that is stored.

use super::TOKENS;
use super::names::Names;
use super::rule::{self, Layout, Rule};
use super::store::Entry;
use crate::error::Result;
use crate::families::{Class, Family};
use crate::head::OutputConfig;
use crate::network::NetworkConfig;
use crate::stack::InputConfig;

/// What was found of a checkpoint's ties.
#[derive(Debug, Default)]
pub(super) struct Ties {
    /// Stored tensors that need not be read, and the one that each equals.
    pub equal: Vec<(String, String)>,
    /// What `config.json` ties and is not the same.
    pub differing: Vec<String>,
    /// What is not stored, and adds nothing.
    pub absent: Vec<String>,
}

/// A stored tensor: its name and where it is.
type Stored<'a> = (String, &'a Entry);

impl Ties {
    /// Finds out what is tied in the checkpoint that `names` looks at, and has `config` and
    /// `names` say so.
    ///
    /// # Errors
    /// When a tensor cannot be read.
    pub fn settle(
        names: &mut Names<'_>,
        family: &Family,
        class: &Class,
        config: &mut NetworkConfig,
    ) -> Result<Self> {
        let mut ties = Self::default();
        let output = output_of(class).filter(|_| config.head.is_some());
        let untied = output.is_some() && untied(family, config);
        if let Some(source) = source(names, family, untied) {
            let table = ties.tables(names, family, config, &source)?;
            if untied {
                ties.differing.clear(); // as it says
            }
            if let (Some(output), Some(table)) = (&output, table) {
                ties.output(names, family, config, output, [table, source])?;
            }
        }
        if output.is_some() {
            ties.bias(names, class, config)?;
        }
        Ok(ties)
    }

    /// Gives each stack its table; the table of the last is what the output layer may be tied to.
    fn tables<'a>(
        &mut self,
        names: &mut Names<'a>,
        family: &Family,
        config: &mut NetworkConfig,
        source: &Stored<'a>,
    ) -> Result<Option<Stored<'a>>> {
        let stacks = config
            .stacks()
            .filter(|(_, stack)| stack.tokens().is_some());
        let stacks: Vec<_> = stacks.map(|(name, _)| name).collect();
        let mut table: Option<Stored<'_>> = None;
        for stack in stacks {
            let name = own_table(family, stack);
            let stored = name.as_deref().and_then(|name| names.entry(name, false));
            let own = stored.unwrap_or_else(|| source.clone());
            match &table {
                None => {
                    self.same(&own, source)?;
                    if let Some(shared) = table_of(family, stack) {
                        names.is_at(&shared, &own.0);
                    }
                }
                Some(first) => {
                    if self.same(first, &own)? {
                        continue;
                    }
                    self.differing
                        .push(format!("{} differs from {}: each is read", own.0, first.0));
                    if let Some(name) = &name {
                        names.is_at(name, &own.0);
                    }
                    lend_nothing(config, stack);
                }
            }
            table = Some(own);
        }
        Ok(table)
    }

    /// Ties the output layer, published as `output`, to the table where the two are the same.
    fn output<'a>(
        &mut self,
        names: &mut Names<'a>,
        family: &Family,
        config: &mut NetworkConfig,
        output: &str,
        [table, source]: [Stored<'a>; 2],
    ) -> Result<()> {
        let size = config.vocab_size();
        let Some(head) = &mut config.head else {
            return Ok(());
        };
        let stored = names.entry(output, true);
        match head.output {
            OutputConfig::Tied { bias } => {
                let own = stored.unwrap_or(source);
                if !self.same(&table, &own)? {
                    self.differing.push(format!(
                        "{} differs from {}: the output layer has weights of its own",
                        own.0, table.0
                    ));
                    names.is_at(output, &own.0);
                    head.output = OutputConfig::Linear { size, bias };
                }
            }
            // Nothing but the table can be meant.
            OutputConfig::Linear { bias, .. } if family.ties.always && stored.is_none() => {
                if self.same(&table, &source)? {
                    head.output = OutputConfig::Tied { bias }
                } else {
                    names.is_at(output, &source.0)
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What is added to the output: BERT's kin store it twice, BART's need not store it.
    fn bias(&mut self, names: &Names<'_>, class: &Class, config: &mut NetworkConfig) -> Result<()> {
        let Some(head) = &mut config.head else {
            return Ok(());
        };
        let (path, bias) = match &mut head.output {
            OutputConfig::Tied { bias } => ("head.bias", bias),
            OutputConfig::Linear { bias, .. } => ("head.output.bias", bias),
            OutputConfig::None => return Ok(()),
        };
        let Some(found) = rule::find(class.head, path, |_| false).filter(|_| *bias) else {
            return Ok(());
        };
        match names.entry(&found.theirs, true) {
            Some(read) => {
                let twin = read.0.strip_suffix(".decoder.bias");
                let twin = twin.and_then(|start| names.stored(&format!("{start}.bias")));
                if let Some(twin) = twin {
                    self.same(&read, &twin)?;
                }
            }
            None if found.layout == Layout::Row => {
                self.absent.push(format!("{}: all 0", found.theirs));
                *bias = false;
            }
            None => {}
        }
        Ok(())
    }

    /// Whether the values of the two are the same; if so, those of `other` need not be read.
    fn same(&mut self, read: &Stored<'_>, other: &Stored<'_>) -> Result<bool> {
        if read.0 == other.0 {
            return Ok(true);
        }
        let same = read.1.equals(other.1)?;
        if same {
            self.equal.push((other.0.clone(), read.0.clone()));
        }
        Ok(same)
    }
}

/// The name of each stack's own table, and of the shared one, where the family has both.
pub(super) fn tables(family: &Family, config: &NetworkConfig) -> Vec<(String, String)> {
    let stacks = config
        .stacks()
        .filter(|(_, stack)| stack.tokens().is_some());
    let names = stacks.filter_map(|(stack, _)| {
        let shared = table_of(family, "encoder")?;
        Some((own_table(family, stack)?, shared))
    });
    names.collect()
}

/// Whether the output layer is not tied, whatever the weights are.
fn untied(family: &Family, config: &NetworkConfig) -> bool {
    let output = config.head.as_ref().map(|head| head.output);
    matches!(output, Some(OutputConfig::Linear { .. })) && !family.ties.always
}

/// The table of tokens that is everybody's who has none: the shared one, or the first that is
/// stored of those tied to it, output layers among them but for an `untied` one.
fn source<'a>(names: &Names<'a>, family: &Family, untied: bool) -> Option<Stored<'a>> {
    let stacks = ["encoder", "decoder"];
    let shared = stacks.iter().filter_map(|stack| table_of(family, stack));
    let own = stacks.iter().filter_map(|stack| own_table(family, stack));
    let tables: Vec<_> = shared.chain(own).collect();
    let outputs = family.classes.iter().filter(|_| !untied);
    let outputs: Vec<_> = outputs.filter_map(output_of).collect();
    let table = tables.iter().find_map(|name| names.entry(name, false));
    table.or_else(|| outputs.iter().find_map(|name| names.entry(name, true)))
}

/// What the family publishes the table of tokens that `stack` reads as.
fn table_of(family: &Family, stack: &str) -> Option<String> {
    let paths = [format!("{stack}.{TOKENS}"), TOKENS.to_string()];
    let found = |path: &String| rule::find(family.tensors, path, |_| false);
    paths.iter().find_map(found).map(|found| found.theirs)
}

/// The same for a table of its own, beside the shared one.
fn own_table(family: &Family, stack: &str) -> Option<String> {
    family.ties.table.map(|name| name.replace("{s}", stack))
}

/// What a class that predicts tokens publishes the weights of its output layer as.
fn output_of(class: &Class) -> Option<String> {
    let rules: &[Rule] = class.task.predicts_tokens().then_some(class.head)?;
    rule::find(rules, "head.output.weight", |_| false).map(|found| found.theirs)
}

/// `stack` has a table of its own.
fn lend_nothing(config: &mut NetworkConfig, stack: &str) {
    let stack = match stack {
        "encoder" => &mut config.encoder,
        _ => &mut config.decoder,
    };
    if let Some(stack) = stack
        && let InputConfig::Tokens(tokens) = &mut stack.input
    {
        tokens.borrowed = false;
    }
}
