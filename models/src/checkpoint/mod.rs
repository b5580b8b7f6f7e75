//! Published weights into a network, and a network's weights as they are published.

pub mod report;
pub mod rule;

mod params;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::{Device, TensorData};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use safetensors::SafeTensors;

use crate::error::{Error, Result};
use crate::families::Family;
use crate::files;
use crate::network::{Head, Network, NetworkConfig};
use crate::tensors::{self, Tensors};
use report::LoadReport;
use rule::{Layout, Rule};

/// The file that holds a checkpoint's weights.
pub const WEIGHTS: &str = "model.safetensors";

/// Tensors of older checkpoints that hold no weights: constants of the architecture.
const BUFFERS: [&str; 5] = [
    "position_ids",
    "attn.bias",
    "attn.masked_bias",
    "rotary_emb.inv_freq",
    "token_type_ids",
];

/// Builds the network of `config` on `device` with the weights in `path`.
///
/// # Errors
/// When the file is not whole, or a tensor is missing, misshapen, not a float or not finite.
pub fn load(
    path: &Path,
    family: &Family,
    config: &NetworkConfig,
    device: &Device,
) -> Result<(Network, LoadReport)> {
    let map = files::map(path)?;
    let file = tensors::parse(path, &map)?;
    let network = config.init(device);
    let mut source = Source::new(family, &file);
    let mut report = LoadReport::default();
    let mut problems = Vec::new();
    let mut values = BTreeMap::new();
    for (ours, shape) in params::shapes(&network) {
        report.parameters += shape.iter().product::<usize>();
        match source.read(&ours, &shape, &mut report) {
            Ok(data) => {
                values.insert(ours, data);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        problems.dedup();
        if problems.len() > 6 {
            let more = problems.len() - 5;
            problems.truncate(5);
            problems.push(format!("and {more} more"));
        }
        return Err(Error::Weights {
            path: path.to_path_buf(),
            problems,
        });
    }
    source.settle(config, &mut report);
    Ok((params::assign(network, values, device), report))
}

/// The network of `config` on `device` with fresh weights: the same for one `seed` on every
/// device, in every thread. Matrices are normal with deviation `initializer_range`; gains are 1
/// and biases 0.
pub fn fresh(config: &NetworkConfig, seed: u64, device: &Device) -> Network {
    let network = config.init(device);
    let mut random = StdRng::seed_from_u64(seed);
    let values = params::shapes(&network)
        .into_iter()
        .filter(|(_, shape)| shape.len() == 2)
        .map(|(path, shape)| {
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|_| random.sample::<f64, _>(StandardNormal) * config.initializer_range)
                .map(|value| value as f32)
                .collect();
            (path, TensorData::new(values, shape))
        })
        .collect();
    params::assign(network, values, device)
}

/// A network's weights under their published names. Beside a head the others carry the
/// family's prefix, as transformers has it.
///
/// # Errors
/// When a parameter has no published name: a gap in the family's table.
pub fn published(network: &Network, family: &Family, head: Head) -> Result<Tensors> {
    let mut assembled: BTreeMap<String, (Vec<usize>, Vec<f32>)> = BTreeMap::new();
    for (ours, data) in params::values(network)? {
        let (rule, theirs) = lookup(family, &ours).map_err(Error::Config)?;
        let shape = data.shape().to_vec();
        let values = data
            .as_slice::<f32>()
            .map_err(|e| Error::Config(format!("{ours}: {e}")))?;
        let (_, published) = assembled
            .entry(match theirs.starts_with("lm_head.") || head == Head::None {
                true => theirs,
                false => format!("{}{theirs}", family.prefix),
            })
            .or_insert_with(|| {
                let shape = rule.layout.published_shape(&shape);
                let zeros = vec![0.0; shape.iter().product()];
                (shape, zeros)
            });
        rule.layout.put(values, &shape, published);
    }
    Ok(assembled
        .into_iter()
        .map(|(name, (shape, values))| (name, TensorData::new(values, shape)))
        .collect())
}

fn lookup(family: &Family, ours: &str) -> std::result::Result<(Rule, String), String> {
    rule::find(family.tensors, ours)
        .ok_or_else(|| format!("{} has no published name for `{ours}`", family.name))
}

/// A checkpoint's tensors, and which of them were asked for.
struct Source<'a> {
    family: &'a Family,
    file: &'a SafeTensors<'a>,
    read: BTreeSet<String>,
}

impl<'a> Source<'a> {
    fn new(family: &'a Family, file: &'a SafeTensors<'a>) -> Self {
        Self {
            family,
            file,
            read: BTreeSet::new(),
        }
    }

    /// Our parameter `ours` of shape `shape`, or what is wrong with its tensor.
    fn read(
        &mut self,
        ours: &str,
        shape: &[usize],
        report: &mut LoadReport,
    ) -> std::result::Result<TensorData, String> {
        let (rule, theirs) = lookup(self.family, ours)?;
        let prefixed = format!("{}{theirs}", self.family.prefix);
        let (name, view) = [prefixed, theirs.clone()]
            .into_iter()
            .find_map(|name| self.file.tensor(&name).ok().map(|view| (name, view)))
            .ok_or_else(|| format!("tensor `{theirs}` is missing"))?;
        let wanted = rule.layout.published_shape(shape);
        if view.shape() != wanted {
            return Err(format!(
                "tensor `{name}` is {:?}, and config.json asks for {wanted:?}",
                view.shape()
            ));
        }
        let data = tensors::to_data(&view).map_err(|e| format!("tensor `{name}`: {e}"))?;
        if !data.dtype().is_float() {
            return Err(format!(
                "tensor `{name}` holds {:?}, not floats",
                data.dtype()
            ));
        }
        let stored = data.dtype();
        let data = data.convert::<f32>();
        let values = data
            .as_slice::<f32>()
            .map_err(|e| format!("tensor `{name}`: {e}"))?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(format!("tensor `{name}` holds {} at {at}", values[at]));
        }
        let values = rule.layout.take(values, shape);
        if self.read.insert(name.clone()) {
            match rule.layout {
                Layout::Same => {}
                Layout::Transposed => report.transposed.push(name.clone()),
                Layout::Column { .. } => report.split.push(name.clone()),
            }
            if stored != burn::tensor::DType::F32 {
                report.converted.push(format!("{name} ({stored:?})"));
            }
            report.used.push(name);
        }
        Ok(TensorData::new(values, shape.to_vec()))
    }

    /// Sorts what was not read into tied copies and the rest.
    fn settle(&self, config: &NetworkConfig, report: &mut LoadReport) {
        if config.head == Head::Tied {
            report
                .tied
                .push("lm_head.weight = token embedding".to_string());
        }
        for name in self.file.names() {
            if self.read.contains(name) || (config.head == Head::Tied && name == "lm_head.weight") {
                continue;
            }
            let kind = match BUFFERS.iter().any(|buffer| name.ends_with(buffer)) {
                true => " (a constant)",
                false => "",
            };
            report.unused.push(format!("{name}{kind}"));
        }
    }
}
