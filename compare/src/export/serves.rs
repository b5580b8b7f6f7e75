//! What a checked file serves, where not every runtime agrees on it.

use crate::files::RUNTIMES;
use fluxo_verify::report::Report;

/// Who differs and where, and who agrees: what an export that does not hold is refused with.
pub(crate) fn judged(report: &Report) -> String {
    let runtimes = RUNTIMES.into_iter();
    let ran = runtimes.filter(|name| report.runners.iter().any(|runner| runner == name));
    let (agree, differ): (Vec<_>, Vec<_>) =
        ran.partition(|name| difference(report, name).is_none());
    let (Some(first), false) = (agree.first(), differ.is_empty()) else {
        let text = report.to_string();
        return text.lines().last().unwrap_or_default().to_string();
    };
    let why: Vec<_> = differ
        .iter()
        .filter_map(|name| Some(format!("{name} differs: {}", difference(report, name)?)))
        .collect();
    let (verb, them) = match agree.len() {
        1 => ("agrees", "it"),
        _ => ("agree", "them"),
    };
    format!(
        "{}; {} {verb} with Burn, and the file serves {them}: export it with --target {first}, or keep this one with --keep",
        why.join("; "),
        agree.join(" and "),
    )
}

/// How `runtime` differs from the exact outputs, or from Burn's where there are none.
fn difference(report: &Report, runtime: &str) -> Option<String> {
    if let Some(failed) = report.skipped.iter().find(|it| it.runner == runtime) {
        return Some(failed.reason.clone());
    }
    let judge = report.runners.first()?;
    let own = |pair: &&fluxo_verify::report::Pair| pair.a == *judge && pair.b == runtime;
    let beyond = report.pairs.iter().filter(own).find(|pair| !pair.agrees)?;
    let assessment = report.assessments.iter().find(|it| it.runner == runtime);
    Some(match assessment {
        Some(assessment) => assessment.reason.clone(),
        None => beyond.place(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::TensorData;
    use fluxo_models::Tensors;

    use super::*;
    use crate::compare_refereed;
    use crate::referee::{Noise, Reference};
    use crate::runner::{Kind, Label, Runner};
    use fluxo_verify::diff::Rounding;

    struct Gives(Label, f64);

    impl Runner for Gives {
        fn label(&self) -> &Label {
            &self.0
        }
        fn run(&mut self, _: &Tensors) -> crate::Result<Tensors> {
            let y = TensorData::new(vec![self.1, 2.0], [2]);
            Ok(Tensors::from([("y".to_string(), y)]))
        }
    }

    fn said(runtimes: &[(&str, f64)]) -> String {
        let y = |first: f64| TensorData::new(vec![first, 2.0], [2]);
        let reference = Reference::new(
            Tensors::from([("y".to_string(), y(1.0))]),
            Noise::from([("y".to_string(), Rounding::of_output(1e-6))]),
            1.2e-7,
        );
        let flex = Gives(Label::new("flex", Kind::Backend { gpu: false }), 1.0);
        let mut runners: Vec<Box<dyn Runner>> = vec![Box::new(flex)];
        for (name, first) in runtimes {
            runners.push(Box::new(Gives(Label::new(name, Kind::Graph), *first)));
        }
        let case = ("at batch 1".to_string(), Tensors::new());
        judged(&compare_refereed(&mut runners, &[case], &[reference]).unwrap())
    }

    #[test]
    fn who_differs_and_who_is_served_is_said() {
        assert_eq!(
            said(&[("tract", 1.1), ("rten", 1.0), ("ort", 1.0)]),
            "tract differs: y is off by 50000 times what rounding explains; ort and \
             rten agree with Burn, and the file serves them: export it with --target ort, or keep \
             this one with --keep"
        );
        let alone = said(&[("tract", 1.0), ("rten", 1.1)]);
        assert!(alone.ends_with("tract agrees with Burn, and the file serves it: export it with --target tract, or keep this one with --keep"), "{alone}");
        // Where nobody agrees the worst says most.
        assert!(said(&[("tract", 1.1)]).starts_with("differ: "));
    }
}
