//! What is refused, in one line and before any work; what an export finds and leaves.

use std::fs::{self, File};

use fluxo_tests::fixture;
use serde_json::Value;

use crate::common::*;

#[test]
fn mistakes_in_the_command_line_are_one_line() {
    refused(
        &["compare", "a", "--htm", "x"],
        "unexpected argument '--htm' found; tip: a similar argument exists: '--html'",
    );
    refused(&["export", "a"], "not provided: --out <DIR>");
    refused(&["modells"], "unrecognized subcommand 'modells'; tip:");
    refused(
        &["new", "gpt2", "--out", "x", "--seed", "y"],
        "invalid value 'y'",
    );
    refused(
        &["generate", "a", "--prompt", "b", "--ids", "1"],
        "cannot be used with",
    );
    for (args, needle) in [
        (&["--version"][..], "fluxo 0."),
        (&["--help"], "Usage: fluxo"),
        (&["compare", "--help"], "Example: fluxo compare"),
    ] {
        let output = fluxo(args);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{args:?}"
        );
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(needle), "{args:?}: {said}");
    }
}

#[test]
fn options_of_an_export_are_said_once_and_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let (model, out) = (fixture("hf/gpt2"), dir.path().join("out"));
    let export = ["export", text(&model), "--out", text(&out)];
    for (more, needle) in [
        (
            ["--static", "batch=1,batch=2"],
            "batch twice, at 1 and at 2",
        ),
        (["--quiet", "--taps="], "a name is empty"),
        (["--quiet", "--taps=layers.0.h,"], "a name is empty"),
    ] {
        refused(&[&export[..], &more].concat(), needle);
    }
    assert!(!out.exists());
}

#[test]
fn a_comparison_refuses_before_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    fs::create_dir(at("empty")).unwrap();
    fs::create_dir(at("full")).unwrap();
    fs::write(at("full/file"), "").unwrap();
    // This model cannot be loaded: what comes first is said first.
    let broken = copy("bert");
    fs::write(broken.path().join("model.safetensors"), "cut off").unwrap();
    let compare = ["compare", text(broken.path()), "--on", "flex,ndarray"];
    refused(&compare, "model.safetensors");
    let refused = |more: &[&str], needle: &str| refused(&[&compare[..], more].concat(), needle);
    refused(
        &["--html", &at("none/page.html")],
        "there is no such folder",
    );
    refused(&["--html", &at("empty")], "this is no file");
    refused(&["--bundle", &at("full")], "is there already");
    refused(&["--bundle", &at("full/file/below")], "is no folder");
    let (bundle, page) = (at("empty"), at("empty/page.html"));
    refused(
        &["--bundle", &bundle, "--html", &page],
        "cannot lie in each other",
    );
    refused(&["--greedy", "3"], "for models that write text");
    refused(&["--atol=-1"], "0 or more");
    assert_eq!(fs::read_dir(at("empty")).unwrap().count(), 0);
}

/// Nobody ran it, so it agrees with nobody.
#[test]
fn a_model_that_nothing_ran_does_not_agree() {
    let dir = tempfile::tempdir().unwrap();
    let model = fixture("hf/gpt2");
    let file = unknown_nodes(dir.path());
    let args = ["compare", text(&model), text(&file)];
    let output = fluxo(&args);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // Nothing differs, and no runner that was named failed.
    assert_eq!(output.status.code(), Some(2), "{said}");
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("could not run: extm: no runner could take it: "),
        "{said}"
    );
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(error, format!("error: {last}\n"));
    let output = fluxo(&[&args[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(2));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "differ");
    assert_eq!(report["conclusion"]["outcome"], "could not run");
    // Nor do those that are named.
    let (bert, file) = (fixture("hf/bert"), fixture("torch/gpt2.onnx"));
    let (model, bert, file) = (text(&model), text(&bert), text(&file));
    let args = ["compare", model, file, "--on", "flex,ndarray"];
    refused(&args, "add a runtime (ort, tract, rten)");
    let args = ["compare", model, bert, file, "--on", "tract,rten"];
    refused(&args, "add a backend to --on");
}

#[test]
fn only_files_of_an_export_are_checked_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let (model, out) = (fixture("hf/gpt2"), dir.path().join("out"));
    json(&["export", text(&model), "--out", text(&out)]);
    let foreign = out.join("onnx/other.onnx");
    fs::copy(fixture("torch/gpt2.onnx"), &foreign).unwrap();
    let check = ["export", text(&model), "--check", text(&foreign)];
    let needle = format!(
        "to compare any ONNX file use `fluxo compare {} {}`",
        text(&model),
        text(&foreign)
    );
    refused(&check, &needle);
    refused(&check, "other.onnx is not one of the exported files in ");
    // The folder of a file is the export's, also of one that is a part.
    let (model, out) = (fixture("hf/clip"), dir.path().join("clip"));
    json(&["export", text(&model), "--out", text(&out)]);
    for name in ["model", "text_model"] {
        let file = out.join(format!("onnx/{name}.onnx"));
        let check = json(&["export", text(&model), "--check", text(&file)]);
        assert_eq!(check["verification"]["verdict"], "agree", "{name}");
    }
}

#[test]
fn an_export_removes_what_a_stopped_one_left() {
    let dir = tempfile::tempdir().unwrap();
    let draft = |name: &str| {
        let path = dir.path().join(format!(".fluxo-export-{name}"));
        fs::create_dir_all(path.join("onnx")).unwrap();
        fs::write(path.join("onnx/model.onnx"), "half").unwrap();
        path
    };
    let (left, busy) = (draft("left"), draft("busy"));
    // As the process does that works on it.
    let folder = File::open(&busy).unwrap();
    folder.lock().unwrap();
    let (model, out) = (fixture("hf/gpt2"), dir.path().join("out"));
    json(&["export", text(&model), "--out", text(&out)]);
    assert!(!left.exists() && busy.join("onnx/model.onnx").exists());
    // Nor is its own there.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}
