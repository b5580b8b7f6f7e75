//! Runs every example, as `cargo test` built it, and looks at what it says.
#![allow(clippy::unwrap_used)]

use std::process::Command;

fn output(example: &str) -> String {
    let mut path = std::env::current_exe().unwrap();
    path.pop(); // deps
    path.pop();
    let path = path
        .join("examples")
        .join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&path).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", path.display());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn export_a_module() {
    assert!(output("export_a_module").starts_with("scores [\"batch\", \"3\"]"));
}

#[test]
fn your_module() {
    let text = output("your_module");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("[\"batch\", \"3\"]"));
    let verdict = lines.next().unwrap();
    assert!(
        verdict.starts_with("agree: float64, flex, ndarray"),
        "{text}"
    );
}

#[test]
fn compare_backends() {
    let text = output("compare_backends");
    let verdict = text.lines().last().unwrap();
    assert!(
        verdict.starts_with("agree: flex, ndarray, tract, rten"),
        "{text}"
    );
}

#[test]
fn residual_stream() {
    let text = output("residual_stream");
    assert_eq!(text.lines().count(), 2 * (1 + 4 * 12), "{text}");
}

#[test]
fn train_and_generate() {
    let text = output("train_and_generate");
    let numbers: Vec<f64> = text
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    // 30 steps on a text of eight words: from ln 256 = 5.5 to well below half of it.
    assert!(numbers[0] > 5.0 && numbers[1] < 2.5, "{text}");
}
