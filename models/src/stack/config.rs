//! What a stack is made of.

use burn::tensor::Device;
use serde::Serialize;

use super::Stack;
use crate::blocks::bias::BiasConfig;
use crate::blocks::block::BlockConfig;
use crate::blocks::embedding::{Counting, EmbeddingConfig};
use crate::blocks::frames::FramesConfig;
use crate::blocks::norm::NormConfig;
use crate::blocks::patches::PatchesConfig;
use crate::blocks::position::PositionConfig;
use crate::error::{Error, Result};

/// The longest sequence where nothing else bounds it.
pub const UNBOUNDED: usize = 1 << 20;

/// What starts the stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InputConfig {
    /// Token numbers.
    Tokens(EmbeddingConfig),
    /// Images.
    Patches(PatchesConfig),
    /// Sound.
    Frames(FramesConfig),
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackConfig {
    /// Width of the residual stream.
    pub d_model: usize,
    /// How many blocks the stream passes.
    pub layers: usize,
    /// The blocks. Where they are fewer than `layers`, neighbouring layers share one (ALBERT,
    /// arXiv:1909.11942).
    pub blocks: Vec<BlockConfig>,
    /// What starts the stream.
    pub input: InputConfig,
    /// The longest sequence, its past included.
    pub max_positions: usize,
    /// What scores get for the distance of query and key.
    pub bias: Option<BiasConfig>,
    /// The norm after the last block.
    pub final_norm: Option<NormConfig>,
    /// Whether the last of the hidden states is that after the final norm, as in most families.
    pub hidden_states_end_normed: bool,
}

impl StackConfig {
    /// A stack of `layers` blocks alike.
    pub fn uniform(d_model: usize, layers: usize, block: BlockConfig, input: InputConfig) -> Self {
        let max_positions = match &input {
            InputConfig::Tokens(embedding) => embedding
                .position
                .map_or(UNBOUNDED, |position| position.positions()),
            InputConfig::Patches(patches) => patches.class_tokens() + patches.patches(),
            InputConfig::Frames(frames) => frames.positions,
        };
        Self {
            d_model,
            layers,
            blocks: vec![block; layers],
            input,
            max_positions,
            bias: None,
            final_norm: None,
            hidden_states_end_normed: true,
        }
    }

    /// The first block, for what all have in common.
    pub fn block(&self) -> &BlockConfig {
        &self.blocks[0]
    }

    /// The block that layer `layer` passes.
    pub fn block_of(&self, layer: usize) -> usize {
        layer * self.blocks.len() / self.layers
    }

    /// The embedding of tokens, where the stack reads tokens.
    pub fn tokens(&self) -> Option<&EmbeddingConfig> {
        match &self.input {
            InputConfig::Tokens(embedding) => Some(embedding),
            _ => None,
        }
    }

    /// How many positions may be given with tokens, each below that; `None` where the stack takes
    /// none, or looks at distances alone.
    pub fn given_positions(&self) -> Option<usize> {
        let tokens = self.tokens().filter(|tokens| tokens.takes_positions)?;
        let rotary = |block: &BlockConfig| block.attention.rotary.is_some();
        match (tokens.position, tokens.counting) {
            (Some(PositionConfig::Learned { rows, .. }), Counting::But(_)) => Some(rows),
            (Some(_), _) => Some(self.max_positions),
            (None, _) => self.blocks.iter().any(rotary).then_some(self.max_positions),
        }
    }

    /// Refuses sizes that no stack can have.
    ///
    /// # Errors
    /// Names the sizes that do not fit together.
    pub fn check(&self) -> Result<()> {
        let refuse = |text: String| Err(Error::Config(text));
        if self.blocks.is_empty() || self.layers < self.blocks.len() {
            return refuse(format!(
                "{} layers cannot be made of {} blocks",
                self.layers,
                self.blocks.len()
            ));
        }
        for block in &self.blocks {
            for attention in [Some(&block.attention), block.cross.as_ref()]
                .into_iter()
                .flatten()
            {
                attention.check()?;
            }
            if let Some(experts) = block.feed_forward.experts
                && experts.active > experts.count
            {
                return refuse(format!(
                    "{} of {} experts cannot be active",
                    experts.active, experts.count
                ));
            }
        }
        if let InputConfig::Patches(patches) = &self.input
            && patches.patches() == 0
        {
            return refuse(format!(
                "an image of {:?} has no patch of {:?}",
                patches.image, patches.patch
            ));
        }
        // Anything larger could not be built on any machine there is.
        if self.weights() > 1 << 43 {
            return refuse(format!(
                "the sizes make a model of about {} weights, which cannot be held",
                self.weights()
            ));
        }
        Ok(())
    }

    /// About how many weights there are.
    fn weights(&self) -> u128 {
        let wide = |size: usize| size as u128 * self.d_model as u128;
        let blocks = self.blocks.iter().map(|block| {
            let attention = &block.attention;
            let networks = block
                .feed_forward
                .experts
                .map_or(1, |experts| experts.count);
            4 * wide(attention.heads) * attention.head_dim as u128
                + 3 * wide(block.feed_forward.d_ff) * networks as u128
        });
        let input = match &self.input {
            InputConfig::Tokens(tokens) => {
                wide(tokens.vocab_size) + wide(tokens.position.map_or(0, |p| p.positions()))
            }
            InputConfig::Patches(patches) => {
                wide(patches.patches())
                    + wide(patches.channels) * (patches.patch[0] * patches.patch[1]) as u128
            }
            InputConfig::Frames(frames) => wide(frames.positions) + 3 * wide(frames.mel_bins),
        };
        blocks.sum::<u128>() + input
    }

    /// The stack with fresh weights.
    pub fn init(&self, std: f64, device: &Device) -> Stack {
        let d_model = self.d_model;
        let (mut embedding, mut patches, mut frames) = (None, None, None);
        match &self.input {
            InputConfig::Tokens(config) => embedding = Some(config.init(d_model, std, device)),
            InputConfig::Patches(config) => patches = Some(config.init(d_model, std, device)),
            InputConfig::Frames(config) => frames = Some(config.init(d_model, std, device)),
        }
        let heads = self.block().attention.heads;
        Stack {
            embedding,
            patches,
            frames,
            relative: self.bias.and_then(|bias| bias.init(heads, std, device)),
            layers: self
                .blocks
                .iter()
                .map(|block| block.init(d_model, std, device))
                .collect(),
            final_norm: self.final_norm.map(|norm| norm.init(d_model, device)),
            config: self.clone(),
        }
    }
}
