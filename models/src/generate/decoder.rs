//! The passes over the network: what was read stays in the cache, row by row.

use burn::tensor::{Int, Tensor, TensorData};

use super::constraints::Start;
use super::engine::Engine;
use super::prompts::Prompts;
use super::row::Row;
use super::sampling::Sampling;
use crate::batch::Batch;
use crate::blocks::cache::Cache;
use crate::blocks::rotary::Length;
use crate::blocks::rotary_scaling::RotaryScaling;
use crate::error::{Error, Result};
use crate::model::Model;

/// Places that the cache grows by. In between a step copies nothing of the past, and looks at
/// no more empty places than these.
const ROOM: usize = 64;

/// Texts that are being written.
pub(super) struct Decoder<'a> {
    engine: &'a dyn Engine,
    model: &'a Model,
    rows: Vec<Row>,
    /// What was read; `None` where nothing is kept.
    cache: Option<Cache>,
    /// Whether what is read is kept.
    cached: bool,
    /// The encoder's output `[rows, source, d_model]`, where the cache has not its keys.
    encoded: Option<Tensor<3>>,
    /// `[rows, source]`, 0 for padding, where there is any.
    source_keep: Option<Tensor<2, Int>>,
    /// The longest that a row is read.
    longest: usize,
    /// Whether scores that are no numbers are let through.
    tolerant: bool,
}

impl<'a> Decoder<'a> {
    /// Reads the prompts, a row each, and gives the scores of the tokens after them. Up to
    /// `new` tokens will be written to each.
    pub fn begin(
        engine: &'a dyn Engine,
        model: &'a Model,
        prompts: &Prompts,
        start: &[Start],
        new: usize,
        sampling: &Sampling,
    ) -> Result<(Self, Vec<Vec<f32>>)> {
        let mut decoder = Self {
            engine,
            model,
            rows: Vec::new(),
            cache: None,
            cached: sampling.cache,
            encoded: None,
            source_keep: None,
            longest: 0,
            tolerant: sampling.remove_invalid_values,
        };
        if model.config().encodes_and_decodes() {
            let source = prompts.source(model)?;
            decoder.encoded = Some(engine.encode(&source)?);
            decoder.source_keep = source.attention_mask;
            let row = |prompt| Row {
                prompt,
                pad: 0,
                given: start.len(),
                tokens: Vec::with_capacity(start.len() + 1),
            };
            decoder.rows = (0..prompts.count()).map(row).collect();
            decoder.start(start)?;
        } else if let Prompts::Tokens(prompts) = prompts {
            let longest = prompts.iter().map(Vec::len).max().unwrap_or_default();
            let row = |(prompt, tokens): (usize, &Vec<u32>)| Row {
                prompt,
                pad: longest - tokens.len(),
                given: tokens.len(),
                tokens: tokens.clone(),
            };
            decoder.rows = prompts.iter().enumerate().map(row).collect();
        }
        decoder.longest = decoder.width() + new.saturating_sub(1);
        let scores = decoder.read()?;
        Ok((decoder, scores))
    }

    /// Writes what every text starts with.
    fn start(&mut self, start: &[Start]) -> Result<()> {
        for part in start {
            match part {
                Start::Token(token) => {
                    self.rows.iter_mut().for_each(|row| row.tokens.push(*token));
                }
                Start::LikeliestOf(tokens) => {
                    let (scores, _) = self.pass(None)?;
                    for (row, scores) in self.rows.iter_mut().zip(&scores) {
                        let score = |token: u32| {
                            let score = scores.get(token as usize);
                            score.copied().unwrap_or(f32::NEG_INFINITY)
                        };
                        // Of equals the first, as argmax has it.
                        let best = tokens.iter().copied().rev();
                        let best = best.max_by(|&a, &b| score(a).total_cmp(&score(b)));
                        row.tokens.extend(best);
                    }
                }
            }
        }
        Ok(())
    }

    /// The texts, in the order of the scores.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Row `i` becomes row `steps[i].0` with the token `steps[i].1` behind it; gives the scores
    /// of the tokens after that.
    pub fn step(&mut self, steps: &[(usize, u32)]) -> Result<Vec<Vec<f32>>> {
        let same = steps.len() == self.rows.len();
        if same && (0..).zip(steps).all(|(i, step)| i == step.0) {
            for (row, step) in self.rows.iter_mut().zip(steps) {
                row.tokens.push(step.1);
            }
            return self.read();
        }
        let rows = steps.iter().map(|&(from, token)| {
            let mut row = self.rows[from].clone();
            row.tokens.push(token);
            row
        });
        let rows: Vec<Row> = rows.collect();
        let sources = |rows: &[Row]| rows.iter().map(|row| row.prompt).collect::<Vec<_>>();
        let same_sources = sources(&rows) == sources(&self.rows);
        let from: Vec<i64> = steps.iter().map(|&(from, _)| from as i64).collect();
        let shape = [from.len()];
        let device = self.model.device();
        let from = Tensor::<1, Int>::from_data(TensorData::new(from, shape), &device);
        self.cache = self.cache.take().map(|cache| {
            if same_sources {
                cache.select_own(&from)
            } else {
                cache.select(&from)
            }
        });
        if !same_sources {
            self.encoded = self.encoded.take().map(|x| x.select(0, from.clone()));
            self.source_keep = self.source_keep.take().map(|x| x.select(0, from));
        }
        self.rows = rows;
        self.read()
    }

    /// Positions of every row, padding included.
    fn width(&self) -> usize {
        self.rows
            .first()
            .map_or(0, |row| row.pad + row.tokens.len())
    }

    /// Reads what the cache lacks, and gives the scores of the next tokens.
    fn read(&mut self) -> Result<Vec<Vec<f32>>> {
        let crosses = self.crosses();
        let cache = self.cache.take().filter(|_| !crosses);
        let cache = cache.map(|cache| match cache.room() {
            0 if self.engine.in_place() => {
                let left = self.longest.saturating_sub(cache.past());
                cache.with_room(left.clamp(1, ROOM))
            }
            _ => cache,
        });
        let (scores, cache) = self.pass(cache)?;
        if self.cached {
            self.cache = cache;
            // The cache has its keys and values now.
            self.encoded = self.encoded.take().filter(|_| !self.engine.in_place());
        }
        Ok(scores)
    }

    /// Whether a row has just become longer than the original sequences of scaled positions,
    /// whose family turns all its keys anew then: Phi-3's alone, as transformers has it. The keys
    /// of other rows come out as they were, since each depends on its own row's length.
    fn crosses(&self) -> bool {
        if self.model.family() != "phi3" {
            return false;
        }
        let blocks = self.model.config().decoder.iter().flat_map(|d| &d.blocks);
        let mut rotaries = blocks.filter_map(|block| block.attention.rotary.as_ref());
        rotaries.any(|rotary| match rotary.scaling {
            RotaryScaling::LongRope { original, .. } => {
                let mut lengths = self.rows.iter().map(|row| row.tokens.len());
                lengths.any(|length| length == original + 1)
            }
            _ => false,
        })
    }

    /// Runs the network over the tokens that `cache` lacks: the last position's scores of each
    /// row, and the cache with those tokens.
    fn pass(&self, cache: Option<Cache>) -> Result<(Vec<Vec<f32>>, Option<Cache>)> {
        let (rows, width) = (self.rows.len(), self.width());
        let past = cache.as_ref().map_or(0, Cache::past);
        let device = self.model.device();
        let tensor = |value: &dyn Fn(&Row, usize) -> i64, from: usize| {
            let values = self
                .rows
                .iter()
                .flat_map(|row| (from..width).map(move |at| value(row, at)));
            let data = TensorData::new(values.collect::<Vec<_>>(), [rows, width - from]);
            Tensor::<2, Int>::from_data(data, &device)
        };
        let token = |row: &Row, at: usize| match at.checked_sub(row.pad) {
            Some(at) => i64::from(row.tokens[at]),
            None => 0,
        };
        let ids = tensor(&token, past);
        let padded = self.rows.iter().any(|row| row.pad > 0);
        let keep = padded.then(|| tensor(&|row, at| i64::from(at >= row.pad), 0));
        let batch = if self.model.config().encodes_and_decodes() {
            Batch {
                decoder_input_ids: Some(ids),
                attention_mask: self.source_keep.clone(),
                encoded: self.encoded.clone(),
                ..Batch::default()
            }
        } else {
            Batch {
                attention_mask: keep,
                ..Batch::new(ids)
            }
        };
        let batch = Batch {
            cache,
            last_only: true,
            length: Length::Row,
            ..batch
        };
        let (logits, cache) = self.engine.decode(batch)?; // [rows, 1, vocab]
        let vocab = logits.dims()[2];
        let scores = logits
            .try_into_data()
            .map_err(|e| Error::Input(format!("the device failed: {e}")))?
            .convert::<f32>()
            .try_into_vec::<f32>()
            .map_err(|e| Error::Input(format!("the logits cannot be read: {e}")))?;
        let invalid = |score: &f32| score.is_nan() || *score == f32::INFINITY;
        if !self.tolerant && scores.iter().any(invalid) {
            return Err(Error::Input(
                "the model's logits are not numbers: its weights are broken, or overflow where it \
                 computes in float16, which ends at 65504 (use --dtype f32 or bf16)"
                    .into(),
            ));
        }
        let scores = scores.chunks_exact(vocab.max(1)).map(<[f32]>::to_vec);
        Ok((scores.collect(), cache))
    }
}
