#![allow(clippy::unwrap_used)]
use super::*;
use crate::diff::tolerance::Tolerance;
use crate::diff::{Decisions, Difference};

fn pair(output: &str, scaled: f64, note: Option<&str>) -> Pair {
    let found = Difference {
        max_abs: scaled * 2.0,
        max_rel: if scaled.is_finite() { 0.5 } else { scaled },
        scaled,
        at: vec![1, 16, 3],
        cosine: if scaled.is_finite() {
            0.9999999
        } else {
            f64::NAN
        },
        decisions: (output == "logits").then_some(Decisions {
            argmax_agreement: 1.0,
            top_overlap: 1.0,
            kl: 2e-9,
        }),
        note: note.map(str::to_string),
    };
    let tolerance = Tolerance {
        noise: None,
        value: 2e-5,
        reason: "float32 on CPUs: the same sums in another order",
    };
    Pair::new("flex", "tract", output, found, &tolerance)
}

fn report(pairs: Vec<Pair>) -> Report {
    let skipped = vec![Skipped {
        runner: "ort".into(),
        reason: "not installed".into(),
    }];
    let alone = vec![UnmatchedOutput {
        output: "last_hidden_state".into(),
        runners: vec!["flex".into()],
    }];
    Report::new(vec!["flex".into(), "tract".into()], pairs, skipped, alone)
}

#[test]
fn json_has_the_designs_shape() {
    let json = serde_json::to_string_pretty(&report(vec![
        pair("logits", 1.5e-6, None),
        pair(
            "present.0.key",
            f64::INFINITY,
            Some("`tract` gives no such output"),
        ),
    ]))
    .unwrap();
    assert_eq!(
        json,
        include_str!("../../tests/fixtures/report.json").trim_end()
    );
}

#[test]
fn the_table_fits_in_a_hundred_columns() {
    let mut many = vec![pair("logits", 1.5e-6, None)];
    many.extend((0..12).map(|i| pair(&format!("present.{i}.value"), 1e-7, None)));
    let text = report(many).to_string();
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    // One row an output: 13, the header, an empty line, a tolerance, not compared, skipped, verdict.
    assert_eq!(text.lines().count(), 19, "{text}");
    assert_eq!(
        text.lines().last().unwrap(),
        "agree: flex, tract; at most 1.5e-6 (logits between flex (a) and tract (b))"
    );
}

#[test]
fn the_largest_is_named_where_all_agree() {
    // The other takes more of its tolerance.
    let mut coarse = pair("other", 8e-4, None);
    (coarse.tolerance, coarse.agrees) = (1.0, true);
    let report = report(vec![pair("logits", 1e-6, None), coarse]);
    assert_eq!(report.worst().unwrap().output, "logits");
    let text = report.to_string();
    assert!(
        text.ends_with("at most 8.0e-4 (other between flex (a) and tract (b))"),
        "{text}"
    );
    assert_eq!(report.cell("flex", "tract"), "8.0e-4");
}

#[test]
fn one_pair_beyond_its_tolerance_is_a_difference() {
    let report = report(vec![
        pair("logits", 2.1e-5, None),
        pair("other", 1e-9, None),
    ]);
    assert_eq!(report.verdict, Verdict::Differ);
    assert!(report.to_string().ends_with(
        "differ: 1 of 2 comparisons; the worst is logits between flex (a) and tract (b)"
    ));
}

#[test]
fn failing_on_some_inputs_is_a_difference() {
    let mut all = report(vec![pair("logits", 1e-6, None)]);
    let mut other = all.clone();
    other.skipped = vec![Skipped {
        runner: "tract".into(),
        reason: "at [3, 17]: no".into(),
    }];
    all.merge(other);
    assert_eq!(all.verdict, Verdict::Differ);
    assert!(
        all.to_string()
            .ends_with("differ: tract runs some inputs and fails on others")
    );
}

#[test]
fn nothing_compared_is_not_agreement() {
    assert_eq!(report(Vec::new()).verdict, Verdict::Differ);
}

#[test]
fn merging_keeps_the_worse() {
    let mut all = report(vec![pair("logits", 1e-6, None)]);
    all.merge(report(vec![
        pair("logits", 3e-5, Some("at [3, 17]")),
        pair("other", 0.0, None),
    ]));
    assert_eq!(all.pairs.len(), 2);
    assert_eq!(all.pairs[0].scaled, 3e-5);
    assert_eq!((all.verdict, all.skipped.len()), (Verdict::Differ, 1));
}

#[test]
fn the_end_is_one_of_three() {
    let unable = |named| Unable {
        who: "ort".into(),
        reason: "here: ort: it\n  panicked".into(),
        named,
    };
    let good = || report(vec![pair("logits", 1e-6, None)]);
    let bad = || report(vec![pair("logits", 1.0, None)]);
    let ended = |mut report: Report, unable: &[Unable]| {
        let end = report.conclude(unable);
        let last = report.to_string().lines().last().unwrap().to_string();
        assert_eq!(last, end.to_string());
        (end.outcome, end.failed, end.reason)
    };
    let (outcome, failed, reason) = ended(good(), &[unable(false), unable(true)]);
    assert_eq!((outcome, failed), (Outcome::CouldNotRun, true));
    assert!(
        reason.starts_with("ort: here: it panicked; flex, tract agree, at most 1.0e-6"),
        "{reason}"
    );
    let (outcome, failed, reason) = ended(bad(), &[unable(false), unable(false)]);
    assert_eq!((outcome, failed), (Outcome::Differ, false));
    assert!(
        reason.ends_with("could not run: ort: here: it panicked (and 1 more)"),
        "{reason}"
    );
    let outcomes = [good(), bad(), report(Vec::new())].map(|report| ended(report, &[]).0);
    let all = [Outcome::Agree, Outcome::Differ, Outcome::CouldNotRun];
    assert_eq!(outcomes, all);
}
