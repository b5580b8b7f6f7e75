//! The network that every family is: one to two stacks of blocks, and a head.

mod config;

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

use crate::batch::Batch;
use crate::blocks::cache::Cache;
use crate::blocks::taps::Taps;
use crate::head::{Context, HeadLayers, Pooling};
use crate::output::{Output, Similarity};
use crate::stack::{Encoded, Stack, StackInput, StackOutput};

pub use config::{Answer, NetworkConfig};

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

    /// The stack and head that `config` asks for, of a network that compares texts and images.
    pub(crate) fn tower(&self, config: NetworkConfig) -> Self {
        let wanted = |stack: &Option<Stack>, config: &Option<_>| {
            let stack = stack.as_ref().filter(|_| config.is_some());
            stack.cloned()
        };
        Self {
            encoder: wanted(&self.encoder, &config.encoder),
            decoder: None,
            vision: wanted(&self.vision, &config.vision),
            pooler: None,
            head: match config.answer {
                Answer::ImageEmbeds => self.image_head.clone(),
                _ => self.head.clone(),
            },
            image_head: None,
            logit_scale: None,
            config,
        }
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
            let (ids, keep) = if encoding {
                self.decoder_tokens(&batch)
            } else {
                (given(batch.input_ids, "input_ids"), batch.attention_mask)
            };
            let signal = StackInput::Tokens {
                ids,
                types: batch.token_type_ids.filter(|_| !encoding),
                positions: if encoding {
                    batch.decoder_position_ids
                } else {
                    batch.position_ids
                },
                table: given(self.token_table(), "a table of tokens"),
                length: batch.length,
            };
            let name = ["decoder", self.config.shown("decoder")];
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
        output.pooler_output = answer(&self.pooler, "pooler", x.clone(), &context, taps).map(rows);
        let read = if last_only {
            let [_, seq, _] = x.dims();
            x.clone().narrow(1, seq - 1, 1)
        } else {
            x.clone()
        };
        output.logits = answer(&self.head, "head", read, &context, taps);
        output.last_hidden_state = Some(x);
        output.hidden_states = streamed.hidden_states;
        output.cache = self.decoder.is_some().then_some(streamed.cache);
        output
    }

    /// What the cache lacks of the encoder's output, run or given; notes the whole in `output`.
    /// The encoder is not run where anything of it is cached.
    fn encoded(&self, batch: &Batch, taps: &mut Taps, output: &mut Output) -> Encoded {
        let keep = batch.attention_mask.clone();
        let read = batch.cache.as_ref().map_or(0, Cache::read);
        let state = match &batch.encoded {
            Some(state) => state.clone(),
            None if read > 0 => return Encoded { state: None, keep },
            None => {
                let streamed = self.read(batch, taps);
                output.encoder_hidden_states = streamed.hidden_states;
                streamed.state
            }
        };
        output.encoder_last_hidden_state = Some(state.clone());
        let [rows, source, width] = state.dims();
        // Some backends hold no empty tensors.
        let state = match read {
            0 => Some(state),
            _ if read >= source => None,
            _ => Some(state.slice([0..rows, read..source, 0..width])),
        };
        Encoded { state, keep }
    }

    /// Runs the encoder on text or sound.
    pub fn read(&self, batch: &Batch, taps: &mut Taps) -> StackOutput {
        let encoder = given(self.encoder.as_ref(), "an encoder");
        let table = encoder.embedding.as_ref().and_then(|e| e.token.as_ref());
        let signal = match table {
            Some(table) => StackInput::Tokens {
                ids: given(batch.input_ids.clone(), "input_ids"),
                types: batch.token_type_ids.clone(),
                positions: batch.position_ids.clone(),
                table: table.weight.val(),
                length: batch.length,
            },
            None => StackInput::Features(given(batch.input_features.clone(), "input_features")),
        };
        let keep = batch.attention_mask.clone();
        let name = ["encoder", self.config.shown("encoder")];
        encoder.forward(name, signal, keep, None, None, taps)
    }

    /// Runs the vision stack on images.
    fn seen(&self, batch: &Batch, taps: &mut Taps) -> StackOutput {
        let vision = given(self.vision.as_ref(), "a vision stack");
        let signal = StackInput::Pixels(given(batch.pixel_values.clone(), "pixel_values"));
        let name = ["vision", self.config.shown("vision")];
        vision.forward(name, signal, None, None, None, taps)
    }

    /// The tokens that the decoder reads and its mask: those given, or the encoder's tokens,
    /// shifted by one behind the start token, as classifiers have it (`shift_tokens_right`):
    /// padding among them is read as any other token.
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
        (shifted, keep)
    }

    /// Text and images, each into one space, and how they fit (arXiv:2103.00020, figure 3).
    fn compared(&self, batch: Batch, context: Context, taps: &mut Taps) -> Output {
        let text = self.read(&batch, taps).state;
        let image = self.seen(&batch, taps).state;
        let embed = |y: Tensor<3>| {
            let [batch, _, size] = y.dims(); // [batch, 1, size]
            let y = y.reshape([batch, size]);
            let length = (y.clone() * y.clone()).sum_dim(1).sqrt();
            y / length
        };
        let [head, image_head] = [&self.head, &self.image_head];
        let seen = Context::default();
        let text = answer(head, "head", text, &context, taps);
        let image = answer(image_head, "image_head", image, &seen, taps);
        // A pass may run one part alone.
        let (Some(text), Some(image)) = (text, image) else {
            return Output::default();
        };
        let (text_embeds, image_embeds) = (embed(text), embed(image));
        let scale = given(self.logit_scale.as_ref(), "a scale").val();
        let scale = taps.weight(scale).exp();
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
        head.is_some_and(|head| head.read == Pooling::All)
    }
}

/// What the head `name` makes of `x`, where there is one and the pass needs it.
fn answer(
    head: &Option<HeadLayers>,
    name: &str,
    x: Tensor<3>,
    context: &Context,
    taps: &mut Taps,
) -> Option<Tensor<3>> {
    let head = head.as_ref()?;
    if taps.skips(format_args!("{name}")) {
        return None;
    }
    let x = taps.begin(format_args!("{name}"), x);
    let head = taps.weights(head);
    let y = head.forward(x, context, taps);
    Some(taps.end(y))
}

fn given<T>(value: Option<T>, what: &str) -> T {
    match value {
        Some(value) => value,
        None => panic!("the batch has no {what}, which the network reads"),
    }
}
