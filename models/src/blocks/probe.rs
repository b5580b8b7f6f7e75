//! A look at the parts of a network while it runs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor, TensorData};
pub use fluxo_backends::kernels::unit;
use fluxo_backends::kernels::{self, Sums};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Rows of a table of tokens that are changed at a time.
const ROWS: usize = 8192;

/// What a pass makes of the weights. They are changed part by part, just before a part runs, so
/// that never all of them are held twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// Nothing.
    AsTheyAre,
    /// Their values in another element type.
    In(DType),
    /// Each moved by a unit of its last place, up or down at random.
    Moved {
        /// Where the random numbers start.
        seed: u64,
    },
}

/// What one part read and wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleIo {
    /// Its path among the modules: `decoder.layers.3.attention.query`, the layer counted in the
    /// order of the computation.
    pub path: String,
    /// What it read; `None` where that is no stream of numbers.
    pub input: Option<TensorData>,
    /// What it wrote.
    pub output: TensorData,
    /// Whether it is made of parts.
    pub divides: bool,
}

/// What is asked of a pass.
#[derive(Debug)]
pub struct Probe {
    weights: Weights,
    random: StdRng,
    within: Vec<String>,
    only: Option<String>,
    in_sequence: Option<Sums>,
    coarse: f64,
    given: BTreeMap<String, TensorData>,
    found: Vec<Noted>,
    /// The parts that run, outermost first.
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    path: String,
    input: Option<Held>,
    divides: bool,
}

/// A [`ModuleIo`] on the device.
#[derive(Debug)]
struct Noted {
    path: String,
    input: Option<Held>,
    output: Held,
    divides: bool,
}

/// A tensor of any rank, read when the pass is over: read in the middle of one, values of a
/// backend that fuses operations (wgpu of Burn 0.22.1) come out wrong.
struct Held(Box<dyn FnOnce() -> TensorData>);

impl Held {
    fn new<const D: usize>(x: &Tensor<D>) -> Self {
        let x = x.clone();
        Self(Box::new(move || x.into_data()))
    }

    fn read(self) -> TensorData {
        (self.0)()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl Probe {
    /// A pass with `weights`, of which nothing is noted.
    pub fn new(weights: Weights) -> Self {
        let seed = match weights {
            Weights::Moved { seed } => seed,
            _ => 0,
        };
        Self {
            weights,
            random: StdRng::seed_from_u64(seed),
            within: Vec::new(),
            only: None,
            in_sequence: None,
            coarse: 0.0,
            given: BTreeMap::new(),
            found: Vec::new(),
            running: Vec::new(),
        }
    }

    /// Notes what each direct part of the part `path` reads and writes; of the whole network
    /// where `path` is empty. Asked several times, those of each.
    #[must_use]
    pub fn within(mut self, path: &str) -> Self {
        self.within.push(path.to_string());
        self
    }

    /// Runs the block or head `path` and no other; what it reads must be given.
    #[must_use]
    pub fn only(mut self, path: &str) -> Self {
        self.only = Some(path.to_string());
        self
    }

    /// Adds up these sums in sequence ([`kernels::in_sequence`]).
    #[must_use]
    pub fn in_sequence(mut self, sums: Sums) -> Self {
        self.in_sequence = Some(sums);
        self
    }

    /// The factors of activations err by so many units of the last place
    /// ([`kernels::coarse`]).
    #[must_use]
    pub fn coarse(mut self, units: f64) -> Self {
        self.coarse = units;
        self
    }

    /// By how many units they err.
    pub(crate) fn units(&self) -> f64 {
        self.coarse
    }

    /// What it adds in sequence.
    pub(crate) fn sums(&self) -> Option<Sums> {
        self.in_sequence
    }

    /// What parts read in place of what reaches them, by path, rounded to the pass's precision.
    #[must_use]
    pub fn given(mut self, given: BTreeMap<String, TensorData>) -> Self {
        self.given = given;
        self
    }

    /// The element type that the weights come to have.
    pub(crate) fn dtype(&self) -> Option<DType> {
        match self.weights {
            Weights::In(dtype) => Some(dtype),
            _ => None,
        }
    }

    /// What was noted, in the order in which the parts ended.
    pub(crate) fn into_found(self) -> Vec<ModuleIo> {
        let read = |noted: Noted| ModuleIo {
            path: noted.path,
            input: noted.input.map(Held::read),
            output: noted.output.read(),
            divides: noted.divides,
        };
        self.found.into_iter().map(read).collect()
    }

    /// A pass that only looks once the part `path`, a block or a head, is reached skips the others.
    pub(crate) fn skips(&self, path: std::fmt::Arguments<'_>) -> bool {
        let path = || path.to_string();
        self.only.as_ref().is_some_and(|only| *only != path())
    }

    /// A part begins.
    pub(crate) fn begin(&mut self, name: std::fmt::Arguments<'_>) {
        let path = match self.running.last_mut() {
            Some(outer) => {
                outer.divides = true;
                format!("{}.{name}", outer.path)
            }
            None => name.to_string(),
        };
        self.running.push(Running {
            path,
            input: None,
            divides: false,
        });
    }

    /// What the part that began last reads in place of `x`.
    pub(crate) fn read<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        let noted = self.notes();
        let Some(running) = self.running.last_mut() else {
            return x;
        };
        let x = match self.given.get(&running.path) {
            Some(data) => Tensor::from_data(data.clone(), (&x.device(), x.dtype())),
            None => x,
        };
        if noted {
            running.input = Some(Held::new(&x));
        }
        x
    }

    /// The part that began last ends with `y`.
    pub(crate) fn end<const D: usize>(&mut self, y: &Tensor<D>) {
        let noted = self.notes();
        let Some(ended) = self.running.pop() else {
            return;
        };
        if noted {
            self.found.push(Noted {
                path: ended.path,
                input: ended.input,
                output: Held::new(y),
                divides: ended.divides,
            });
        }
    }

    /// Whether the part that began last is one of those asked for.
    fn notes(&self) -> bool {
        let outer = match self.running.as_slice() {
            [.., outer, _] => outer.path.as_str(),
            _ => "",
        };
        self.within.iter().any(|within| within == outer)
    }

    /// `module` as this pass has its weights.
    pub(crate) fn weights<'a, M: Module>(&mut self, module: &'a M) -> Cow<'a, M> {
        match self.weights {
            Weights::AsTheyAre => Cow::Borrowed(module),
            _ => Cow::Owned(module.clone().map(self)),
        }
    }

    /// A weight as this pass has it.
    pub(crate) fn weight<const D: usize>(&mut self, value: Tensor<D>) -> Tensor<D> {
        match self.weights {
            Weights::AsTheyAre => value,
            Weights::In(dtype) => value.cast(dtype),
            Weights::Moved { .. } => self.moved(value),
        }
    }

    /// `x · tableᵀ`, the table's weights changed some rows at a time.
    pub(crate) fn tied<const D: usize>(&mut self, x: Tensor<D>, table: Tensor<2>) -> Tensor<D> {
        if self.weights == Weights::AsTheyAre {
            return kernels::tied(x, table);
        }
        let [rows, _] = table.dims();
        let parts = (0..rows).step_by(ROWS).map(|from| {
            let some = table.clone().narrow(0, from, ROWS.min(rows - from));
            kernels::tied(x.clone(), self.weight(some))
        });
        Tensor::cat(parts.collect(), D - 1)
    }

    fn moved<const D: usize>(&mut self, value: Tensor<D>) -> Tensor<D> {
        let (device, dtype) = (value.device(), value.dtype());
        let mut data = value.into_data().convert::<f32>();
        let unit = unit(dtype) as f32;
        // Floats they are now.
        for weights in data
            .as_mut_slice::<f32>()
            .into_iter()
            .flat_map(|all| all.chunks_mut(64))
        {
            let bits: u64 = self.random.random();
            for (i, weight) in weights.iter_mut().enumerate() {
                let up = bits >> i & 1 == 1;
                *weight *= if up { 1.0 + unit } else { 1.0 - unit };
            }
        }
        Tensor::from_data(data, (&device, dtype))
    }
}

impl ModuleMapper for Probe {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        Param::from_mapped_value(id, self.weight(value), mapper)
    }
}
