//! Defaults that follow from other keys, and the range of every value.

use super::TrainConfig;
use crate::error::{Error, Result};

impl TrainConfig {
    /// The same with every default filled in and paths that do not depend on the working
    /// folder.
    ///
    /// # Errors
    /// When a value is out of its range.
    pub(crate) fn resolved(&self) -> Result<Self> {
        let mut c = self.clone();
        c.min_learning_rate.get_or_insert(c.learning_rate / 10.0);
        c.warmup_steps.get_or_insert((c.steps / 20).min(100));
        let every = (c.steps / 10).clamp(1, 250);
        let every = *c.eval_every.get_or_insert(every);
        c.checkpoint_every.get_or_insert(every);
        for path in c
            .data
            .iter_mut()
            .chain(&mut c.tokenizer)
            .chain([&mut c.out])
        {
            *path = std::path::absolute(&path).map_err(Error::io(path))?;
        }
        c.check()?;
        Ok(c)
    }

    fn check(&self) -> Result<()> {
        let need = |holds: bool, what: &str| {
            if holds {
                Ok(())
            } else {
                Err(Error::Config(what.into()))
            }
        };
        let positive = |name: &str, value: usize| match value {
            0 => Err(Error::Config(format!("{name} = 0; it must be 1 or more"))),
            _ => Ok(()),
        };
        positive("steps", self.steps)?;
        positive("batch_size", self.batch_size)?;
        positive("sequence_length", self.sequence_length)?;
        positive("accumulation", self.accumulation)?;
        positive("log_every", self.log_every)?;
        positive("eval_batches", self.eval_batches)?;
        positive("eval_every", self.eval_every())?;
        positive("checkpoint_every", self.checkpoint_every())?;
        let rate = self.learning_rate;
        need(
            rate.is_finite() && rate > 0.0,
            "learning_rate must be a number over 0, e.g. 1e-3",
        )?;
        let floor = self.schedule().floor;
        need(
            (0.0..=rate).contains(&floor),
            "min_learning_rate must be 0 to learning_rate",
        )?;
        let decay = self.weight_decay;
        need(
            decay.is_finite() && decay >= 0.0,
            "weight_decay must be 0 or more, e.g. 0.1",
        )?;
        let held = self.betas.iter().all(|b| (0.0..1.0).contains(b));
        need(
            held,
            "betas must be two numbers from 0 to below 1, e.g. [0.9, 0.95]",
        )?;
        let epsilon = self.epsilon;
        need(
            epsilon.is_finite() && epsilon > 0.0,
            "epsilon must be over 0, e.g. 1e-8",
        )?;
        need(
            self.clip.is_finite() && self.clip >= 0.0,
            "clip must be 0 (off) or more, e.g. 1.0",
        )?;
        let part = self.validation_fraction;
        need(
            part > 0.0 && part < 1.0,
            "validation_fraction must be between 0 and 1, e.g. 0.05",
        )?;
        need(
            !self.data.is_empty(),
            "data is empty; name files or folders to learn from",
        )?;
        Ok(())
    }
}
