//! Single values that differ: how many by how much, and the worst of them.

use std::fmt::Write;

use burn::tensor::TensorData;

use super::{Shown, charts, escape, series, table, with_first};
use crate::inputs::mask::Mask;
use crate::inputs::split;
use fluxo_verify::Mask as _;
use fluxo_verify::report::{Pair, Report};

/// The largest differences of a runner that are listed.
const WORST: usize = 5;

/// One value that differs.
struct Element {
    at: usize,
    exact: f64,
    given: f64,
}

impl Element {
    fn off(&self) -> f64 {
        (self.exact - self.given).abs()
    }
}

/// Histograms and worst elements of each runner's worst output.
pub(super) fn elements(report: &Report, shown: &Shown<'_>) -> String {
    let mut worst: Vec<(&str, &Pair)> = Vec::new();
    for (runner, pair) in with_first(report) {
        // The output that the referee names, where there is one.
        let assessment = report.assessments.iter().find(|s| s.runner == runner);
        if assessment.is_some_and(|assessment| assessment.output != pair.output) {
            continue;
        }
        match worst.iter_mut().find(|(name, _)| *name == runner) {
            Some((_, mine)) if mine.share().total_cmp(&pair.share()).is_lt() => *mine = pair,
            Some(_) => {}
            None => worst.push((runner, pair)),
        }
    }
    let (mut drawn, mut rows) = (String::new(), Vec::new());
    for (runner, pair) in worst {
        let Some((mut elements, shape)) = differing(report, shown, runner, pair) else {
            continue;
        };
        let differences: Vec<f64> = elements.iter().map(Element::off).collect();
        if let Some(chart) = charts::histogram(&differences, series(report, runner)) {
            let _ = write!(
                drawn,
                "<div><h3>{}</h3><p class=\"soft\">{}, {} values</p>{chart}</div>",
                escape(runner),
                escape(&pair.output),
                differences.len()
            );
        }
        // NaN first.
        elements.sort_by(|x, y| y.off().total_cmp(&x.off()));
        for element in elements.iter().take(WORST).filter(|e| e.off() != 0.0) {
            let at = fluxo_verify::diff::index(element.at, &shape);
            let at: Vec<_> = at.iter().map(ToString::to_string).collect();
            rows.push(vec![
                escape(runner),
                escape(&pair.output),
                at.join(","),
                format!("{:.7e}", element.exact),
                format!("{:.7e}", element.given),
                format!("{:.1e}", element.off()),
            ]);
        }
    }
    let header = ["runner", "output", "at", "exact", "given", "difference"].map(String::from);
    let mut told = String::new();
    if !drawn.is_empty() {
        let _ = write!(
            told,
            "<h2>How large the differences are</h2><p class=\"soft\">Of each runner's worst output, from {}: how many values differ by how much.</p><div class=\"charts\">{drawn}</div>",
            escape(report.runners.first().map_or("", String::as_str))
        );
    }
    if !rows.is_empty() {
        let _ = write!(
            told,
            "<h2>Worst elements</h2>{}",
            table("elements", &header, &rows)
        );
    }
    told
}

/// The values that count of the output of `pair`, the first runner's beside `runner`'s, and the
/// output's shape; none where they cannot stand beside each other.
fn differing(
    report: &Report,
    shown: &Shown<'_>,
    runner: &str,
    pair: &Pair,
) -> Option<(Vec<Element>, Vec<usize>)> {
    let of = |runner: &str| -> Option<&TensorData> { shown.outputs.get(runner)?.get(&pair.output) };
    let (exact, given) = (of(report.runners.first()?)?, of(runner)?);
    if exact.shape() != given.shape() {
        return None;
    }
    let shape = exact.shape().to_vec();
    let mask = Mask::of(&split(shown.inputs).0).ok()?;
    let kept = mask.of_output(&pair.output, &shape);
    let (exact, given) = (
        fluxo_verify::numbers(exact).ok()?,
        fluxo_verify::numbers(given).ok()?,
    );
    let counts = |at: &usize| kept.as_ref().is_none_or(|kept| kept[*at]);
    let element = |at| Element {
        at,
        exact: exact[at],
        given: given[at],
    };
    Some((
        (0..exact.len()).filter(counts).map(element).collect(),
        shape,
    ))
}
