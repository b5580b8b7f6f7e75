//! What a network is made of.

use burn::nn::Initializer;
use burn::tensor::{DType, Device};
use serde::Serialize;

use super::Network;
use crate::blocks::embedding::Counting;
use crate::blocks::taps;
use crate::error::{Error, Result};
use crate::head::{HeadConfig, OutputConfig};
use crate::stack::StackConfig;

/// What the head's answer is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// `logits`.
    Logits,
    /// `logits`, a number for each position.
    Scores,
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

    /// How positions are counted that are not given, by the stack that reads text or, where two
    /// do, by the one that writes it.
    pub fn counting(&self) -> Option<Counting> {
        let mut stacks = [&self.decoder, &self.encoder].into_iter().flatten();
        let tokens = stacks.find_map(StackConfig::tokens)?;
        Some(tokens.counting)
    }

    /// [`StackConfig::given_positions`] of the one stack that reads text.
    pub fn given_positions(&self) -> Option<usize> {
        let alone = self.encoder.as_ref().or(self.decoder.as_ref());
        alone
            .filter(|_| !self.encodes_and_decodes())
            .and_then(StackConfig::given_positions)
    }

    /// What taps and parameters of the stack `stack` have before their names: nothing where it
    /// is the only one.
    pub fn shown(&self, stack: &'static str) -> &'static str {
        match self.stacks().count() {
            1 => "",
            _ => stack,
        }
    }

    /// The taps that a pass of this network has, by name, layer after layer.
    pub fn taps(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (name, stack) in self.stacks() {
            for layer in 0..stack.layers {
                let place = taps::place(self.shown(name), layer);
                let reads = stack.blocks[stack.block_of(layer)].cross.is_some();
                let own = taps::NAMES
                    .iter()
                    .filter(|tap| reads || !tap.contains("cross"));
                names.extend(own.map(|tap| format!("{place}.{tap}")));
            }
        }
        names
    }

    /// The name of the parameter at `path` in the module, without the name of an only stack.
    pub fn parameter<'a>(&self, path: &'a str) -> &'a str {
        let only = self.stacks().find(|(name, _)| self.shown(name).is_empty());
        only.and_then(|(name, _)| path.strip_prefix(name)?.strip_prefix('.'))
            .unwrap_or(path)
    }

    /// Whether the output layer is the token embedding.
    pub fn is_tied(&self) -> bool {
        let output = self.head.as_ref().map(|head| head.output);
        matches!(output, Some(OutputConfig::Tied { .. }))
    }

    /// Gives an output layer that is the token embedding weights of its own.
    pub(crate) fn untie(&mut self) {
        let size = self.vocab_size();
        if let Some(head) = &mut self.head
            && let OutputConfig::Tied { bias } = head.output
        {
            head.output = OutputConfig::Linear { size, bias };
        }
    }

    /// The element type of the parameter at `path` in the module, of a model in `dtype`.
    pub fn dtype_of(&self, path: &str, dtype: DType) -> DType {
        let wide = |(name, stack): (&str, &StackConfig)| {
            let own = path.strip_prefix(name).is_some_and(|p| p.starts_with('.'));
            own && stack.block().feed_forward.wide_down && path.contains(".feed_forward.down.")
        };
        if dtype == DType::F16 && self.stacks().any(wide) {
            DType::F32
        } else {
            dtype
        }
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
