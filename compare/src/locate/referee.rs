//! What the parts of the exact model read and write, and how far rounding moves them.

use burn::tensor::DType;
use fluxo_models::{Model, Part, Probe, Request, Tensors, Weights};

use super::{Asked, Given, measure};
use crate::error::Result;
use crate::mask::Mask;
use crate::referee::{RUNS, backend, unit};

/// The referee, for one set of inputs.
pub(super) struct Referee<'a> {
    model: Model,
    inputs: &'a Tensors,
    mask: Mask,
    /// A unit of the last place of the model's precision.
    pub unit: f64,
    /// What the blocks and what stands around them read.
    top: Given,
    /// The scopes that were looked at, without the values of any but the outermost.
    outermost: Option<Scope>,
}

/// The parts of one part.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// The part; empty for the whole network.
    pub path: String,
    within: Option<String>,
    /// What its parts read and wrote.
    pub exact: Vec<Part>,
    /// Of each, its noise.
    pub noise: Vec<Noise>,
    given: Given,
}

/// How far rounding moves what a part writes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Noise {
    /// Where it reads what the exact part reads.
    pub own: f64,
    /// Where the parts before it round too; measured for the outermost parts.
    pub gathered: f64,
}

impl Scope {
    /// Its parts that have parts.
    pub fn divided(&self) -> impl Iterator<Item = &str> {
        let divided = self.exact.iter().filter(|part| part.divides);
        divided.map(|part| part.path.as_str())
    }

    pub fn asked(&self) -> Asked<'_> {
        Asked {
            path: &self.path,
            within: self.within.as_deref(),
            exact: &self.exact,
            given: &self.given,
        }
    }
}

impl<'a> Referee<'a> {
    pub fn new(model: &Model, inputs: &'a Tensors) -> Result<Option<Self>> {
        let Some(backend) = backend() else {
            return Ok(None);
        };
        let device = fluxo_backends::device(backend)?;
        Ok(Some(Self {
            model: model.clone().to_device(&device),
            inputs,
            mask: Mask::of(inputs)?,
            unit: unit(model.dtype()),
            top: Given::new(),
            outermost: None,
        }))
    }

    /// The parts of the part `path`.
    pub fn scope(&mut self, path: &str) -> Result<Scope> {
        if let Some(scope) = self.outermost.as_ref().filter(|_| path.is_empty()) {
            return Ok(scope.clone());
        }
        let within = self.top.keys().find(|top| inside(path, top)).cloned();
        let within = within.or_else(|| embedding(path));
        // The block's own input, and what the encoder gave it.
        let mut given: Given = self
            .top
            .iter()
            .filter(|(top, _)| Some(*top) == within.as_ref() || top.ends_with(ENCODED))
            .map(|(top, data)| (top.clone(), data.clone()))
            .collect();
        let exact = self.pass(Weights::In(DType::F64), path, within.as_deref(), &given)?;
        let inputs = exact
            .iter()
            .filter_map(|part| Some((part.path.clone(), part.input.clone()?)));
        given.extend(inputs);
        if path.is_empty() {
            self.top = given.clone();
        }
        let mut noise = vec![Noise::default(); exact.len()];
        let runs = if exact.is_empty() { 0 } else { RUNS + 1 };
        for seed in 0..runs {
            let weights = match seed {
                0 => Weights::AsTheyAre,
                seed => Weights::Moved { seed },
            };
            let own = self.pass(weights, path, within.as_deref(), &given)?;
            self.widen(&exact, &own, &mut noise, |noise| &mut noise.own);
            if path.is_empty() {
                let run = self.pass(weights, path, None, &Given::new())?;
                self.widen(&exact, &run, &mut noise, |noise| &mut noise.gathered);
            }
        }
        let mut scope = Scope {
            path: path.to_string(),
            within,
            exact,
            noise,
            given,
        };
        // What a decoder is given is no part.
        let seen = |part: &Part| !part.path.ends_with(ENCODED);
        let mut shown = scope.exact.iter().map(seen).collect::<Vec<_>>().into_iter();
        scope.noise.retain(|_| shown.next().unwrap_or_default());
        scope.exact.retain(seen);
        if path.is_empty() {
            self.outermost = Some(scope.clone());
        }
        Ok(scope)
    }

    fn pass(
        &self,
        weights: Weights,
        path: &str,
        only: Option<&str>,
        given: &Given,
    ) -> Result<Vec<Part>> {
        let probe = probe(weights, path, only, given);
        let request = Request::default();
        Ok(self.model.probe(self.inputs, &request, probe)?.1)
    }

    fn widen(
        &self,
        exact: &[Part],
        run: &[Part],
        noise: &mut [Noise],
        which: impl Fn(&mut Noise) -> &mut f64,
    ) {
        for (exact, noise) in exact.iter().zip(noise) {
            if let Some(part) = run.iter().find(|part| part.path == exact.path) {
                let off = self.error(exact, part);
                let noise = which(noise);
                // Outputs that no number measures explain nothing.
                *noise = noise.max(if off.is_finite() { off } else { 0.0 });
            }
        }
    }

    /// The error of what `part` wrote.
    pub fn error(&self, exact: &Part, part: &Part) -> f64 {
        let shape = exact.output.shape().as_slice();
        let kept = match shape.len() {
            // Heads may be as many as positions.
            4 => None,
            _ => self.mask.of_output(&self.shown(&exact.path), shape),
        };
        measure::error(&exact.output, &part.output, kept.as_deref())
    }

    /// What the masks know the part `path` by.
    fn shown(&self, path: &str) -> String {
        let encodes = [".cross.key", ".cross.value", ENCODED];
        match encodes.iter().any(|end| path.ends_with(end)) {
            true => format!("encoder.{path}"),
            false => self.model.config().parameter(path).to_string(),
        }
    }

    /// The tap behind the part `path` of the whole network.
    pub fn tap(&self, path: &str) -> String {
        let shown = self.model.config().parameter(path);
        match path.contains(".layers.") {
            true => format!("{shown}.h"),
            false => shown.to_string(),
        }
    }
}

/// What ends the path of the encoder's output where a decoder reads it.
const ENCODED: &str = ".encoded";

/// A pass with `weights` that feeds `given` and notes the parts of `path`, running only the block
/// or head `only`.
pub(super) fn probe(weights: Weights, path: &str, only: Option<&str>, given: &Given) -> Probe {
    let probe = Probe::new(weights).within(path);
    let probe = probe.given(given.iter().map(|(k, v)| (k.clone(), v.clone())).collect());
    match only {
        Some(only) => probe.only(only),
        None => probe,
    }
}

/// Whether the part `path` is `outer` or one of its parts.
fn inside(path: &str, outer: &str) -> bool {
    let rest = path.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What starts the stack in which `path` stands, which reads no stream.
fn embedding(path: &str) -> Option<String> {
    let mut parts = path.splitn(3, '.');
    let (stack, start) = (parts.next()?, parts.next()?);
    Some(format!("{stack}.{start}"))
}
