//! Updates of a model on made-up tokens: what training costs, without data.

use burn::module::Module;
use burn::tensor::Device;
use fluxo_models::{Model, Task};

use crate::config::TrainConfig;
use crate::error::{Error, Result};
use crate::optimizer::PathAdamW;
use crate::task::next_tokens;
use crate::update::Gradients;

/// Small enough that a thousand steps leave every number finite.
const RATE: f64 = 1e-5;

/// A model that is trained on made-up tokens, by the updates of [`train`](crate::train).
pub struct SyntheticTraining {
    model: Model,
    optimizer: PathAdamW,
    limit: f64,
    shape: [usize; 2],
    device: Device,
}

impl SyntheticTraining {
    /// Of `model`, where it is: `batch` rows of `sequence` tokens an update.
    ///
    /// # Errors
    /// When it has no logits for each token, or reads no texts of that length.
    pub fn new(mut model: Model, batch: usize, sequence: usize) -> Result<Self> {
        if !matches!(model.task(), Task::TextGeneration | Task::FillMask)
            || model.config().encodes_and_decodes()
        {
            return Err(Error::Config(format!(
                "updates are measured for {} and {}; this is a {} model for {}",
                Task::TextGeneration,
                Task::FillMask,
                model.family(),
                model.task()
            )));
        }
        let mut config = TrainConfig::new(model.family(), Vec::new(), "".as_ref());
        config.sequence_length = sequence;
        crate::model::check_length(&model, &config)?;
        let device = model.device().autodiff();
        model.network = model.network.train();
        Ok(Self {
            optimizer: PathAdamW::new(&config.adamw()),
            limit: config.clip,
            shape: [batch, sequence],
            device,
            model,
        })
    }

    /// One update; the loss before it, in nats a token.
    ///
    /// # Errors
    /// When the device fails.
    pub fn step(&mut self) -> Result<f32> {
        let [batch, sequence] = self.shape;
        let vocab = self.model.config().vocab_size().max(1) as i64;
        let count = (batch * sequence) as i64;
        // Spread over the vocabulary; every token's target is the one behind it.
        let tokens = |from: i64| (from..from + count).map(|at| at * 7919 % vocab).collect();
        let network = &self.model.network;
        let loss = next_tokens(network, tokens(0), tokens(1), self.shape, &self.device)?;
        let mut gradients = Gradients::none();
        gradients.add(network, loss, 1.0);
        let network = network.clone();
        let (network, measured) =
            gradients.apply(network, &mut self.optimizer, RATE, self.limit)?;
        self.model.network = network;
        Ok(measured.loss)
    }
}
