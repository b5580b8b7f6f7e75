//! Whether every model that was given took part: only then can they agree.

use fluxo_verify::report::{Report, Unable};

use crate::open;

/// Of `models` several models the first of whose runners, `on` these names, none gave anything, and
/// why.
pub(super) fn absent(models: usize, on: &[String], report: &Report) -> Option<Unable> {
    if models < 2 {
        return None;
    }
    let of = |runner| model(on, runner);
    let ran = |name| report.runners.iter().any(|runner| of(runner) == Some(name));
    let mut absent = report
        .skipped
        .iter()
        .filter_map(|skipped| of(&skipped.runner));
    let name = absent.find(|name| !ran(name))?;
    // What is not installed says less than what tried.
    let missing = open::runtimes().into_iter().filter(|it| !it.usable);
    let missing: Vec<_> = missing.map(|it| format!("{name}:{}", it.name)).collect();
    let mut own: Vec<_> = report
        .skipped
        .iter()
        .filter(|it| of(&it.runner) == Some(name))
        .collect();
    own.sort_by_key(|skipped| missing.contains(&skipped.runner));
    Some(Unable {
        who: name.to_string(),
        reason: format!("no runner could take it: {}", own.first()?.reason),
        named: false,
    })
}

/// `mine` of `mine:flex:f64`.
fn model<'a>(on: &[String], runner: &'a str) -> Option<&'a str> {
    let named = |name: &String| runner.strip_suffix(name.as_str())?.strip_suffix(':');
    if on.is_empty() {
        runner.rsplit_once(':').map(|(model, _)| model)
    } else {
        on.iter().find_map(named)
    }
}
