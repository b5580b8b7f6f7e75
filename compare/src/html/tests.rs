#![allow(clippy::unwrap_used)]
use burn::tensor::TensorData;

use super::*;
use crate::runner::recorder;
use crate::runner::{Runner, expected::File};

/// Outputs of two layers, `off` in the last.
fn outputs(off: f32) -> Tensors {
    let layer = |off: f32| TensorData::new(vec![1.0_f32, 2.0 + off, 3.0], [1, 3]);
    Tensors::from([
        ("layers.0.h".to_string(), layer(0.0)),
        ("layers.1.h".to_string(), layer(off)),
        ("<script>alert(1)</script>".to_string(), layer(0.0)),
    ])
}

fn shown() -> String {
    let fixed: Vec<Box<dyn Runner>> = vec![Box::new(File::new(outputs(0.0)))];
    let (mut runners, gave) = recorder::record(fixed);
    let mut inputs = Tensors::new();
    for (name, data) in outputs(0.5) {
        inputs.insert(format!("out.{name}"), data);
    }
    let mut report = crate::compare(&mut runners, &inputs, None).unwrap();
    // Both are called `file`; a name may be anything.
    report.runners = vec!["a&b".into(), "<b>".into()];
    for pair in &mut report.pairs {
        (pair.a, pair.b) = ("a&b".into(), "<b>".into());
    }
    let outputs = BTreeMap::from([
        ("a&b".to_string(), gave.borrow()["file"].clone()),
        ("<b>".to_string(), outputs(0.5)),
    ]);
    let shown = Shown {
        title: "\"mine\"",
        command: "fluxo compare 'a'",
        inputs: &inputs,
        outputs: &outputs,
    };
    page(&report, &shown)
}

#[test]
fn it_needs_nothing_else_and_takes_names_as_text() {
    let page = shown();
    for never in [
        "<script", "http", "src=", "@import", "url(", "<b>:", "&b<", "<link",
    ] {
        assert!(!page.contains(never), "{never}\n{page}");
    }
    assert!(page.contains("&lt;script&gt;") || !page.contains("alert"));
    assert!(page.contains("a&amp;b") && page.contains("&quot;mine&quot;: differ"));
}

#[test]
fn it_shows_depth_histogram_and_worst_element() {
    let page = shown();
    assert!(page.contains("aria-label=\"error along depth\""));
    assert!(page.contains("aria-label=\"how many differences of each size\""));
    // The second of three values is off by a half: 2 of them in the bar of 0, one in that of 0.1.
    assert!(page.contains("<title>0: 2</title>") && page.contains("<title>1e-1: 1</title>"));
    assert!(page.contains("<td>0,1</td><td>2.0000000e0</td><td>2.5000000e0</td><td>5.0e-1</td>"));
}

#[test]
fn layers_are_found_in_every_stack() {
    assert_eq!(layer("layers.11.h"), Some(("", 11)));
    assert_eq!(layer("decoder.layers.0.h"), Some(("decoder", 0)));
    for other in ["layers.0.t1", "logits", "layers.x.h"] {
        assert_eq!(layer(other), None);
    }
}

#[test]
fn it_shows_where_each_runner_parts() {
    let part = |path: &str, at_fault| crate::locate::PartError {
        path: path.to_string(),
        cumulative: Some(2e-3),
        teacher_forced: Some(if at_fault { 3e-3 } else { 4e-8 }),
        noise: 1e-7,
        at_fault,
    };
    let location = crate::locate::Location {
        runner: "bad:tract".to_string(),
        path: Some("layers.1.norm".to_string()),
        node: None,
        tap: None,
        parts: vec![part("layers.0", false), part("layers.1.norm", true)],
        looked_at: 2,
        of: 2,
        largest: 0.4,
        note: None,
    };
    let mut report = Report::new(vec!["bad:tract".into()], Vec::new(), Vec::new(), Vec::new());
    report.place(vec![location]);
    let shown = starts::starts(&report);
    for there in [
        "bad:tract: the difference begins in layers.1.norm",
        "<th scope=\"row\">layers.0</th><td>2.0e-3</td><td>4.0e-8</td>",
        "<span class=\"bug\">3.0e-3 !</span>",
    ] {
        assert!(shown.contains(there), "{there}\n{shown}");
    }
}
