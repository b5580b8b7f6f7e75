#![allow(clippy::unwrap_used)]
use burn::tensor::TensorData;

use super::*;
use crate::report::Verdict;
use crate::runner::{Kind, Label};

/// Gives fixed outputs, or fails.
struct Fixed(Label, std::result::Result<Tensors, &'static str>);

fn fixed(name: &str, kind: Kind, gives: std::result::Result<Tensors, &'static str>) -> Fixed {
    Fixed(Label::new(name, kind), gives)
}

impl Runner for Fixed {
    fn label(&self) -> &Label {
        &self.0
    }
    fn run(&mut self, _: &Tensors) -> Result<Tensors> {
        self.1.clone().map_err(|e| Error::runner(self.name(), e))
    }
}

const CPU: Kind = Kind::Backend { gpu: false };

fn outputs(all: &[(&str, f32)]) -> std::result::Result<Tensors, &'static str> {
    Ok(all
        .iter()
        .map(|(n, v)| (n.to_string(), TensorData::new(vec![*v], [1])))
        .collect())
}

fn run(runners: Vec<Fixed>, inputs: &Tensors) -> Result<Report> {
    let mut runners: Vec<Box<dyn Runner>> = runners
        .into_iter()
        .map(|r| Box::new(r) as Box<dyn Runner>)
        .collect();
    compare_inputs(&mut runners, inputs, &Judging::default())
}

#[test]
fn every_pair_and_output_has_a_row() {
    let both = &[("logits", 1.0), ("present.0.key", 2.0)];
    let report = run(
        ["flex", "ndarray", "tract"]
            .map(|n| {
                fixed(
                    n,
                    if n == "tract" { Kind::Graph } else { CPU },
                    outputs(both),
                )
            })
            .into(),
        &Tensors::new(),
    )
    .unwrap();
    assert_eq!((report.verdict, report.pairs.len()), (Verdict::Agree, 6));
    assert_eq!(report.pairs[0].output, report.pairs[1].output);
}

#[test]
fn who_does_not_take_what_others_took_is_named() {
    struct Picky(Label);
    impl Runner for Picky {
        fn label(&self) -> &Label {
            &self.0
        }
        fn run(&mut self, _: &Tensors) -> Result<Tensors> {
            Err(Error::Input("`token_type_ids` holds 1".to_string()))
        }
    }
    let picky = || -> Box<dyn Runner> { Box::new(Picky(Label::new("gpt2:flex", CPU))) };
    let good = || -> Box<dyn Runner> { Box::new(fixed("bert:flex", CPU, outputs(&[("y", 1.0)]))) };
    let error = |mut runners: Vec<Box<dyn Runner>>| {
        let error = compare_inputs(&mut runners, &Tensors::new(), &Judging::default()).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        error(vec![good(), picky()]),
        "input: gpt2:flex: `token_type_ids` holds 1"
    );
    assert_eq!(
        error(vec![picky(), good()]),
        "input: `token_type_ids` holds 1"
    );
}

#[test]
fn a_graph_need_not_give_all_that_a_backend_gives() {
    let report = run(
        vec![
            fixed(
                "flex",
                CPU,
                outputs(&[("logits", 1.0), ("last_hidden_state", 2.0)]),
            ),
            fixed("tract", Kind::Graph, outputs(&[("logits", 1.0)])),
        ],
        &Tensors::new(),
    )
    .unwrap();
    assert_eq!(report.verdict, Verdict::Agree);
    assert_eq!(report.alone[0].output, "last_hidden_state");
    assert_eq!(report.alone[0].runners, ["flex"]);
}

#[test]
fn an_output_that_is_owed_and_missing_is_a_difference() {
    let report = run(
        vec![
            fixed("flex", CPU, outputs(&[("logits", 1.0)])),
            fixed(
                "tract",
                Kind::Graph,
                outputs(&[("logits", 1.0), ("pooler_output", 1.0)]),
            ),
        ],
        &Tensors::new(),
    )
    .unwrap();
    assert_eq!(report.verdict, Verdict::Differ);
    assert_eq!(
        report.pairs[1].note.as_deref(),
        Some("`flex` gives no such output")
    );
}

#[test]
fn nothing_in_common_is_a_difference() {
    let report = run(
        vec![
            fixed("flex", CPU, outputs(&[("last_hidden_state", 1.0)])),
            fixed("tract", Kind::Graph, outputs(&[("other", 1.0)])),
        ],
        &Tensors::new(),
    )
    .unwrap();
    assert_eq!(report.verdict, Verdict::Differ);
}

#[test]
fn expected_outputs_are_one_more_runner() {
    let inputs = Tensors::from([
        (
            "out.logits".to_string(),
            TensorData::new(vec![1.5_f32], [1]),
        ),
        ("out.greedy".to_string(), TensorData::new(vec![4_i64], [1])),
    ]);
    let report = run(
        vec![fixed("flex", CPU, outputs(&[("logits", 1.0)]))],
        &inputs,
    )
    .unwrap();
    assert_eq!(report.runners, ["flex", "file"]);
    assert_eq!(report.verdict, Verdict::Differ);
    assert_eq!(report.pairs[0].max_abs, 0.5);
    assert_eq!(report.alone[0].output, "greedy");
}

#[test]
fn who_fails_is_skipped_while_two_are_left() {
    let ok = |name| fixed(name, CPU, outputs(&[("logits", 1.0)]));
    let bad = || fixed("tract", Kind::Graph, Err("no such operation"));
    let report = run(vec![ok("flex"), bad(), ok("ndarray")], &Tensors::new()).unwrap();
    assert_eq!(report.verdict, Verdict::Agree);
    assert_eq!(report.skipped[0].reason, "tract: no such operation");
    let error = run(vec![ok("flex"), bad()], &Tensors::new()).unwrap_err();
    assert_eq!(error.to_string(), "tract: no such operation");
    let error = run(vec![ok("flex")], &Tensors::new())
        .unwrap_err()
        .to_string();
    assert!(error.contains("there is only `flex`"), "{error}");
}

#[test]
fn numbers_in_names_sort_as_numbers() {
    let mut names = ["layers.10.h", "layers.9.h", "logits"];
    names.sort_by_key(|name| order(name));
    assert_eq!(names, ["layers.9.h", "layers.10.h", "logits"]);
}
