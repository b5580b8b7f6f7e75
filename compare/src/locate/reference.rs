//! What the parts of the exact model read and write, and how far rounding moves them.

use std::ops::Range;

use fluxo_models::{Model, ModuleIo, NetworkConfig, Probe, Tensors};

use super::model_source::ModelSource;
use super::suspect::{ForcedInputs, ProbeRequest};
use crate::checkpoint_cache::{CheckpointCache, CheckpointSpec};
use crate::error::Result;
use crate::inputs::mask::Mask;
use crate::referee::{MEASURING, Run};
use fluxo_backends::kernels::unit;
use fluxo_verify::Mask as _;
use fluxo_verify::diff::{Off, Rounding};

/// The referee, for one set of inputs.
pub(super) struct Referee<'a> {
    model: ModelSource,
    config: NetworkConfig,
    inputs: &'a Tensors,
    mask: Mask,
    /// A unit of the last place of the model's precision.
    pub unit: f64,
    /// What the blocks and what stands around them read.
    top: ForcedInputs,
    /// The scopes that were looked at, without the values of any but the outermost.
    outermost: Option<Scope>,
}

/// The parts of one part, or of several of one block.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// The parts that they are parts of; an empty one is the whole network.
    paths: Vec<String>,
    within: Option<String>,
    /// What they read and wrote.
    pub exact: Vec<ModuleIo>,
    /// Of each, its noise.
    pub noise: Vec<Noise>,
    /// In how many runs what gathers was measured.
    gathered: u64,
    given: ForcedInputs,
}

/// How far rounding moves what a part writes.
#[derive(Debug, Clone)]
pub(super) struct Noise {
    /// Where it reads what the exact part reads.
    pub own: Rounding,
    /// In how many runs that was measured.
    runs: u64,
    /// Where the parts before it round too; measured for the outermost parts.
    pub gathered: Rounding,
}

impl Noise {
    /// Nothing yet.
    fn unmeasured() -> Self {
        Self {
            own: Rounding::of_part(),
            runs: 0,
            gathered: Rounding::of_part(),
        }
    }
}

impl Scope {
    /// Its parts that have parts.
    pub fn divided(&self) -> Vec<String> {
        let divided = self.exact.iter().filter(|part| part.divides);
        divided.map(|part| part.path.clone()).collect()
    }

    /// Whether they are those of the whole network.
    pub fn is_whole(&self) -> bool {
        self.paths.iter().any(String::is_empty)
    }

    pub fn asked(&self) -> ProbeRequest<'_> {
        ProbeRequest {
            paths: &self.paths,
            within: self.within.as_deref(),
            exact: &self.exact,
            given: &self.given,
        }
    }
}

impl<'a> Referee<'a> {
    /// `model`, on a backend that computes in float64.
    pub fn new(model: Model, inputs: &'a Tensors) -> Result<Self> {
        let (config, unit) = (model.config().clone(), unit(model.dtype()));
        Self::of(ModelSource::Model(Box::new(model)), config, unit, inputs)
    }

    /// The checkpoint `wanted` from `checkpoints`.
    pub fn cached(
        checkpoints: &CheckpointCache,
        wanted: CheckpointSpec,
        inputs: &'a Tensors,
    ) -> Result<Self> {
        let config = checkpoints.model(&wanted)?.config().clone();
        let unit = unit(wanted.dtype());
        Self::of(
            ModelSource::checkpoint(checkpoints, wanted),
            config,
            unit,
            inputs,
        )
    }

    fn of(
        model: ModelSource,
        config: NetworkConfig,
        unit: f64,
        inputs: &'a Tensors,
    ) -> Result<Self> {
        Ok(Self {
            model,
            config,
            inputs,
            mask: Mask::of(inputs)?,
            unit,
            top: ForcedInputs::new(),
            outermost: None,
        })
    }

    /// The parts of the parts `paths`, which are of one block. Their noise is measured in one run;
    /// see [`Referee::measure_own`] and [`Referee::measure_gathered`].
    pub fn scope(&mut self, paths: &[String]) -> Result<Scope> {
        let whole = paths.iter().any(String::is_empty);
        if let Some(scope) = self.outermost.as_ref().filter(|_| whole) {
            return Ok(scope.clone());
        }
        let within = paths.iter().find_map(|path| {
            let top = self.top.keys().find(|top| inside(path, top)).cloned();
            top.or_else(|| embedding(path))
        });
        // The block's own input, and what the encoder gave it.
        let mut given: ForcedInputs = self
            .top
            .iter()
            .filter(|(top, _)| Some(*top) == within.as_ref() || top.ends_with(ENCODED))
            .map(|(top, data)| (top.clone(), data.clone()))
            .collect();
        let exact = Run::EXACT;
        let exact = self.pass(exact, paths, within.as_deref(), &given)?;
        let inputs = exact
            .iter()
            .filter_map(|part| Some((part.path.clone(), part.input.clone()?)));
        given.extend(inputs);
        if whole {
            self.top = given.clone();
        }
        let mut scope = Scope {
            paths: paths.to_vec(),
            within,
            // What a decoder is given is no part.
            exact: exact
                .into_iter()
                .filter(|part| !part.path.ends_with(ENCODED))
                .collect(),
            noise: Vec::new(),
            gathered: 0,
            given,
        };
        scope.noise = vec![Noise::unmeasured(); scope.exact.len()];
        if !scope.exact.is_empty() {
            let within = scope.within.clone();
            self.own(&mut scope, within.as_deref(), 0..1)?;
            scope.noise.iter_mut().for_each(|noise| noise.runs = 1);
            self.gather(&mut scope, 0..1)?;
        }
        Ok(scope)
    }

    /// Measures the noise of the parts `which` of `scope` in all runs, the last of which adds up
    /// products in another order. Blocks run one by one, without the others.
    pub fn measure_own(&mut self, scope: &mut Scope, which: &[bool]) -> Result<()> {
        let parts = scope.noise.iter().zip(which).enumerate();
        let left: Vec<usize> = parts
            .filter(|(_, (noise, wanted))| **wanted && noise.runs < MEASURING)
            .map(|(index, _)| index)
            .collect();
        let block = |index: &usize| {
            let path = scope.exact[*index].path.clone();
            (scope.is_whole() && path.contains(".layers.")).then_some(path)
        };
        match left.iter().map(block).collect::<Option<Vec<_>>>() {
            Some(blocks) => {
                for (index, block) in left.into_iter().zip(blocks) {
                    self.own(scope, Some(&block), 1..MEASURING)?;
                    scope.noise[index].runs = MEASURING;
                }
            }
            None => {
                let within = scope.within.clone();
                self.own(scope, within.as_deref(), 1..MEASURING)?;
                scope
                    .noise
                    .iter_mut()
                    .for_each(|noise| noise.runs = MEASURING);
            }
        }
        self.remember(scope);
        Ok(())
    }

    /// Measures what gathers before the parts of `scope`, the outermost, in all runs.
    pub fn measure_gathered(&mut self, scope: &mut Scope) -> Result<()> {
        self.gather(scope, scope.gathered..MEASURING)
    }

    /// Measures the noise of the parts of `scope` in these runs, of the block or head `only` alone.
    fn own(&mut self, scope: &mut Scope, only: Option<&str>, runs: Range<u64>) -> Result<()> {
        for run in runs.map(Run::of_parts) {
            let mut own = self.pass(run, &scope.paths, only, &scope.given)?;
            if let Some(only) = only.filter(|_| scope.is_whole()) {
                // The others did not run.
                own.retain(|part| part.path == only);
            }
            self.widen(&scope.exact, &own, &mut scope.noise, |n| &mut n.own);
        }
        Ok(())
    }

    fn gather(&mut self, scope: &mut Scope, runs: Range<u64>) -> Result<()> {
        if !scope.is_whole() {
            return Ok(());
        }
        for run in runs.clone().map(Run::of_parts) {
            let run = self.pass(run, &scope.paths, None, &ForcedInputs::new())?;
            self.widen(&scope.exact, &run, &mut scope.noise, |n| &mut n.gathered);
        }
        scope.gathered = runs.end;
        self.remember(scope);
        Ok(())
    }

    /// Keeps the outermost scope for the next suspect.
    fn remember(&mut self, scope: &Scope) {
        if scope.is_whole() {
            self.outermost = Some(scope.clone());
        }
    }

    fn pass(
        &mut self,
        run: Run,
        paths: &[String],
        only: Option<&str>,
        given: &ForcedInputs,
    ) -> Result<Vec<ModuleIo>> {
        let probe = noting(run.probe(), paths, only, given);
        self.model.pass(self.inputs, only, probe)
    }

    fn widen(
        &self,
        exact: &[ModuleIo],
        run: &[ModuleIo],
        noise: &mut [Noise],
        which: impl Fn(&mut Noise) -> &mut Rounding,
    ) {
        for (exact, noise) in exact.iter().zip(noise) {
            if let Some(part) = run.iter().find(|part| part.path == exact.path) {
                let kept = self.kept(exact);
                which(noise).widen(&exact.output, &part.output, kept.as_deref());
            }
        }
    }

    /// How far off what `part` wrote is, where rounding explains `noise`, and so much of a row is
    /// `allowed` where that explains so much of it.
    pub fn off(
        &self,
        exact: &ModuleIo,
        part: &ModuleIo,
        noise: &Rounding,
        allowed: impl Fn(f64) -> f64,
    ) -> Off {
        let kept = self.kept(exact);
        let kept = kept.as_deref();
        if kept.is_some_and(|kept| !kept.contains(&true)) {
            // All of it is padding.
            return Off {
                scaled: 0.0,
                noise: 0.0,
            };
        }
        let off = noise.worst(&exact.output, &part.output, kept, allowed);
        off.unwrap_or(Off {
            scaled: f64::INFINITY,
            noise: 0.0,
        })
    }

    /// Which values of what `exact` wrote count.
    fn kept(&self, exact: &ModuleIo) -> Option<Vec<bool>> {
        let shape = exact.output.shape().as_slice();
        match shape.len() {
            // Heads may be as many as positions.
            4 => None,
            _ => self.mask.of_output(&self.shown(&exact.path), shape),
        }
    }

    /// What the masks know the part `path` by.
    fn shown(&self, path: &str) -> String {
        let encodes = [".cross.key", ".cross.value", ENCODED];
        if encodes.iter().any(|end| path.ends_with(end)) {
            format!("encoder.{path}")
        } else {
            self.config.parameter(path).to_string()
        }
    }

    /// The tap behind the part `path` of the whole network.
    pub fn tap(&self, path: &str) -> String {
        let shown = self.config.parameter(path);
        if path.contains(".layers.") {
            format!("{shown}.h")
        } else {
            shown.to_string()
        }
    }
}

/// What ends the path of the encoder's output where a decoder reads it.
const ENCODED: &str = ".encoded";

/// The pass `probe` that feeds `given` and notes the parts of `paths`, running only the block or
/// head `only`.
pub(super) fn noting(
    probe: Probe,
    paths: &[String],
    only: Option<&str>,
    given: &ForcedInputs,
) -> Probe {
    let within = |probe: Probe, path: &String| probe.within(path);
    let probe = paths.iter().fold(probe, within);
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
