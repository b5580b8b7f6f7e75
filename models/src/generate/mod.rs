//! Generation: token after token, after prompts, for source texts or for sound.
//!
//! Every step reads one token a row; keys and values of what was read before stand in the cache,
//! which new ones are written into in place. Rows that are finished leave the batch. What is
//! chosen, and in which order scores are changed, is as in transformers' `generate`.

mod beams;
mod constraints;
mod decoder;
mod engine;
mod entry;
mod generation_config;
mod habits;
mod job;
mod keys;
mod processors;
mod prompts;
mod reader;
mod row;
mod sample;
mod sampling;
mod speech;
mod warpers;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::error::{Error, Result};
use crate::model::Model;

pub use constraints::{Start, TokenConstraints};
use decoder::Decoder;
pub use engine::Engine;
pub use generation_config::GENERATION_CONFIG;
pub use habits::{Habits, Limit};
use job::Job;
pub use keys::{Meaning, keys};
pub use prompts::Prompts;
pub use sample::distribution;
pub use sampling::{EarlyStopping, Sampling};

/// Writes up to `max_new_tokens` tokens after `prompt`, or for it where the model is an
/// encoder-decoder, and gives them; `on_token` sees each as it comes.
///
/// # Errors
/// As those of [`generate_all`].
pub fn generate(
    model: &Model,
    prompt: &[u32],
    max_new_tokens: usize,
    sampling: &Sampling,
    mut on_token: impl FnMut(u32),
) -> Result<Vec<u32>> {
    let prompts = Prompts::Tokens(vec![prompt.to_vec()]);
    let texts = generate_all(model, &prompts, max_new_tokens, sampling, |_, token| {
        on_token(token);
    })?;
    Ok(texts.into_iter().next().unwrap_or_default())
}

/// Writes up to `max_new_tokens` tokens for each of `prompts`, fewer where the sampling's
/// `max_length` leaves fewer, and gives them, a text an entry: one a prompt, or as many as the
/// sampling's `num_return_sequences`, those of a prompt together. `on_token` sees the text's
/// index and the token as it comes, or in a beam search, where nothing is certain before the
/// end, at the end.
///
/// A prompt's text is the same in any batch, but that a draw depends on the text's index; for
/// index 0 it is that of the prompt alone.
///
/// # Errors
/// When the model does not generate, a prompt is empty or holds a number that is no token,
/// prompt and new tokens exceed the model's positions, a number of `sampling` makes no sense,
/// the device fails or the model's scores are not numbers.
pub fn generate_all(
    model: &Model,
    prompts: &Prompts,
    max_new_tokens: usize,
    sampling: &Sampling,
    on_token: impl FnMut(usize, u32),
) -> Result<Vec<Vec<u32>>> {
    generate_on(model, model, prompts, max_new_tokens, sampling, on_token)
}

/// [`generate_all`], the passes run by `engine` in place of the network of `model`, whose weights
/// are then not read.
///
/// # Errors
/// As those of [`generate_all`].
pub fn generate_on(
    engine: &dyn Engine,
    model: &Model,
    prompts: &Prompts,
    max_new_tokens: usize,
    sampling: &Sampling,
    mut on_token: impl FnMut(usize, u32),
) -> Result<Vec<Vec<u32>>> {
    sampling.check(model)?;
    if !model.task().generates() {
        return Err(Error::Input(format!(
            "a {} model for {} generates no text; load one for text-generation",
            model.family(),
            model.task()
        )));
    }
    let start = sampling.constraints.start_of(model)?;
    let several = sampling.num_return_sequences.max(sampling.beams);
    let rows = prompts.count().saturating_mul(several);
    prompts.check_count(rows, sampling)?;
    let repeated = match sampling.beams {
        1 if sampling.num_return_sequences > 1 => {
            Some(prompts.repeated(sampling.num_return_sequences))
        }
        _ => None,
    };
    let prompts = repeated.as_ref().unwrap_or(prompts);
    let job = Job::new(model, prompts, start.len(), max_new_tokens, sampling)?;
    if prompts.count() == 0 || max_new_tokens == 0 {
        let texts = prompts.count() * sampling.texts_of_a_row();
        return Ok(vec![Vec::new(); texts]);
    }
    let (decoder, scores) =
        Decoder::begin(engine, model, prompts, &start, job.longest(), sampling)?;
    if sampling.beams == 1 {
        return draw(decoder, scores, &job, on_token);
    }
    let texts = beams::search(decoder, scores, &job)?;
    for (prompt, text) in texts.iter().enumerate() {
        text.iter().for_each(|&token| on_token(prompt, token));
    }
    Ok(texts)
}

/// One text a prompt, each token chosen by itself.
fn draw(
    mut decoder: Decoder<'_>,
    mut scores: Vec<Vec<f32>>,
    job: &Job<'_>,
    mut on_token: impl FnMut(usize, u32),
) -> Result<Vec<Vec<u32>>> {
    let sampling = job.sampling;
    let mut texts = vec![Vec::new(); scores.len()];
    let mut random: Vec<StdRng> = (0..texts.len()).map(|row| seeded(sampling, row)).collect();
    for written in 1.. {
        let mut steps = Vec::with_capacity(scores.len());
        for (at, (row, scores)) in decoder.rows().iter().zip(&mut scores).enumerate() {
            let last = written == job.new[row.prompt];
            sampling.change(scores, row, job.source(row.prompt), last);
            let token = sample::choose(scores, sampling, &mut random[row.prompt])?;
            texts[row.prompt].push(token);
            on_token(row.prompt, token);
            if !last && !job.ends(row, token)? {
                steps.push((at, token));
            }
        }
        if steps.is_empty() {
            break;
        }
        scores = decoder.step(&steps)?;
    }
    Ok(texts)
}

/// Draws of a prompt: other ones for each.
fn seeded(sampling: &Sampling, prompt: usize) -> StdRng {
    // The golden ratio's odd multiples are far from each other and from small seeds.
    let apart = (prompt as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    StdRng::seed_from_u64(sampling.seed ^ apart)
}
