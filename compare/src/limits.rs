//! What an ONNX file has rows for: tokens, and positions. A runtime that is asked for more panics,
//! reads what is not its own, or says that an index of some node is out of bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::TensorData;
use fluxo_models::catalog::Description;
use fluxo_models::config::Raw;
use fluxo_models::model::CONFIG;
use fluxo_models::stack::StackConfig;
use fluxo_models::{NetworkConfig, Task, Tensors};

use crate::error::{Error, Result};
use crate::exported::TASK;
use crate::inputs::{integers, past};
use crate::signature::Signature;

/// The key of the configuration in a file's metadata.
const METADATA: &str = "fluxo.config";
/// Operations that hand on the numbers that they are given.
const PASSING: [&str; 7] = [
    "Cast",
    "Flatten",
    "Identity",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// What a file has rows for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Limits {
    /// How many rows the table has that each input looks up, by the input's name.
    rows: BTreeMap<String, usize>,
    /// How many positions the model has, where it has a table of them.
    positions: Option<Positions>,
}

#[derive(Debug, Clone, PartialEq)]
struct Positions {
    count: usize,
    /// Whether those that the mask hides are not counted.
    kept_only: bool,
}

/// A node of a file's graph, and of those within it.
#[derive(Debug)]
pub(crate) struct Node {
    pub kind: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    /// Where it has one.
    pub axis: i64,
}

impl Limits {
    /// By the tables of `shapes` that `nodes` look up numbers of the inputs `names` in.
    pub fn of_graph(names: &[&str], nodes: &[Node], shapes: &BTreeMap<String, Vec<usize>>) -> Self {
        // Which input's numbers a value holds.
        let mut of: BTreeMap<&str, &str> = names.iter().map(|name| (*name, *name)).collect();
        let mut rows: BTreeMap<String, usize> = BTreeMap::new();
        for node in nodes {
            let first = node.inputs.first().map_or("", String::as_str);
            if PASSING.contains(&node.kind.as_str())
                && let Some(input) = of.get(first).copied()
            {
                of.extend(node.outputs.iter().map(|output| (output.as_str(), input)));
            }
            let [table, numbers] = node.inputs.as_slice() else {
                continue;
            };
            let looked_up = node.kind == "Gather" && node.axis == 0;
            let Some(input) = of.get(numbers.as_str()).filter(|_| looked_up) else {
                continue;
            };
            if let Some(&[count, _]) = shapes.get(table).map(Vec::as_slice) {
                let least = rows.entry(input.to_string()).or_insert(count);
                *least = count.min(*least);
            }
        }
        Self {
            rows,
            positions: None,
        }
    }

    /// These, and the positions that the configuration has which the file at `path` carries, or
    /// which lies beside it.
    pub fn with_positions(
        mut self,
        path: &Path,
        about: &BTreeMap<String, String>,
        inputs: &BTreeSet<&str>,
    ) -> Self {
        let config = about
            .get(METADATA)
            .and_then(|text| Some(Raw(serde_json::from_str(text).ok()?)))
            .or_else(|| {
                let folders = path.ancestors().skip(1).take(2);
                let mut files = folders.map(|folder| folder.join(CONFIG));
                Raw::read(&files.find(|file| file.is_file())?).ok()
            });
        let task = about.get(TASK).and_then(|task| task.parse::<Task>().ok());
        let config = config.and_then(|raw| Some(Description::of(raw, task).ok()?.config));
        self.positions = config.and_then(|config| positions(&config, inputs));
        self
    }

    /// Refuses inputs that the file has no rows for, in the name of `runner`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], which names the token and where it stands, or how many positions
    /// there would be.
    pub fn check(&self, runner: &str, inputs: &Tensors) -> Result<()> {
        let refuse = |reason| {
            Err(Error::OutOfRange {
                runner: runner.to_string(),
                reason,
            })
        };
        for (name, &count) in &self.rows {
            let Some(data) = inputs.get(name) else {
                continue;
            };
            let numbers = integers(name, data)?;
            let wrong = |number: &i64| !(0..count as i64).contains(number);
            if let Some(at) = numbers.iter().position(wrong) {
                return refuse(format!(
                    "`{name}` holds {} at {}, and the file has {count} of them, numbered from 0 \
                     to {}",
                    numbers[at],
                    place(data, at),
                    count.saturating_sub(1)
                ));
            }
        }
        let longest = self
            .positions
            .as_ref()
            .zip(longest(inputs, self.kept_only())?);
        match longest {
            Some((Positions { count, .. }, asked)) if asked > *count => refuse(format!(
                "the sequence has {asked} positions, and the model has {count}; shorten it"
            )),
            _ => Ok(()),
        }
    }

    fn kept_only(&self) -> bool {
        self.positions
            .as_ref()
            .is_some_and(|positions| positions.kept_only)
    }
}

/// The positions of the stack that reads the `input_ids` among `inputs`.
fn positions(config: &NetworkConfig, inputs: &BTreeSet<&str>) -> Option<Positions> {
    let writes = !config.encodes_and_decodes() || inputs.contains("encoder_hidden_states");
    let decoder = config.decoder.as_ref().filter(|_| writes);
    let stack: &StackConfig = decoder.or(config.encoder.as_ref())?;
    let table = stack.tokens()?.position?;
    Some(Positions {
        count: table.positions(),
        kept_only: decoder.is_some(),
    })
}

/// Positions of the longest row; those that are hidden left out where `kept_only`.
fn longest(inputs: &Tensors, kept_only: bool) -> Result<Option<usize>> {
    let Some(&[_, seq]) = inputs.get("input_ids").map(|ids| ids.shape().as_slice()) else {
        return Ok(None);
    };
    let all = past(inputs) + seq;
    let name = "attention_mask";
    match inputs.get(name).filter(|_| kept_only) {
        Some(mask) if all > 0 => {
            let kept = integers(name, mask)?;
            let rows = kept
                .chunks(all)
                .map(|row| row.iter().filter(|&&k| k != 0).count());
            Ok(rows.max())
        }
        _ => Ok(Some(all)),
    }
}

/// Element `at` of `data` by its indices.
fn place(data: &TensorData, at: usize) -> String {
    let mut rest = at;
    let shape = data.shape().as_slice();
    let mut indices: Vec<String> = shape
        .iter()
        .rev()
        .map(|size| {
            let index = rest % size;
            rest /= size;
            index.to_string()
        })
        .collect();
    indices.reverse();
    match indices.as_slice() {
        [row, position] => format!("position {position} of row {row}"),
        _ => format!("[{}]", indices.join(", ")),
    }
}

impl Signature {
    /// Exactly the inputs that the file declares ([`crate::inputs::complete`]), none of which it
    /// has no rows for; `runner` is to run it.
    ///
    /// # Errors
    /// As that, and [`Error::OutOfRange`].
    pub(crate) fn taken(&self, runner: &str, inputs: &Tensors) -> Result<Tensors> {
        let complete = crate::inputs::complete(self, inputs)?;
        self.limits.check(runner, &complete)?;
        Ok(complete)
    }
}
