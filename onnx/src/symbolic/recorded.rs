//! A forward pass recorded, and what is recorded of it true at every size.

use burn::module::Module;
use burn::tensor::DType;

use crate::error::{Error, Result};
use crate::record::args::{Args, Outputs};
use crate::record::capture;
#[cfg(feature = "flex")]
use crate::record::module::float_type;
use crate::record::plan::{End, Plan, WIDER};
use crate::spec::Spec;
use crate::symbolic::{self, Symbolic};

/// What `forward` computes with `module`, as one graph whose numbers are expressions of `sizes`.
///
/// Small sizes are recorded first. Where maps shrink to single pixels there, numbers tell little
/// of what they follow, and larger sizes are recorded.
///
/// # Errors
/// As [`export`](crate::export).
pub(crate) fn recorded<M: Module>(
    module: &M,
    spec: &Spec,
    sizes: &[String],
    dtype: Option<DType>,
    forward: &impl Fn(&M, &mut Args) -> Outputs,
) -> Result<Symbolic> {
    let pass = Pass {
        module,
        spec,
        sizes,
        dtype,
        forward,
    };
    let small = pass.solved(1);
    let wider = match &small {
        _ if sizes.is_empty() => false,
        Ok((plan, sym)) => sym.loops.is_empty() && saturated(sym, plan),
        // Or it takes no image this small.
        Err(Error::NoClosedForm { .. } | Error::Forward { .. }) => true,
        Err(_) => false,
    };
    if !wider {
        return pass.held(small?);
    }
    // Larger sizes may be more than it takes.
    match pass.solved(WIDER).and_then(|solved| pass.held(solved)) {
        Ok(sym) => Ok(sym),
        Err(larger) => small.and_then(|solved| pass.held(solved)).map_err(|small| {
            let refused = matches!(larger, Error::Forward { .. } | Error::Spec(_));
            if refused { small } else { larger }
        }),
    }
}

/// Whether a rounded quotient is the same at all recorded sizes.
fn saturated(sym: &Symbolic, plan: &Plan) -> bool {
    let ranges = sym.ops.iter().flat_map(|op| &op.ranges);
    let bounds = ranges.flat_map(|range| [&range.start, &range.end]);
    let numbers = sym.ops.iter().flat_map(|op| &op.numbers);
    let lengths = sym.shapes.values().flatten();
    let mut all = lengths.chain(bounds).chain(numbers);
    all.any(|expr| expr.is_flat(&plan.traces))
}

/// What is recorded.
struct Pass<'a, M, F> {
    module: &'a M,
    spec: &'a Spec,
    sizes: &'a [String],
    dtype: Option<DType>,
    forward: &'a F,
}

impl<M: Module, F: Fn(&M, &mut Args) -> Outputs> Pass<'_, M, F> {
    fn trace(&self, at: &[i64]) -> Result<capture::Trace> {
        let Self {
            module,
            spec,
            sizes,
            dtype,
            forward,
        } = self;
        capture::trace(*module, spec, sizes, at, *dtype, *forward)
    }

    /// The graph of the traces at about `wider` times the smallest sizes.
    fn solved(&self, wider: i64) -> Result<(Plan, Symbolic)> {
        let mut plan = Plan::new(self.spec, self.sizes, wider)?;
        let mut traces = Vec::new();
        for at in &plan.traces {
            match self.trace(at) {
                Err(Error::Forward { .. })
                    if plan.may_fail && traces.len() + 1 == plan.traces.len() => {}
                trace => traces.push(trace?),
            }
        }
        plan.traces.truncate(traces.len());
        let sym = symbolic::solve(self.spec, self.sizes.to_vec(), &plan, traces)?;
        Ok((plan, sym))
    }

    /// The graph, if it also holds at the smallest sizes and at large ones.
    fn held(&self, (plan, sym): (Plan, Symbolic)) -> Result<Symbolic> {
        if !sym.loops.is_empty() {
            return self.beside_loops(&plan, &sym).map(|()| sym);
        }
        for end in &plan.ends {
            self.hold(&sym, end)
                .map_err(|error| self.advised(error, &sym, &plan, end))?;
        }
        Ok(sym)
    }

    /// Whether the same is recorded at the ends of sizes that no loop counts: those would be
    /// recorded step by step, thousands of them.
    fn beside_loops(&self, plan: &Plan, sym: &Symbolic) -> Result<()> {
        let Some(low) = plan.traces.first() else {
            return Ok(());
        };
        let counts = |index: usize| {
            let mut moved = low.clone();
            moved[index] += 1;
            let trips = |sizes: &[i64]| -> Vec<i64> {
                sym.loops.iter().map(|turn| turn.trips.at(sizes)).collect()
            };
            trips(low) != trips(&moved)
        };
        let (mut traces, mut at) = (vec![self.trace(low)?], vec![low.clone()]);
        for end in &plan.ends {
            let [index] = end.at[..] else { continue };
            let alike = end.smallest && self.spec.alike.contains(&self.sizes[index]);
            if alike || counts(index) {
                continue;
            }
            if let Ok(trace) = self.trace(&end.sizes) {
                traces.push(trace);
                at.push(end.sizes.clone());
            }
        }
        symbolic::part(&traces, &at, self.sizes)
    }

    fn hold(&self, sym: &Symbolic, end: &End) -> Result<()> {
        let alike = |index: &usize| self.spec.alike.contains(&self.sizes[*index]);
        let may = end.smallest && end.at.iter().any(alike);
        // A pass may refuse sizes that are out of the common.
        let Ok(trace) = self.trace(&end.sizes) else {
            return Ok(());
        };
        match symbolic::verify(sym, &trace, end, may) {
            Err(Error::Diverges(_)) if end.smallest && self.same(sym, &trace, end) => Ok(()),
            held => held,
        }
    }

    /// Whether what was recorded at an end gives the same by other operations.
    #[cfg(feature = "flex")]
    fn same(&self, sym: &Symbolic, trace: &capture::Trace, end: &End) -> bool {
        let dtype = self.dtype.unwrap_or_else(|| float_type(self.module));
        let same = symbolic::same(self.module, self.spec, sym, trace, &end.sizes, dtype);
        same == Some(true)
    }

    /// Without flex nothing runs.
    #[cfg(not(feature = "flex"))]
    fn same(&self, _: &Symbolic, _: &capture::Trace, _: &End) -> bool {
        false
    }

    /// `error`, and from which size on it does not come up, where that is one of the smallest.
    fn advised(&self, error: Error, sym: &Symbolic, plan: &Plan, end: &End) -> Error {
        let [index] = end.at[..] else {
            return error;
        };
        if !end.smallest {
            return error;
        }
        let name = &self.sizes[index];
        let recorded = plan.traces.iter().map(|sizes| sizes[index]).min();
        let (mut fails, mut holds) = (end.sizes[index], recorded.unwrap_or_default());
        while holds - fails > 1 {
            let middle = fails + (holds - fails) / 2;
            let mut at = end.clone();
            at.sizes[index] = middle;
            match self.hold(sym, &at) {
                Ok(()) => holds = middle,
                Err(_) => fails = middle,
            }
        }
        error.advise(format!(
            "from {name}={holds} on it is one way: say so with `Spec::size_min(\"{name}\", {holds})`, \
             or fix the size with `Options::static_sizes`"
        ))
    }
}
