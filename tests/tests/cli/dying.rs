//! Runners of `fluxo compare` that die or run out of memory, in processes of their own.

use std::path::Path;

use assert_cmd::Command;
use burn::tensor::TensorData;
use fluxo_compare::{compare, open};
use fluxo_models::{OutputOptions, Tensors, tensors};
use fluxo_tests::fixture;

use crate::common::*;

/// What threads reserve for heaps of their own is not what runs out.
const ONE_HEAP: &str = "MALLOC_ARENA_MAX=1";

#[test]
fn a_runner_that_dies_or_runs_out_of_memory_is_its_own_row() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("fluxo");
    // For one little more than it takes to run at all, its threads among that; for another a signal.
    let kib = least(dir.path()) + 60_000;
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'--on ndarray'*) export {ONE_HEAP}; ulimit -v {kib};; *'--on rten'*) kill -9 $$;; esac\nexec '{}' \"$@\"\n",
        binary().display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let names = ["flex", "ndarray", "rten", "tract"].map(String::from);
    let model = fixture("hf/gpt2");
    let opened = open::open_isolated(&[model], &names, OutputOptions::default(), &program);
    // The scores of one layer: 1000 rows of 4 heads of 64 by 64 take 66 MB, several times.
    let ids = TensorData::new(vec![1_i64; 1000 * 64], [1000, 64]);
    let inputs = Tensors::from([("input_ids".to_string(), ids)]);
    let report = compare(&mut opened.unwrap().runners, &inputs, None).unwrap();
    assert!(report.agrees(), "{report}");
    assert_eq!(report.runners, ["flex", "tract"]);
    let reasons: Vec<_> = report.skipped.iter().map(|s| s.reason.as_str()).collect();
    assert!(
        reasons[0].starts_with("ndarray: killed by signal 6 (aborted: out of memory?)"),
        "{reasons:?}"
    );
    assert!(reasons[0].contains("memory allocation of"), "{reasons:?}");
    assert_eq!(reasons[1], "rten: killed by signal 9 (out of memory?)");
}

/// The address space, in KiB and to 20 MB, in which the binary runs a few tokens.
fn least(dir: &Path) -> u64 {
    let (inputs, out) = (dir.join("in.safetensors"), dir.join("out.safetensors"));
    let ids = TensorData::new(vec![1_i64; 4], [1, 4]);
    tensors::write(&inputs, &Tensors::from([("input_ids".to_string(), ids)])).unwrap();
    let command = format!(
        "export {ONE_HEAP}; exec '{}' run '{}' --on ndarray --inputs '{}' --out '{}'",
        binary().display(),
        fixture("hf/gpt2").display(),
        inputs.display(),
        out.display()
    );
    let runs = |kib: &u64| {
        let limited = format!("ulimit -v {kib}; {command}");
        let output = Command::new("sh").args(["-c", &limited]).output().unwrap();
        output.status.success()
    };
    (1..200).map(|step| step * 20_000).find(runs).unwrap()
}
