//! Places where nothing can be written.

use std::path::Path;

use fluxo_tests::fixture;

use crate::common::*;

#[test]
fn unwritable_places_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let below = file.join("below");
    let model = fixture("hf/bert");
    refused(&["new", "gpt2", "--out", text(&below)], "below");
    refused(&["export", text(&model), "--out", text(&below)], "file");
    let inputs = fixture("hf/bert/reference.safetensors");
    refused(
        &[
            "run",
            text(&model),
            "--inputs",
            text(&inputs),
            "--out",
            text(&below),
        ],
        "below",
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"in the way");
    if Path::new("/dev/full").exists() {
        // Writing beside needs a folder; a device that is always full has none to spare.
        refused(
            &[
                "run",
                text(&model),
                "--inputs",
                text(&inputs),
                "--out",
                "/dev/full/out",
            ],
            "/dev/full",
        );
    }
}
