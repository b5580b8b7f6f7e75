//! Published weights into a network, and a network's weights as they are published.

pub mod report;
pub mod rule;
pub mod store;

pub(crate) mod guess;
mod layout;
mod names;
mod ours;
mod params;
mod ties;
pub mod unread;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::{DType, Device, TensorData};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;

use crate::error::{Error, Result};
use crate::families::{Class, Family};
use crate::network::{Network, NetworkConfig};
use crate::tensors::Tensors;
use layout::Joined;
use names::{Names, rule_of};
use ours::{Ours, Parameter};
use report::LoadReport;
use rule::{Found, Layout};
use store::Store;
use ties::Ties;

/// The file that holds the weights of a checkpoint of ours.
pub const WEIGHTS: &str = "model.safetensors";

/// Whether the tensor `name` is one of older checkpoints that holds no weights: a constant of the
/// architecture.
pub(super) fn is_constant(name: &str) -> bool {
    BUFFERS.iter().any(|buffer| name.ends_with(buffer))
}

/// How such names end.
const BUFFERS: [&str; 8] = [
    "position_ids",
    "attn.bias",
    "attn.masked_bias",
    "attention.bias",
    "attention.masked_bias",
    "embed_positions.weight",
    "rotary_emb.inv_freq",
    "token_type_ids",
];

/// What is loaded, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub family: &'a Family,
    pub class: &'a Class,
    pub dtype: DType,
    pub device: &'a Device,
    /// The part of the network that will run alone, where not all of it will.
    pub part: Option<&'a str>,
}

/// Builds the network of `config` with the weights in the folder `dir`. A pooler that the
/// checkpoint has no weights for is left out, and out of `config`, which then also says what is
/// tied by the weights' values. Weights that the wanted part
/// does not read stay unmade; a table of tokens, which is read whatever runs, is empty then.
///
/// # Errors
/// When a file is not whole, or a tensor is missing, misshapen, not a float or not finite.
pub(crate) fn load(
    dir: &Path,
    wanted: Wanted<'_>,
    config: &mut NetworkConfig,
) -> Result<(Network, LoadReport)> {
    let store = Store::open(dir)?;
    unread::refuse_packed(dir, &store)?;
    let mut report = LoadReport::default();
    let (mut network, mut plan) = Plan::of(config, wanted, &store)?;
    let pooler = plan.of_part("pooler.");
    if !pooler.is_empty() && plan.lacks("pooler.") == pooler {
        config.pooler = None;
        report.left_out.push("pooler: no weights".into());
        (network, plan) = Plan::of(config, wanted, &store)?;
    }
    let reader = Reader::of(config, wanted.part);
    let values = plan.read(&reader, &mut report)?;
    plan.settle(config, &mut report);
    let network = params::assign(network, values, wanted.device, wanted.dtype);
    Ok((network, report))
}

/// The network of `config` on `device` with fresh weights: the same for one `seed` on every
/// device, in every thread. Matrices are normal with deviation `initializer_range`; vectors are
/// what their modules start with.
pub(crate) fn fresh(config: &NetworkConfig, seed: u64, device: &Device) -> Network {
    let network = config.init(device);
    let mut random = StdRng::seed_from_u64(seed);
    let values = params::shapes(&network)
        .into_iter()
        .filter(|(_, shape)| shape.len() >= 2)
        .map(|(path, shape)| {
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|_| random.sample::<f64, _>(StandardNormal) * config.initializer_range)
                .map(|value| value as f32)
                .collect();
            (path, TensorData::new(values, shape))
        })
        .collect();
    params::assign(network, values, device, DType::F32)
}

/// `network` with `values` for the parameters at their paths, on `device` and in `dtype`.
pub(crate) fn assigned(
    network: Network,
    values: BTreeMap<String, TensorData>,
    device: &Device,
    dtype: DType,
) -> Network {
    params::assign(network, values, device, dtype)
}

/// A network's weights under their published names. In a model with a head the stacks' tensors
/// carry the family's prefix, as transformers has it. With a `config.json` that says `untied`,
/// transformers 5 has each stack read the table of its own name, so it is there under that too.
///
/// # Errors
/// When a parameter has no published name: a gap in the family's table.
pub(crate) fn published(
    network: &Network,
    family: &Family,
    class: &Class,
    untied: bool,
) -> Result<Tensors> {
    let ours = Ours::of(network);
    let values: BTreeMap<String, TensorData> = params::values(network)?.into_iter().collect();
    let mut tensors = Tensors::new();
    for number in 0..ours.len() {
        let path = &ours.get(number).plain;
        let (found, of_head) =
            rule_of(family, class, &ours, number).ok_or_else(|| no_name(family, path))?;
        let prefix = if of_head || class.is_bare() {
            ""
        } else {
            family.prefix
        };
        let name = format!("{prefix}{}", found.theirs);
        if tensors.contains_key(&name) {
            continue; // its other parts were there already
        }
        let parts = found.parts.iter().filter_map(|part| ours.find(part));
        let parts: Vec<&Parameter> = parts.map(|part| ours.get(part)).collect();
        let shapes = parts.iter().map(|part| part.shape.clone()).collect();
        let joined = Joined::new(found.layout, shapes, network.config().head_dim());
        let values = parts.iter().filter_map(|part| values.get(&part.path));
        let values = values.map(|data| {
            let values = data.as_slice::<f32>().map(<[f32]>::to_vec);
            values.map_err(|e| Error::Config(format!("{path}: {e}")))
        });
        let data = joined.put(&values.collect::<Result<Vec<_>>>()?);
        tensors.insert(name, TensorData::new(data, joined.shape()));
    }
    if untied && !family.ties.always {
        let prefix = if class.is_bare() { "" } else { family.prefix };
        for (own, shared) in ties::tables(family, network.config()) {
            let [own, shared] = [own, shared].map(|name| format!("{prefix}{name}"));
            if let Some(table) = tensors.get(&shared).cloned() {
                tensors.entry(own).or_insert(table);
            }
        }
    }
    Ok(tensors)
}

/// Where a table of tokens lies.
const TOKENS: &str = "embedding.token.weight";

/// What runs of a network, by what it reads.
enum Reader {
    /// All of it.
    All,
    /// What stands around the blocks.
    Around,
    /// One block, whose parameters' paths start with this.
    Block(String),
}

impl Reader {
    /// The part `part` of the network of `config`.
    fn of(config: &NetworkConfig, part: Option<&str>) -> Self {
        let Some(part) = part else {
            return Self::All;
        };
        let block = || {
            let (name, layer) = part.split_once(".layers.")?;
            let (_, stack) = config.stacks().find(|(known, _)| *known == name)?;
            let block = stack.block_of(layer.parse().ok()?);
            Some(format!("{name}.layers.{block}."))
        };
        block().map_or(Self::Around, Self::Block)
    }

    /// Whether it reads the parameter at `path`.
    fn reads(&self, path: &str) -> bool {
        let of_block = path.contains(".layers.");
        let of_head = ["pooler.", "head.", "image_head."]
            .iter()
            .any(|head| path.starts_with(head));
        match self {
            Self::All => true,
            Self::Around => !of_block || of_head,
            Self::Block(block) if of_block && !of_head => path.starts_with(block),
            // Positions, norms and biases of scores are small, and run whatever is asked for.
            Self::Block(_) => !of_head && !path.ends_with(TOKENS),
        }
    }
}

fn no_name(family: &Family, path: &str) -> Error {
    Error::Config(format!(
        "{} has no published name for `{path}`",
        family.name
    ))
}

/// Which published tensor gives which parameters.
struct Plan<'a> {
    store: &'a Store,
    names: Names<'a>,
    class: &'a Class,
    family: &'a Family,
    head_dim: usize,
    ours: Ours,
    ties: Ties,
}

impl<'a> Plan<'a> {
    /// The network of `config`, which is made to say what is tied, and where its weights are.
    ///
    /// # Errors
    /// When a tensor that may be tied cannot be read.
    fn of(
        config: &mut NetworkConfig,
        wanted: Wanted<'a>,
        store: &'a Store,
    ) -> Result<(Network, Self)> {
        let Wanted { family, class, .. } = wanted;
        let network = config.init(wanted.device);
        let mut names = Names::new(family, class, store, &Ours::of(&network));
        let ties = Ties::settle(&mut names, family, class, config)?;
        let network = if network.config() == config {
            network
        } else {
            config.init(wanted.device)
        };
        let plan = Self {
            store,
            names,
            class,
            family,
            head_dim: config.head_dim(),
            ours: Ours::of(&network),
            ties,
        };
        Ok((network, plan))
    }

    /// The numbers of the parameters whose paths start with `start`.
    fn of_part(&self, start: &str) -> Vec<usize> {
        let of = |number: &usize| self.ours.get(*number).path.starts_with(start);
        (0..self.ours.len()).filter(of).collect()
    }

    /// Those of them that the checkpoint does not have.
    fn lacks(&self, start: &str) -> Vec<usize> {
        let lacks = |number: &usize| match rule_of(self.family, self.class, &self.ours, *number) {
            Some((found, of_head)) => self.names.entry(&found.theirs, of_head).is_none(),
            None => true,
        };
        self.of_part(start).into_iter().filter(lacks).collect()
    }

    /// Reads every parameter that `reader` reads, by its path in the module.
    fn read(
        &self,
        reader: &Reader,
        report: &mut LoadReport,
    ) -> Result<BTreeMap<String, TensorData>> {
        report.prefix = self.names.foreign_prefix().map(str::to_string);
        let mut values = BTreeMap::new();
        let mut problems = Vec::new();
        for number in 0..self.ours.len() {
            let Parameter { path, shape, .. } = self.ours.get(number);
            report.parameters += shape.iter().product::<usize>();
            if values.contains_key(path) {
                continue; // it was published with another
            }
            if !reader.reads(path) {
                continue;
            }
            match self.read_joined(number, report) {
                Ok(parts) => values.extend(parts),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            return Ok(values);
        }
        problems.dedup();
        if problems.len() > 6 {
            let more = problems.len() - 5;
            problems.truncate(5);
            problems.push(format!("and {more} more"));
        }
        Err(Error::Weights {
            path: self.store.path().to_path_buf(),
            problems,
        })
    }

    /// Parameter number `number` and those that are published with it: path and values.
    fn read_joined(
        &self,
        number: usize,
        report: &mut LoadReport,
    ) -> std::result::Result<Vec<(String, TensorData)>, String> {
        let (found, of_head) = rule_of(self.family, self.class, &self.ours, number)
            .ok_or_else(|| no_name(self.family, &self.ours.get(number).plain).to_string())?;
        let Found {
            theirs,
            layout,
            parts,
        } = found;
        let (full, entry) = self.names.entry(&theirs, of_head).ok_or_else(|| {
            let untied = self.class.task.predicts_tokens()
                && self.ours.get(number).plain == "head.output.weight";
            let mend = match (of_head, untied) {
                (true, true) => {
                    ", and config.json does not tie it to the token embedding; where it is tied, \
                     add `\"tie_word_embeddings\": true` there; or choose another head with --task"
                }
                (true, false) => " (the checkpoint has no such head; choose another with --task)",
                (false, _) => "",
            };
            format!("tensor `{theirs}` is missing{mend}")
        })?;
        let parts = parts.iter().filter_map(|part| self.ours.find(part));
        let parts: Vec<&Parameter> = parts.map(|part| self.ours.get(part)).collect();
        let shapes = parts.iter().map(|part| part.shape.clone()).collect();
        let joined = Joined::new(layout, shapes, self.head_dim);
        let wanted = joined.shape();
        if entry.shape() != wanted {
            return Err(format!(
                "tensor `{full}` is {:?}, and config.json asks for {wanted:?}",
                entry.shape()
            ));
        }
        let stored = entry.dtype();
        if !stored.is_float() {
            return Err(format!("tensor `{full}` holds {stored:?}, not floats"));
        }
        let mut values = joined.empty();
        let mut broken = None;
        let read = entry.read(&mut |first, piece: &[f32]| {
            if let Some(at) = piece.iter().position(|value| !value.is_finite()) {
                broken.get_or_insert((first + at, piece[at]));
            }
            joined.take(first, piece, &mut values);
        });
        read.map_err(|e| format!("tensor `{full}`: {e}"))?;
        if let Some((at, value)) = broken {
            return Err(format!("tensor `{full}` holds {value} at {at}"));
        }
        match layout {
            Layout::Linear | Layout::LinearByHead if entry.shape().len() == 2 => {
                report.transposed.push(full.clone());
            }
            _ => {}
        }
        if parts.len() > 1 {
            report.split.push(full.clone());
        }
        if stored != DType::F32 {
            report.converted.push(format!("{full} ({stored:?})"));
        }
        report.used.push(full);
        let parts = parts.into_iter().zip(values).map(|(part, values)| {
            let data = TensorData::new(values, part.shape.clone());
            (part.path.clone(), data)
        });
        Ok(parts.collect())
    }

    /// Sorts what was not read into what is the same as something read, and the rest.
    fn settle(&self, config: &NetworkConfig, report: &mut LoadReport) {
        if config.is_tied() {
            report.tied.push("head = token embedding".to_string());
        }
        let used: BTreeSet<&str> = report.used.iter().map(String::as_str).collect();
        for name in self.store.names().filter(|name| !used.contains(name)) {
            if let Some((_, other)) = self.ties.equal.iter().find(|(equal, _)| equal == name) {
                report.tied.push(format!("{name} (equal to {other})"));
                continue;
            }
            let kind = if is_constant(name) {
                " (a constant)"
            } else {
                ""
            };
            report.unused.push(format!("{name}{kind}"));
        }
        report.untied.extend(self.ties.differing.iter().cloned());
        report.left_out.extend(self.ties.absent.iter().cloned());
    }
}
