//! The network that every family is: one to two stacks of blocks, and a head.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Int, Tensor};
use serde::Serialize;

use crate::batch::Batch;
use crate::blocks::cache::Cache;
use crate::blocks::taps::Taps;
use crate::error::{Error, Result};
use crate::head::{Context, HeadConfig, HeadLayers, OutputConfig, Read};
use crate::output::{Output, Similarity};
use crate::stack::{Encoded, Signal, Stack, StackConfig, Streamed};

/// What the head's answer is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// `logits`.
    Logits,
    /// `start_logits` and `end_logits`.
    Span,
    /// `text_embeds`.
    TextEmbeds,
    /// `image_embeds`.
    ImageEmbeds,
}

/// A whole network, whatever its family.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetworkConfig {
    /// The stack that reads text or sound, all of it at once.
    pub encoder: Option<StackConfig>,
    /// The stack that writes text.
    pub decoder: Option<StackConfig>,
    /// The stack that reads images.
    pub vision: Option<StackConfig>,
    /// What reads a whole row beside the hidden states.
    pub pooler: Option<HeadConfig>,
    /// The head.
    pub head: Option<HeadConfig>,
    /// What the head's answer is called.
    pub answer: Answer,
    /// The images' own head, where text and images are compared.
    pub image_head: Option<HeadConfig>,
    /// The logarithm of what similarities of text and images are multiplied by, at first.
    pub logit_scale: Option<f64>,
    /// The token that an encoder-decoder's text starts with.
    pub decoder_start: Option<usize>,
    /// Deviation of fresh weights.
    pub initializer_range: f64,
}

impl NetworkConfig {
    /// A network without stacks or heads, to be filled in.
    pub fn empty(initializer_range: f64) -> Self {
        Self {
            encoder: None,
            decoder: None,
            vision: None,
            pooler: None,
            head: None,
            answer: Answer::Logits,
            image_head: None,
            logit_scale: None,
            decoder_start: None,
            initializer_range,
        }
    }

    /// The stacks there are, by name.
    pub fn stacks(&self) -> impl Iterator<Item = (&'static str, &StackConfig)> {
        let named = [
            ("encoder", &self.encoder),
            ("decoder", &self.decoder),
            ("vision", &self.vision),
        ];
        named
            .into_iter()
            .filter_map(|(name, stack)| stack.as_ref().map(|stack| (name, stack)))
    }

    /// The stack whose end the head reads.
    pub fn main(&self) -> &StackConfig {
        let stacks = [&self.decoder, &self.encoder, &self.vision];
        match stacks.into_iter().flatten().next() {
            Some(stack) => stack,
            None => unreachable!("`check` refuses networks without a stack"),
        }
    }

    /// Tokens of the main stack; 0 where it reads none.
    pub fn vocab_size(&self) -> usize {
        self.main().tokens().map_or(0, |tokens| tokens.vocab_size)
    }

    /// The longest sequence of the main stack, its past included.
    pub fn max_positions(&self) -> usize {
        self.main().max_positions
    }

    /// Key and value heads of the main stack.
    pub fn kv_heads(&self) -> usize {
        self.main().block().attention.kv_heads
    }

    /// Values a head of the main stack has.
    pub fn head_dim(&self) -> usize {
        self.main().block().attention.head_dim
    }

    /// Layers of the main stack.
    pub fn layers(&self) -> usize {
        self.main().layers
    }

    /// Whether the main stack writes text and keeps a cache.
    pub fn cached(&self) -> bool {
        self.decoder.is_some()
    }

    /// Whether an encoder's output is read by a decoder.
    pub fn encodes_and_decodes(&self) -> bool {
        self.encoder.is_some() && self.decoder.is_some()
    }

    /// Token types; 0 for none.
    pub fn token_types(&self) -> usize {
        let tokens = self.encoder.as_ref().or(self.decoder.as_ref());
        tokens
            .and_then(StackConfig::tokens)
            .map_or(0, |tokens| tokens.token_types)
    }

    /// What taps and parameters of the stack `stack` have before their names: nothing where it
    /// is the only one.
    pub fn shown(&self, stack: &'static str) -> &'static str {
        match self.stacks().count() {
            1 => "",
            _ => stack,
        }
    }

    /// The name of the parameter at `path` in the module, without the name of an only stack.
    pub fn parameter<'a>(&self, path: &'a str) -> &'a str {
        let only = self.stacks().find(|(name, _)| self.shown(name).is_empty());
        only.and_then(|(name, _)| path.strip_prefix(name)?.strip_prefix('.'))
            .unwrap_or(path)
    }

    /// Refuses sizes that no network can have.
    ///
    /// # Errors
    /// Names the sizes that do not fit together.
    pub fn check(&self) -> Result<()> {
        if self.stacks().next().is_none() {
            return Err(Error::Config("the model has no layers".into()));
        }
        for (_, stack) in self.stacks() {
            stack.check()?;
        }
        for head in [&self.pooler, &self.head, &self.image_head]
            .into_iter()
            .flatten()
        {
            if let OutputConfig::Linear { size: 0, .. } = head.output {
                return Err(Error::Config("the head has no outputs".into()));
            }
        }
        Ok(())
    }

    /// The network with fresh weights. They are made when first read, so that loading a
    /// checkpoint over them costs nothing.
    pub fn init(&self, device: &Device) -> Network {
        let std = self.initializer_range;
        let stack = |stack: &Option<StackConfig>| stack.as_ref().map(|s| s.init(std, device));
        let vocab = self.vocab_size();
        let head = |head: &Option<HeadConfig>, d_model| {
            head.as_ref().map(|h| h.init(d_model, vocab, std, device))
        };
        let d_model = self.main().d_model;
        let image = self.vision.as_ref().map_or(d_model, |stack| stack.d_model);
        Network {
            encoder: stack(&self.encoder),
            decoder: stack(&self.decoder),
            vision: stack(&self.vision),
            pooler: head(&self.pooler, d_model),
            head: head(&self.head, d_model),
            image_head: head(&self.image_head, image),
            logit_scale: self
                .logit_scale
                .map(|value| Initializer::Constant { value }.init([1], device)),
            config: self.clone(),
        }
    }
}

/// Stacks and heads.
#[derive(Module, Debug)]
pub struct Network {
    /// Reads text or sound.
    pub encoder: Option<Stack>,
    /// Writes text.
    pub decoder: Option<Stack>,
    /// Reads images.
    pub vision: Option<Stack>,
    /// Reads a whole row beside the hidden states.
    pub pooler: Option<HeadLayers>,
    /// Makes logits.
    pub head: Option<HeadLayers>,
    /// The images' own head.
    pub image_head: Option<HeadLayers>,
    /// The logarithm of what similarities are multiplied by, `[1]`.
    pub logit_scale: Option<Param<Tensor<1>>>,
    #[module(skip)]
    config: NetworkConfig,
}

impl Network {
    /// What the network was made from.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// The table of tokens `[vocab, width]`, where the network reads tokens. An
    /// encoder-decoder's decoder may have its own.
    pub fn token_table(&self) -> Option<Tensor<2>> {
        let of = |stack: &Option<Stack>| {
            let embedding = stack.as_ref()?.embedding.as_ref()?;
            Some(embedding.token.as_ref()?.weight.val())
        };
        of(&self.decoder).or_else(|| of(&self.encoder))
    }

    /// Runs the network; `taps` collects what it is asked to.
    ///
    /// # Panics
    /// When `batch` lacks what the network reads; [`crate::Model::run`] checks it.
    pub fn forward(&self, batch: Batch, taps: &mut Taps) -> Output {
        let mut context = Context {
            ids: batch.input_ids.clone(),
            keep: batch.attention_mask.clone(),
            table: self.token_table(),
        };
        if self.logit_scale.is_some() {
            return self.compared(batch, context, taps);
        }
        let encoding = self.config.encodes_and_decodes();
        let last_only = batch.last_only && self.answers_positions();
        let mut output = Output::default();
        let streamed = if let Some(decoder) = &self.decoder {
            let encoded = encoding.then(|| self.encoded(&batch, taps, &mut output));
            let (ids, keep) = match encoding {
                true => self.decoder_tokens(&batch),
                false => (given(batch.input_ids, "input_ids"), batch.attention_mask),
            };
            let signal = Signal::Tokens {
                ids,
                types: batch.token_type_ids.filter(|_| !encoding),
                table: given(self.token_table(), "a table of tokens"),
            };
            let name = self.config.shown("decoder");
            decoder.forward(name, signal, keep, batch.cache, encoded, taps)
        } else if self.encoder.is_some() {
            self.read(&batch, taps)
        } else {
            context.keep = None;
            self.seen(&batch, taps)
        };
        let x = streamed.state;
        let rows = |y: Tensor<3>| {
            let [batch, _, width] = y.dims();
            y.reshape([batch, width])
        };
        output.pooler_output = self
            .pooler
            .as_ref()
            .map(|pooler| rows(pooler.forward(x.clone(), &context)));
        let read = match last_only {
            true => {
                let [_, seq, _] = x.dims();
                x.clone().narrow(1, seq - 1, 1)
            }
            false => x.clone(),
        };
        let head = self.head.as_ref();
        output.logits = head.map(|head| head.forward(read, &context));
        output.last_hidden_state = Some(x);
        output.hidden_states = streamed.hidden_states;
        output.cache = self.decoder.is_some().then_some(streamed.cache);
        output
    }

    /// The encoder's output, run or given; notes it in `output`.
    fn encoded(&self, batch: &Batch, taps: &mut Taps, output: &mut Output) -> Encoded {
        let keep = batch.attention_mask.clone();
        if batch.cache.as_ref().is_some_and(Cache::has_cross) {
            return Encoded { state: None, keep };
        }
        let state = match &batch.encoded {
            Some(state) => state.clone(),
            None => {
                let streamed = self.read(batch, taps);
                output.encoder_hidden_states = streamed.hidden_states;
                streamed.state
            }
        };
        output.encoder_last_hidden_state = Some(state.clone());
        let state = Some(state);
        Encoded { state, keep }
    }

    /// Runs the encoder on text or sound.
    pub fn read(&self, batch: &Batch, taps: &mut Taps) -> Streamed {
        let encoder = given(self.encoder.as_ref(), "an encoder");
        let table = encoder.embedding.as_ref().and_then(|e| e.token.as_ref());
        let signal = match table {
            Some(table) => Signal::Tokens {
                ids: given(batch.input_ids.clone(), "input_ids"),
                types: batch.token_type_ids.clone(),
                table: table.weight.val(),
            },
            None => Signal::Features(given(batch.input_features.clone(), "input_features")),
        };
        let keep = batch.attention_mask.clone();
        let name = self.config.shown("encoder");
        encoder.forward(name, signal, keep, None, None, taps)
    }

    /// Runs the vision stack on images.
    fn seen(&self, batch: &Batch, taps: &mut Taps) -> Streamed {
        let vision = given(self.vision.as_ref(), "a vision stack");
        let signal = Signal::Pixels(given(batch.pixel_values.clone(), "pixel_values"));
        let name = self.config.shown("vision");
        vision.forward(name, signal, None, None, None, taps)
    }

    /// The tokens that the decoder reads and its mask: those given, or the encoder's tokens,
    /// shifted by one behind the start token, as classifiers have it. Padding before them stays
    /// before the start token, and hidden; that behind them nobody sees.
    fn decoder_tokens(&self, batch: &Batch) -> (Tensor<2, Int>, Option<Tensor<2, Int>>) {
        let keep = batch.decoder_attention_mask.clone();
        if let Some(ids) = &batch.decoder_input_ids {
            return (ids.clone(), keep);
        }
        let ids = given(batch.input_ids.clone(), "decoder_input_ids");
        let [rows, seq] = ids.dims();
        let start = self.config.decoder_start.unwrap_or_default() as i64;
        let first = ids.clone().narrow(1, 0, 1).zeros_like() + start;
        let shifted = Tensor::cat(vec![first, ids], 1).slice([0..rows, 0..seq]);
        let Some(read) = batch.attention_mask.clone() else {
            return (shifted, keep);
        };
        let counted = read.clone().cumsum(1);
        let first = (counted.clone().equal_elem(1).int() * read).equal_elem(1);
        let begun = counted.greater_elem(0).int();
        (shifted.mask_fill(first, start), Some(keep.unwrap_or(begun)))
    }

    /// Text and images, each into one space, and how they fit (arXiv:2103.00020, figure 3).
    fn compared(&self, batch: Batch, context: Context, taps: &mut Taps) -> Output {
        let text = self.read(&batch, taps).state;
        let image = self.seen(&batch, taps).state;
        let embed = |head: &Option<HeadLayers>, x: Tensor<3>, context: &Context| {
            let head = given(head.as_ref(), "a head");
            let y = head.forward(x, context); // [batch, 1, size]
            let [batch, _, size] = y.dims();
            let y = y.reshape([batch, size]);
            let length = (y.clone() * y.clone()).sum_dim(1).sqrt();
            y / length
        };
        let text_embeds = embed(&self.head, text, &context);
        let image_embeds = embed(&self.image_head, image, &Context::default());
        let scale = given(self.logit_scale.as_ref(), "a scale").val().exp();
        let similarity = text_embeds.clone().matmul(image_embeds.clone().transpose());
        let logits_per_text = similarity * scale.unsqueeze(); // [texts, images]
        Output {
            similarity: Some(Similarity {
                logits_per_image: logits_per_text.clone().transpose(),
                logits_per_text,
                text_embeds,
                image_embeds,
            }),
            ..Output::default()
        }
    }

    /// Whether the head answers for each position rather than for each row.
    pub fn answers_positions(&self) -> bool {
        let head = self.config.head.as_ref();
        head.is_some_and(|head| head.read == Read::All)
    }
}

fn given<T>(value: Option<T>, what: &str) -> T {
    match value {
        Some(value) => value,
        None => panic!("the batch has no {what}, which the network reads"),
    }
}
