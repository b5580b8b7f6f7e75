//! An exported model as what runs the passes of a generation.

use std::cell::RefCell;

use burn::tensor::{DType, Device, Tensor, TensorData};
use fluxo_models::blocks::rotary_scaling::RotaryScaling;
use fluxo_models::generate::{Engine, Prompts, Sampling, generate_on};
use fluxo_models::named::cache_named;
use fluxo_models::{AnyRank, Batch, Cache, KeyValue, LayerCache, Model, NetworkConfig, Tensors};

use crate::error::{Error, Result};
use crate::files::OnnxModelFiles;
use crate::inputs::integers;
use crate::inputs::past_name;
use crate::inputs::samples::rows;
use crate::inputs::signature::Signature;
use crate::runner::Runner;
use fluxo_onnx::file::{Dim, Port};

type Done<T> = std::result::Result<T, fluxo_models::Error>;

/// The ONNX files of a model that writes, in a runtime: what [`generate_on`] runs in place of the
/// model's network, with the same choice of tokens.
///
/// [`generate_on`]: fluxo_models::generate::generate_on
pub struct OnnxEngine {
    /// An encoder in a file of its own.
    encoder: Option<RefCell<Box<dyn Runner>>>,
    decoder: RefCell<Box<dyn Runner>>,
    /// What the decoder's file takes.
    takes: Signature,
    /// Blocks whose keys and values it takes and gives.
    cached_layers: usize,
    /// Whether an encoder is in the same file, which then reads the sources in every pass.
    whole: bool,
    /// Whether each text is to be written by itself.
    alone: bool,
    /// Those sources.
    sources: RefCell<Tensors>,
    device: Device,
}

impl OnnxEngine {
    /// The files `graph` in the runtime `runtime`, one of [`RUNTIMES`](crate::files::RUNTIMES),
    /// which `model` describes.
    ///
    /// # Errors
    /// When a file cannot be loaded there, or does not read texts of every length.
    pub fn open(graph: &OnnxModelFiles, runtime: &str, model: &Model) -> Result<Self> {
        let load = |file: &std::path::Path| {
            let file = OnnxModelFiles::Whole(file.to_path_buf());
            Ok::<_, Error>(RefCell::new(file.load(runtime, runtime)?))
        };
        let (encoder, file) = match graph.files().as_slice() {
            [encoder, decoder] => (Some(load(encoder)?), *decoder),
            files => (None, files[0]),
        };
        let takes = Signature::read(file)?;
        for name in ["input_ids", "decoder_input_ids"] {
            let dims = takes.file.input(name).and_then(|port| port.dims.as_deref());
            if let Some([_, Dim::Fixed(length)]) = dims {
                return Err(Error::Model {
                    path: file.to_path_buf(),
                    reason: format!(
                        "it reads texts of {length} tokens and no others, so it cannot write; \
                         export it without a fixed length"
                    ),
                });
            }
        }
        let alone = |dim: Option<&Dim>| dim == Some(&Dim::Fixed(1));
        let first = |port: &Port| alone(port.dims.as_deref().and_then(<[Dim]>::first));
        let past = |name: &str| {
            takes
                .file
                .inputs
                .iter()
                .any(|port| port.name.starts_with(name))
        };
        Ok(Self {
            cached_layers: if past("past_key_values.") {
                model.config().layers()
            } else {
                0
            },
            alone: takes.file.inputs.iter().any(first) || depends_on_length(model.config()),
            whole: encoder.is_none() && model.config().encodes_and_decodes(),
            decoder: load(file)?,
            encoder,
            takes,
            sources: RefCell::default(),
            device: model.device(),
        })
    }

    /// [`generate_on`] these files, prompts by themselves where the files take no others, or
    /// would turn the keys of a short row as those of the longest.
    ///
    /// [`generate_on`]: fluxo_models::generate::generate_on
    ///
    /// # Errors
    /// As those of `generate_on`.
    pub fn generate(
        &self,
        model: &Model,
        prompts: &Prompts,
        max_new_tokens: usize,
        sampling: &Sampling,
        mut on_token: impl FnMut(usize, u32),
    ) -> Done<Vec<Vec<u32>>> {
        match prompts {
            Prompts::Tokens(rows) if self.alone && rows.len() > 1 => {
                let row = |(index, row): (usize, &Vec<u32>)| {
                    let prompt = Prompts::Tokens(vec![row.clone()]);
                    let on_token = |_, token| on_token(index, token);
                    generate_on(self, model, &prompt, max_new_tokens, sampling, on_token)
                };
                let texts: Done<Vec<_>> = rows.iter().enumerate().map(row).collect();
                Ok(texts?.concat())
            }
            _ => generate_on(self, model, prompts, max_new_tokens, sampling, on_token),
        }
    }

    fn tensor<const D: usize>(&self, data: TensorData) -> Tensor<D> {
        Tensor::from_data(data.convert::<f32>(), (&self.device, DType::F32))
    }

    /// The keys and values among `outputs`; those of an encoder that are not given again are the
    /// past's.
    fn cache(&self, outputs: &mut Tensors, past: Option<Cache>) -> Result<Option<Cache>> {
        if self.cached_layers == 0 {
            return Ok(None);
        }
        let mut past = past.map(|cache| cache.layers.into_iter());
        let mut layers = Vec::with_capacity(self.cached_layers);
        for layer in 0..self.cached_layers {
            let before = past.as_mut().and_then(Iterator::next);
            let mut given = |place: &str| {
                let mut part = |part| {
                    let name = past_name(layer, place, part);
                    let name = name.replace("past_key_values.", "present.");
                    let data = outputs.remove(&name)?;
                    (data.num_elements() > 0).then(|| self.tensor::<4>(data))
                };
                Some(KeyValue {
                    key: part("key")?,
                    value: part("value")?,
                })
            };
            let place = if self.encoder.is_some() {
                "decoder."
            } else {
                ""
            };
            let own = given(place).ok_or_else(|| {
                let name = past_name(layer, place, "key").replace("past_key_values", "present");
                Error::runner(self.decoder.borrow().name(), format!("it gave no `{name}`"))
            })?;
            let cross = if self.encoder.is_some() {
                given("encoder.").or_else(|| before.and_then(|layer| layer.cross))
            } else {
                None
            };
            layers.push(LayerCache { own, cross });
        }
        Ok(Some(Cache::full(layers)))
    }

    fn passed(&self, batch: Batch) -> Result<(Tensor<3>, Option<Cache>)> {
        let mut inputs = Tensors::new();
        let mut put = |name: &str, data: Option<TensorData>| {
            if let Some(data) = data {
                inputs.insert(name.to_string(), data);
            }
        };
        let mask = batch.attention_mask.map(Tensor::into_data);
        let written = batch.decoder_input_ids.map(Tensor::into_data);
        let encoded = batch.encoded.map(Tensor::into_data);
        match (&self.encoder, self.whole) {
            (Some(_), _) => {
                put("input_ids", written);
                put("encoder_attention_mask", mask);
                put("encoder_hidden_states", encoded);
            }
            (None, true) => {
                put("decoder_input_ids", written);
                let wanted = encoded.as_ref().map(|rows| integers("rows", rows));
                let wanted = wanted.transpose()?.unwrap_or_default();
                let wanted: Vec<usize> = wanted.iter().map(|row| *row as usize).collect();
                for (name, data) in self.sources.borrow().iter() {
                    put(name, Some(rows(name, data, &wanted)?));
                }
            }
            (None, false) => {
                put("input_ids", batch.input_ids.map(Tensor::into_data));
                put("attention_mask", mask);
            }
        }
        if let Some(cache) = &batch.cache {
            for (name, value) in cache_named(cache, "past_key_values") {
                if let AnyRank::Four(value) = value {
                    put(&name, Some(value.into_data()));
                }
            }
        }
        // A length that nothing else depends on.
        inputs.retain(|name, _| name != "attention_mask" || self.takes.file.input(name).is_some());
        let mut outputs = self.decoder.borrow_mut().run(&inputs)?;
        let logits = outputs.remove("logits");
        let logits = logits.filter(|logits| logits.shape().len() == 3);
        let logits = logits.ok_or_else(|| {
            let runner = self.decoder.borrow();
            Error::runner(
                runner.name(),
                "it gives no `logits` of [batch, sequence, vocab]",
            )
        })?;
        let logits = self.tensor::<3>(logits);
        let [_, seq, _] = logits.dims();
        let logits = logits.narrow(1, seq - 1, 1);
        Ok((logits, self.cache(&mut outputs, batch.cache)?))
    }

    fn read(&self, source: &Batch) -> Result<Tensor<3>> {
        let mut inputs = Tensors::new();
        let mut put = |name: &str, data: Option<TensorData>| {
            if let Some(data) = data {
                inputs.insert(name.to_string(), data);
            }
        };
        put("input_ids", source.input_ids.clone().map(Tensor::into_data));
        put(
            "attention_mask",
            source.attention_mask.clone().map(Tensor::into_data),
        );
        put(
            "input_features",
            source.input_features.clone().map(Tensor::into_data),
        );
        let Some(encoder) = &self.encoder else {
            // The numbers of the sources stand for what the file will make of them.
            let rows = inputs.values().next().map_or(0, |data| data.shape()[0]);
            *self.sources.borrow_mut() = inputs;
            let numbers: Vec<f32> = (0..rows).map(|row| row as f32).collect();
            return Ok(self.tensor(TensorData::new(numbers, [rows, 1, 1])));
        };
        let mut encoder = encoder.borrow_mut();
        let state = encoder.run(&inputs)?.remove("last_hidden_state");
        let missing = || Error::runner(encoder.name(), "the encoder gives no `last_hidden_state`");
        Ok(self.tensor(state.ok_or_else(missing)?))
    }
}

impl Engine for OnnxEngine {
    fn encode(&self, source: &Batch) -> Done<Tensor<3>> {
        self.read(source).map_err(said)
    }

    fn decode(&self, batch: Batch) -> Done<(Tensor<3>, Option<Cache>)> {
        self.passed(batch).map_err(said)
    }

    fn in_place(&self) -> bool {
        false
    }
}

/// Whether positions are turned by how long the text is that they are in.
fn depends_on_length(config: &NetworkConfig) -> bool {
    let blocks = config.stacks().flat_map(|(_, stack)| &stack.blocks);
    let mut rotaries = blocks.filter_map(|block| block.attention.rotary.as_ref());
    rotaries.any(|rotary| {
        matches!(
            rotary.scaling,
            RotaryScaling::Dynamic { .. } | RotaryScaling::LongRope { .. }
        )
    })
}

fn said(error: Error) -> fluxo_models::Error {
    match error {
        Error::Input(reason) => fluxo_models::Error::Input(reason),
        error => fluxo_models::Error::Engine(error.to_string()),
    }
}
