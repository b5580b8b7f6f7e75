//! Files that are cut, changed or lie about each other: each is refused in a line, and none
//! panics.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::tests::{fixture, floats, folder, refusal, values};
use super::*;

#[test]
fn a_file_cut_anywhere_is_refused() {
    for (name, here) in [
        ("zip.bin", "pytorch_model.bin"),
        ("legacy.bin", "pytorch_model.bin"),
        ("expected.safetensors", "model.safetensors"),
    ] {
        let whole = fixture(name);
        let dir = folder(&[(here, &whole)]);
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(dir.path().join(here));
        let file = file.unwrap();
        for length in (0..whole.len()).rev() {
            file.set_len(length as u64).unwrap();
            refusal(&dir);
        }
    }
}

#[test]
fn headers_that_lie_are_refused() {
    let file = |header: &str, data: usize| {
        let length = (header.len() as u64).to_le_bytes();
        [&length, header.as_bytes(), &vec![0; data]].concat()
    };
    let says = |header: &str, data| refusal(&folder(&[("model.safetensors", &file(header, data))]));
    for header in [
        r#"{"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [9223372036854775807, 4], "data_offsets": [0, 8]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}"#,
        r#"{"a": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}}"#,
        r#"{"a": {"dtype": "F4", "shape": [16], "data_offsets": [0, 8]}}"#,
        "[]",
        "{",
        "\u{0}",
    ] {
        says(header, 8);
    }
    // Together they have 2^64 - 16 bytes: more, and a sum with the header's would start again.
    let part = (1_u64 << 60) - 1;
    let parts: Vec<_> = (0..16)
        .map(|i| {
            let (start, end) = (i * part, (i + 1) * part);
            format!(
                r#""{i}": {{"dtype": "U8", "shape": [{part}], "data_offsets": [{start}, {end}]}}"#
            )
        })
        .collect();
    assert!(
        says(&format!("{{{}}}", parts.join(",")), 0)
            .contains("speaks of 18446744073709551600 bytes")
    );

    let long = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    refusal(&folder(&[("model.safetensors", &long)]));
    let nested = "[".repeat(1 << 20);
    says(&nested, 8);
    assert!(
        says(
            r#"{"a\n": {"dtype": "C64", "shape": [1], "data_offsets": [0, 8]}}"#,
            8
        )
        .contains("`a\\n` holds C64")
    );
}

#[test]
fn shards_stay_in_their_folder() {
    let outside = folder(&[("secret", &floats(&[("a", &[1.0])]))]);
    let secret = outside.path().join("secret");
    let says = |name: &str| {
        let index = serde_json::json!({"weight_map": {"a": name}}).to_string();
        let dir = tempfile::tempdir_in(outside.path()).unwrap();
        std::fs::write(dir.path().join("model.safetensors.index.json"), index).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&secret, dir.path().join("link")).unwrap();
        refusal(&dir)
    };
    let absolute = secret.to_str().unwrap();
    let mut names = vec![
        "../secret",
        absolute,
        "./link",
        "link/",
        "..",
        ".",
        "",
        "a/../link",
        "..\\secret",
        "C:secret",
        "a\0",
    ];
    if cfg!(unix) {
        names.push("link");
    }
    for name in names {
        let text = says(name);
        assert!(
            text.contains("its shards escape their folder"),
            "{name}: {text}"
        );
    }
    assert!(says("absent").contains("the file `absent` is missing; download it"));
}

#[cfg(unix)]
#[test]
fn the_hub_cache_has_links_to_its_blobs() {
    let cache = folder(&[]);
    let snapshot = cache.path().join("snapshots/abc");
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(cache.path().join("blobs")).unwrap();
    std::fs::write(cache.path().join("blobs/h"), floats(&[("a", &[1.0])])).unwrap();
    std::os::unix::fs::symlink("../../blobs/h", snapshot.join("s")).unwrap();
    let index = br#"{"weight_map": {"a": "s"}}"#;
    std::fs::write(snapshot.join("model.safetensors.index.json"), index).unwrap();
    let store = Store::open(&snapshot).unwrap();
    assert_eq!(values(store.get("a").unwrap()).unwrap(), [1.0]);
}

#[test]
fn an_index_that_disagrees_is_refused() {
    let says = |index: &str| {
        let one = floats(&[("a", &[1.0]), ("b", &[1.0])]);
        let two = floats(&[("a", &[1.0]), ("c", &[1.0])]);
        refusal(&folder(&[
            ("model.safetensors.index.json", index.as_bytes()),
            ("1", &one),
            ("2", &two),
        ]))
    };
    let text = says(r#"{"weight_map": {"b": "1", "c": "2"}}"#);
    assert!(
        text.contains("tensor `a` stands both in `1` and in `2`"),
        "{text}"
    );
    let text = says(r#"{"weight_map": {"a": "1", "a": "1"}}"#);
    assert!(text.contains("tensor `a` is listed twice"), "{text}");
    let text = says(r#"{"weight_map": {"a": "1", "z\n": "1"}}"#);
    assert!(text.contains("tensor `z\\n` is not in `1`"), "{text}");
    for index in [
        "{}",
        "[]",
        "",
        "{\"weight_map\": 1}",
        "{\"weight_map\": {\"a\": 1}}",
    ] {
        says(index);
    }
    let many: Vec<_> = (0..1000).map(|i| format!(r#""{i}": "{i}""#)).collect();
    let text = says(&format!(r#"{{"weight_map": {{{}}}}}"#, many.join(",")));
    assert!(text.contains("names 1000 files"), "{text}");
}

#[test]
fn a_pointer_says_how_to_get_its_file() {
    let pointer = b"version https://git-lfs.example/spec/v1\noid sha256:00\nsize 9\n";
    for name in ["model.safetensors", "pytorch_model.bin"] {
        assert!(refusal(&folder(&[(name, pointer)])).contains("run `git lfs pull`"));
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let dir = folder(&[("pytorch_model.bin", b"")]);
    assert!(refusal(&dir).contains("the file is empty"));
    std::fs::create_dir(dir.path().join("model.safetensors")).unwrap();
    assert!(refusal(&dir).contains("not a file"));
    let tar = [&[0; 257], b"ustar\0".as_slice()].concat();
    assert!(refusal(&folder(&[("pytorch_model.bin", &tar)])).contains("a tar archive"));
    let html = b"<!DOCTYPE html>";
    assert!(refusal(&folder(&[("pytorch_model.bin", html)])).contains("0x3c at byte 0"));
}

/// Opens the file as each format, and reads what it holds.
fn try_all(bytes: &[u8]) {
    for name in [
        "model.safetensors",
        "pytorch_model.bin",
        "model.safetensors.index.json",
    ] {
        let dir = folder(&[(name, bytes)]);
        let Ok(store) = Store::open(dir.path()) else {
            continue;
        };
        for name in store.names() {
            let entry = store.get(name).unwrap();
            // A view that repeats its elements may have any number of them.
            if entry.shape().iter().product::<usize>() < 1 << 16 {
                let _ = values(entry);
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), start in 0..4) {
        let start: &[u8] = [b"".as_slice(), b"PK\x03\x04", b"\x80\x02", b"\x10\0\0\0\0\0\0\0{"][start as usize];
        try_all(&[start, &bytes].concat());
    }

    #[test]
    fn no_change_of_a_file_panics(
        name in prop::sample::select(vec!["zip.bin", "legacy.bin", "zip-protocol4.bin", "expected.safetensors"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = fixture(name);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        try_all(&bytes);
    }
}
