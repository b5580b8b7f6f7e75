//! Ctrl-C: exit code 130, and nothing left behind.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fluxo_tests::fixture;

use super::common::{binary, fluxo, text};

/// Whether a draft lies in `dir`.
fn drafted(dir: &Path) -> bool {
    let entries = fs::read_dir(dir).unwrap().flatten();
    entries
        .map(|entry| entry.file_name())
        .any(|name| name.to_string_lossy().starts_with(".fluxo-"))
}

/// Whether the process has its handler; said to be so where the system does not tell.
fn listens(id: u32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{id}/status")) else {
        return true;
    };
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGINT is the second.
    caught.is_some_and(|mask| mask & 0b10 != 0)
}

/// Runs the command until `begun`, interrupts it, and gives its exit code.
fn interrupted(args: &[&str], temporary: &Path, begun: impl Fn() -> bool) -> Option<i32> {
    let mut child = Command::new(binary())
        .args(args)
        .env("TMPDIR", temporary)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !(listens(child.id()) && begun()) {
        let over = child.try_wait().unwrap();
        assert!(over.is_none(), "{args:?} ended before it began: {over:?}");
        assert!(start.elapsed() < Duration::from_secs(60), "{args:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    child.wait().unwrap().code()
}

#[test]
fn an_export_leaves_no_draft_and_the_folder_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (out, temporary) = (dir.path().join("out"), dir.path().join("tmp"));
    fs::create_dir_all(&out).unwrap();
    fs::create_dir(&temporary).unwrap();
    fs::write(out.join("mine.txt"), "mine").unwrap();
    let model = fixture("hf/whisper");
    let args = ["export", text(&model), "--out", text(&out)];
    let code = interrupted(&args, &temporary, || drafted(&out));
    assert_eq!(code, Some(130));
    let left: Vec<_> = fs::read_dir(&out).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(fs::read(out.join("mine.txt")).unwrap(), b"mine");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn a_comparison_leaves_no_export_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let model = fixture("hf/whisper");
    let args = ["compare", text(&model), "--on", "flex,tract", "--stress"];
    let code = interrupted(&args, dir.path(), || drafted(dir.path()));
    assert_eq!(code, Some(130));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_text_is_written_no_further() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model");
    let long = "max_position_embeddings=4096";
    fluxo(&["new", "llama", "--out", text(&model), "--set", long]);
    // Minutes, unless it is interrupted.
    let args = [
        "generate",
        text(&model),
        "--ids",
        "1,2",
        "--ignore-end",
        "--no-cache",
    ];
    let args = [&args[..], &["--max-new-tokens", "4000"]].concat();
    let start = Instant::now();
    let code = interrupted(&args, dir.path(), || {
        start.elapsed() > Duration::from_millis(500)
    });
    assert_eq!(code, Some(130));
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 1, "only the model");
}
