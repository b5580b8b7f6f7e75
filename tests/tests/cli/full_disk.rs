//! A disk that fills up: one line, and nothing left behind.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use fluxo_tests::fixture;

use crate::common::*;

/// A disk that fills up: writing stops after 8 KiB, as `ulimit -f` has it, with an error and not
/// a signal.
#[test]
fn a_full_disk_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let refused = |arguments: &str| {
        let script = format!(
            "trap '' XFSZ; ulimit -f 16; exec {} {arguments}",
            text(&binary())
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        let left: Vec<_> = walk(dir.path());
        assert!(left.is_empty(), "{left:?}");
    };
    refused(&format!("new gpt2 --out {}/below", text(&out)));
    // Nor a folder that was made for it.
    assert!(!out.exists());
    let model = fixture("hf/bert");
    refused(&format!(
        "export {} --out {} --quiet",
        text(&model),
        text(&out)
    ));
    let inputs = fixture("hf/bert/reference.safetensors");
    refused(&format!(
        "run {} --inputs {} --out {} --taps --hidden-states",
        text(&model),
        text(&inputs),
        text(&dir.path().join("out.safetensors"))
    ));
}

/// A page of an earlier run stays as it was, and what was found is printed all the same.
#[test]
fn a_full_disk_leaves_the_page_and_the_report() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page.html");
    std::fs::write(&page, "earlier").unwrap();
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(binary())
        .args(["compare", text(&fixture("hf/gpt2")), "--on", "flex,ndarray"])
        .args(["--taps", "--html", text(&page)])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("page.html"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        stdout.lines().last().unwrap().starts_with("agree: "),
        "{stdout}"
    );
    assert_eq!(std::fs::read_to_string(&page).unwrap(), "earlier");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Every file below `dir`.
fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path))
        } else {
            files.push(path)
        }
    }
    files
}

/// Files may not grow beyond a few blocks in that process, as on a disk that fills up.
#[test]
fn a_full_disk_leaves_no_export_behind() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("exported");
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_fluxo"))
        .args(["export", text(&fixture("hf/gpt2")), "--out", text(&out)])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("cannot write"), "{stderr}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
