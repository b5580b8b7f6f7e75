//! The search for the part in which a suspect parts from the referee.

use fluxo_models::{Model, ModuleIo, Tensors};
use fluxo_verify::diff::{Off, Rounding};
use fluxo_verify::report::{Location, PartError};

use super::reference::{Noise, Referee, Scope};
use super::suspect::{Suspect, allowed};
use crate::checkpoint_cache::{CheckpointCache, CheckpointSpec};
use crate::error::Result;

/// A referee for one set of inputs, to look at one suspect after the other.
pub struct Locator<'a> {
    referee: Referee<'a>,
    inputs: &'a Tensors,
}

impl<'a> Locator<'a> {
    /// `model` as the referee on `inputs`, named as the model's; `None` where no backend of this
    /// build computes in float64.
    ///
    /// # Errors
    /// When the inputs' masks do not fit them.
    pub fn new(model: &Model, inputs: &'a Tensors) -> Result<Option<Self>> {
        let Some(backend) = crate::referee::backend() else {
            return Ok(None);
        };
        let model = model.clone().to_device(&fluxo_backends::device(backend)?);
        Ok(Some(Self {
            referee: Referee::new(model, inputs)?,
            inputs,
        }))
    }

    /// The checkpoint `wanted` from `checkpoints` as the referee on `inputs`.
    ///
    /// # Errors
    /// As [`Locator::new`], and when the checkpoint cannot be loaded.
    pub(crate) fn cached(
        checkpoints: &CheckpointCache,
        wanted: CheckpointSpec,
        inputs: &'a Tensors,
    ) -> Result<Self> {
        Ok(Self {
            referee: Referee::cached(checkpoints, wanted, inputs)?,
            inputs,
        })
    }

    /// Looks for the first part at fault of `suspect`.
    ///
    /// # Errors
    /// When the inputs do not fit the model. A suspect that fails has its reason in
    /// [`Location::note`].
    pub fn look(&mut self, suspect: &mut dyn Suspect) -> Result<Location> {
        let mut search = Search {
            referee: &mut self.referee,
            suspect,
            inputs: self.inputs,
            parts: Vec::new(),
            tap: None,
            looked_at: 0,
            of: 0,
            largest: 0.0,
        };
        let path = search.search();
        let Search {
            parts,
            tap,
            looked_at,
            of,
            largest,
            ..
        } = search;
        let (path, note) = match path {
            Ok(path) => (path, None),
            Err(error) if error.is_input() => return Err(error),
            Err(error) => (None, Some(error.to_string())),
        };
        Ok(Location {
            node: path.as_ref().and_then(|path| suspect.node(path)),
            path,
            tap,
            parts,
            looked_at,
            of,
            largest,
            note,
            ..Location::of(&suspect.label().name)
        })
    }
}

/// The search in one suspect.
struct Search<'a, 'b> {
    referee: &'a mut Referee<'b>,
    suspect: &'a mut dyn Suspect,
    inputs: &'a Tensors,
    parts: Vec<PartError>,
    tap: Option<String>,
    looked_at: usize,
    of: usize,
    largest: f64,
}

impl Search<'_, '_> {
    /// The innermost part at fault.
    fn search(&mut self) -> Result<Option<String>> {
        let mut top = self.referee.scope(&[String::new()])?;
        if let Some(at_fault) = self.look(&mut top)? {
            return self.descend(at_fault).map(Some);
        }
        if self.suspect.is_measure() {
            return Ok(None);
        }
        // A block's stream may be so large that it hides what its parts do.
        for block in top.divided() {
            let mut paths = vec![block];
            for _ in 0..2 {
                let seen = self.parts.len();
                let mut scope = self.referee.scope(&paths)?;
                if let Some(at_fault) = self.look(&mut scope)? {
                    return self.descend(at_fault).map(Some);
                }
                // Clean ones would fill the report.
                self.parts.truncate(seen);
                paths = scope.divided();
                if paths.is_empty() {
                    break;
                }
            }
        }
        Ok(None)
    }

    /// The innermost part at fault of the part at fault `path`: itself where none of its parts is.
    fn descend(&mut self, path: String) -> Result<String> {
        let (mut path, mut divides) = (path, true);
        loop {
            if !divides {
                return Ok(path);
            }
            let mut scope = self.referee.scope(std::slice::from_ref(&path))?;
            let seen = self.parts.len();
            let Some(inner) = self.look(&mut scope)? else {
                return Ok(path);
            };
            // Where all of it is wrong, no part of it is to blame: another precision, say.
            let parts = &self.parts[seen..];
            if parts.len() > 1 && parts.iter().all(|part| part.at_fault) {
                return Ok(path);
            }
            let part = scope.exact.iter().find(|part| part.path == inner);
            divides = part.is_some_and(|part| part.divides);
            path = inner;
        }
    }

    /// Looks at the parts of `scope`; gives the first part at fault one.
    fn look(&mut self, scope: &mut Scope) -> Result<Option<String>> {
        if scope.exact.is_empty() {
            return Ok(None);
        }
        let forced = self.suspect.forced(self.inputs, &scope.asked())?;
        let coarser = self.suspect.label().unit.unwrap_or(self.referee.unit) / self.referee.unit;
        let coarser = coarser.max(1.0);
        let kind = self.suspect.label().kind;
        let allowed = |noise: f64| allowed(kind, noise * coarser);
        let beyond = |off: &Option<Off>| {
            off.is_some_and(|off| off.scaled.is_nan() || off.scaled > allowed(off.noise))
        };
        let own =
            |search: &Self, scope: &Scope| search.off(&forced, scope, |noise| &noise.own, allowed);
        // More runs can only explain more.
        let mut found = own(self, scope);
        let suspected: Vec<bool> = found.iter().map(beyond).collect();
        if suspected.contains(&true) {
            self.referee.measure_own(scope, &suspected)?;
            found = own(self, scope);
        }
        drop(forced);
        let blamed: Vec<bool> = found.iter().map(beyond).collect();
        // A whole run only for what is shown.
        let plain = if scope.is_whole() || blamed.contains(&true) {
            self.suspect.plain(self.inputs, &scope.asked())?
        } else {
            Vec::new()
        };
        let gathered = |search: &Self, scope: &Scope| {
            search.off(&plain, scope, |noise| &noise.gathered, allowed)
        };
        let mut cumulative = gathered(self, scope);
        if scope.is_whole() && self.tap.is_none() && cumulative.iter().any(beyond) {
            self.referee.measure_gathered(scope)?;
            cumulative = gathered(self, scope);
            let first = cumulative.iter().position(beyond);
            let first = first.map(|index| &scope.exact[index].path);
            self.tap = first.map(|path| self.referee.tap(path));
        }
        drop(plain);
        let mut at_fault = None;
        for (index, exact) in scope.exact.iter().enumerate() {
            let (own, beyond) = (found[index], blamed[index]);
            if beyond && at_fault.is_none() {
                at_fault = Some(exact.path.clone());
            }
            let noise = own.map_or(scope.noise[index].own.even(), |own| own.noise);
            let part = PartError {
                path: exact.path.clone(),
                cumulative: cumulative[index].map(|off| off.scaled),
                teacher_forced: own.map(|own| own.scaled),
                noise: noise * coarser,
                at_fault: beyond,
            };
            self.of += 1;
            self.looked_at += usize::from(own.is_some());
            if !beyond {
                self.largest = self.largest.max(part.noise_ratio());
            }
            self.parts.push(part);
        }
        Ok(at_fault)
    }

    /// How far off what the parts of `scope` wrote is, where `parts` have them, for `which` of
    /// their noises.
    fn off(
        &self,
        parts: &[ModuleIo],
        scope: &Scope,
        which: impl Fn(&Noise) -> &Rounding,
        allowed: impl Fn(f64) -> f64,
    ) -> Vec<Option<Off>> {
        let exact = scope.exact.iter().zip(&scope.noise);
        let off = exact.map(|(exact, noise)| {
            let part = parts.iter().find(|part| part.path == exact.path)?;
            Some(self.referee.off(exact, part, which(noise), &allowed))
        });
        off.collect()
    }
}
