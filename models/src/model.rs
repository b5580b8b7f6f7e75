//! A model: a network, where it came from, and how it reads text.

mod carried;
mod loading;

use std::collections::HashMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use fluxo_backends::kernels;
use serde_json::Value;

use crate::batch::Batch;
use crate::blocks::probe::{ModuleIo, Probe};
use crate::blocks::taps::Taps;
use crate::catalog::{self, Description};
use crate::checkpoint;
use crate::config::RawConfig;
use crate::error::{Error, Result};
use crate::families::{Class, Family, Preset};
use crate::files;
use crate::inputs;
use crate::named::{AnyRank, Named};
use crate::network::{Network, NetworkConfig};
use crate::task::Task;
use crate::tensors::{self, Tensors};
use crate::text::Text;
use carried::Carried;

pub use crate::config::CONFIG;
/// The tokenizer of a checkpoint.
pub const TOKENIZER: &str = "tokenizer.json";
/// The key of `config.json` that says how a model of ours reads text.
const TEXT_KEY: &str = "fluxo_text";
/// Keys of `config.json` that every family may have: how many labels there are, and their names.
const LABEL_KEYS: [&str; 3] = ["num_labels", "id2label", "label2id"];

/// What a new model is made of.
#[derive(Debug, Clone, Default)]
pub struct NewModelOptions {
    /// Sizes to start from.
    pub preset: Preset,
    /// Keys of `config.json` and the values to set them to.
    pub set: Vec<(String, String)>,
    /// The head; the family's first where it is `None`.
    pub task: Option<Task>,
}

/// What a run gives beside its outputs.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutputOptions {
    /// `hidden_states.{i}`, as transformers has them.
    pub hidden_states: bool,
    /// Every tap of every layer.
    pub taps: bool,
}

/// Gives float parameters another element type, or that which the configuration keeps them in.
struct Retyped<'a> {
    config: &'a NetworkConfig,
    dtype: DType,
    path: Vec<String>,
}

impl ModuleMapper for Retyped<'_> {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let dtype = self.config.dtype_of(&self.path.join("."), self.dtype);
        let (id, value, mapper) = param.consume();
        Param::from_mapped_value(id, value.cast(dtype), mapper)
    }
}

/// A model of the zoo.
#[derive(Debug, Clone)]
pub struct Model {
    /// The weights.
    pub network: Network,
    family: &'static Family,
    class: &'static Class,
    config: NetworkConfig,
    raw: RawConfig,
    text: Option<Text>,
    dtype: DType,
    carried: Vec<Carried>,
}

impl Model {
    /// A model of `family` with fresh weights, the same on every device for one `seed`.
    ///
    /// # Errors
    /// When the family, or a key that is set, is unknown, or the sizes do not fit together.
    pub fn new(
        family: &str,
        settings: &NewModelOptions,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let family = catalog::family(family)?;
        let mut map = (family.preset)(settings.preset);
        for (key, value) in &settings.set {
            if !map.contains_key(key) && !LABEL_KEYS.contains(&key.as_str()) {
                let known: Vec<_> = map.keys().map(String::as_str).collect();
                return Err(Error::Config(format!(
                    "{} has no `{key}`; it has: {}",
                    family.name,
                    known.join(", ")
                )));
            }
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value.as_str()));
            map.insert(key.clone(), value);
        }
        let Description {
            raw,
            family,
            class,
            config,
            ..
        } = Description::of(RawConfig(map), settings.task)?;
        Ok(Self {
            network: checkpoint::fresh(&config, seed, device),
            family,
            class,
            config,
            raw,
            text: None,
            dtype: DType::F32,
            carried: Vec::new(),
        })
    }

    /// Writes the model as a checkpoint in the published layout: `config.json`,
    /// `model.safetensors` and the files of its tokenizer, where it has one.
    ///
    /// # Errors
    /// When the folder cannot be written. Each file is whole or as it was.
    pub fn save(&self, dir: &Path) -> Result<()> {
        files::make_folder(dir)?;
        let untied = catalog::says_untied(&self.raw)?;
        let weights = checkpoint::published(&self.network, self.family, self.class, untied)?;
        let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
        tensors::write_with(&dir.join(checkpoint::WEIGHTS), &weights, Some(metadata))?;
        self.save_config(dir)
    }

    /// Writes `config.json`, the files of the tokenizer, where the model has one, and what else
    /// its checkpoint says of writing, seeing and hearing.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save_config(&self, dir: &Path) -> Result<()> {
        let text = self.text.as_ref().map(Text::files).unwrap_or_default();
        let text = text
            .iter()
            .filter_map(|path| Some((path, Path::new(path.file_name()?))));
        let carried = self.carried.iter();
        for (from, name) in text.chain(carried.map(|file| (&file.from, file.to.as_path()))) {
            let to = dir.join(name);
            if *from != to {
                let bytes = std::fs::read(from).map_err(|e| Error::io(from, e))?;
                if let Some(folder) = to.parent() {
                    files::make_folder(folder)?;
                }
                write_bytes(&to, &bytes)?;
            }
        }
        if let Some(text) = self.text.as_ref().filter(|text| text.is_alone()) {
            // A family's own class would make something else of it.
            text.write_whole(dir)?;
        }
        let mut raw = self.raw.0.clone();
        if self.text.as_ref().is_some_and(Text::is_bytes) {
            raw.insert(TEXT_KEY.into(), Value::from("bytes"));
        }
        let path = dir.join(CONFIG);
        let json = serde_json::to_vec_pretty(&raw).map_err(|e| Error::malformed(&path, e))?;
        write_bytes(&path, &json)
    }

    /// The two models that read texts alone and images alone, of one that compares them; none
    /// of any other. They share its weights.
    ///
    /// # Errors
    /// When the family has no such models.
    pub fn towers(&self) -> Result<Vec<Self>> {
        if self.config.logit_scale.is_none() {
            return Ok(Vec::new());
        }
        let tower = |task| {
            let described = Description::of(self.raw.clone(), Some(task))?;
            Ok(Self {
                network: self.network.tower(described.config.clone()),
                class: described.class,
                config: described.config,
                raw: described.raw,
                ..self.clone()
            })
        };
        let tasks = [Task::FeatureExtraction, Task::ImageFeatureExtraction];
        tasks.into_iter().map(tower).collect()
    }

    /// The model with its weights, of whatever precision they are, in the element type `dtype`, in
    /// which it then computes.
    #[must_use]
    pub fn in_precision(mut self, dtype: DType) -> Self {
        self.network = self.network.map(&mut Retyped {
            config: &self.config,
            dtype,
            path: Vec::new(),
        });
        self.dtype = dtype;
        self
    }

    /// The model with its weights on `device`.
    #[must_use]
    pub fn to_device(mut self, device: &Device) -> Self {
        self.network = self.network.to_device(device);
        self
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        let devices = self.network.devices();
        devices.into_iter().next().unwrap_or_default()
    }

    /// The family's name.
    pub fn family(&self) -> &'static str {
        self.family.name
    }

    /// What the model's head does.
    pub fn task(&self) -> Task {
        self.class.task
    }

    /// The network's configuration.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// `config.json` as it was read.
    pub fn raw(&self) -> &RawConfig {
        &self.raw
    }

    /// How the model reads text, where it can.
    pub fn text(&self) -> Option<&Text> {
        self.text.as_ref()
    }

    /// Sets how the model reads text.
    pub fn set_text(&mut self, text: Text) {
        self.text = Some(text);
    }

    /// The element type of the weights.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Runs the model on named inputs: `input_ids` `[batch, sequence]`, `pixel_values`,
    /// `input_features` or `decoder_input_ids` as its stacks read them and, where wanted,
    /// `attention_mask` `[batch, past + sequence]`, `token_type_ids`, `position_ids`,
    /// `past_key_values.{i}.key` and `.value` `[batch, kv_heads, past, head_dim]`.
    ///
    /// Positions that are not given are counted ([`Counting`](crate::blocks::embedding::Counting)).
    ///
    /// Gives the outputs of [`crate::Output::named`] and what `request` asks for, in float32; those
    /// of a model in float64 stay so.
    ///
    /// # Errors
    /// When an input is missing, misshapen or out of range, or the device fails.
    pub fn run(&self, inputs: &Tensors, request: &OutputOptions) -> Result<Tensors> {
        Ok(self.pass(inputs, request, None, None)?.0)
    }

    /// [`Model::run`] while `probe` looks at the parts of the network; gives what it noted too.
    /// Where it runs one part only, the outputs are of no use.
    ///
    /// # Errors
    /// As [`Model::run`].
    pub fn probe(
        &self,
        inputs: &Tensors,
        request: &OutputOptions,
        probe: Probe,
    ) -> Result<(Tensors, Vec<ModuleIo>)> {
        self.pass(inputs, request, Some(probe), None)
    }

    /// The outputs of [`Model::probe`] where the encoder has given `state`
    /// `[batch, source, d_model]` for the same inputs before, and is not run again.
    ///
    /// # Errors
    /// As [`Model::run`], and when the state has not as many rows as the inputs.
    pub fn run_encoded(
        &self,
        inputs: &Tensors,
        request: &OutputOptions,
        probe: Option<Probe>,
        state: &TensorData,
    ) -> Result<Tensors> {
        Ok(self.pass(inputs, request, probe, Some(state))?.0)
    }

    fn pass(
        &self,
        inputs: &Tensors,
        request: &OutputOptions,
        probe: Option<Probe>,
        encoded: Option<&TensorData>,
    ) -> Result<(Tensors, Vec<ModuleIo>)> {
        let dtype = probe.as_ref().and_then(Probe::dtype);
        let dtype = dtype.unwrap_or(self.dtype);
        let mut batch = inputs::batch(inputs, &self.config, &self.device(), dtype)?;
        if let Some(state) = encoded {
            batch.encoded = Some(self.encoded(&batch, state, dtype)?);
        }
        let sums = probe.as_ref().and_then(Probe::sums);
        let units = probe.as_ref().map_or(0.0, Probe::units);
        let taps = if request.taps {
            Taps::on()
        } else {
            Taps::off()
        };
        let mut taps = match probe {
            Some(probe) => taps.probed(probe),
            None => taps,
        };
        let forward = || kernels::coarse(units, || self.network.forward(batch, &mut taps));
        let output = kernels::in_sequence(sums, forward);
        let mut named: Named = output.named(&self.network);
        if request.hidden_states {
            named.extend(output.named_hidden_states(&self.network));
        }
        drop(output);
        let parts = taps.take_parts();
        let taps = taps.into_found().into_iter();
        named.extend(taps.map(|(name, value)| (name, AnyRank::Three(value))));
        let read = |(name, value)| Ok((name, read(value)?));
        let outputs = named.into_iter().map(read).collect::<Result<_>>()?;
        Ok((outputs, parts))
    }

    /// `state` as what the encoder gave for `batch`.
    fn encoded(&self, batch: &Batch, state: &TensorData, dtype: DType) -> Result<Tensor<3>> {
        let ids = batch.input_ids.as_ref().map(|ids| ids.dims()[0]);
        let features = batch.input_features.as_ref().map(|x| x.dims()[0]);
        let (rows, shape) = (ids.or(features), state.shape().as_slice());
        if shape.len() != 3 || rows != Some(shape[0]) {
            return Err(Error::Input(format!(
                "an encoder's output of {shape:?}; it must be [batch, source, d_model] for {} rows",
                rows.unwrap_or(0)
            )));
        }
        Ok(Tensor::from_data(state.clone(), (&self.device(), dtype)))
    }
}

/// The values of `tensor`, in float32 or float64.
fn read(tensor: AnyRank) -> Result<TensorData> {
    let data = match tensor {
        AnyRank::Two(tensor) => tensor.try_into_data(),
        AnyRank::Three(tensor) => tensor.try_into_data(),
        AnyRank::Four(tensor) => tensor.try_into_data(),
    };
    let data = data.map_err(|e| Error::Input(format!("the device failed: {e}")))?;
    Ok(match data.dtype() {
        DType::F32 | DType::F64 => data,
        _ => data.convert::<f32>(),
    })
}

/// How the checkpoint in `dir`, whose `config.json` is `raw`, reads text, where it can.
///
/// # Errors
/// When its tokenizer is broken.
pub fn text(dir: &Path, raw: &RawConfig) -> Result<Option<Text>> {
    match raw.text(TEXT_KEY)? {
        Some("bytes") => Ok(Some(Text::bytes())),
        Some(other) => Err(Error::Config(format!(
            "`{TEXT_KEY}` is `{other}`, which is not supported; only `bytes` is"
        ))),
        None => Text::from_folder(dir),
    }
}

fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    files::write_atomic(path, |file| std::io::Write::write_all(file, bytes))
}
