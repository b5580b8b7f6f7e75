//! Every format against the same tensors in another, and against what torch writes.
#![allow(clippy::unwrap_used)]

use std::fs;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView, serialize};
use tempfile::TempDir;

use super::*;

/// The tensor's values, and that its pieces follow each other.
pub(super) fn values(entry: &Entry) -> Result<Vec<f32>> {
    let mut all = Vec::new();
    entry.read(&mut |first, piece| {
        assert_eq!(first, all.len());
        assert!(!piece.is_empty() && piece.len() <= 1 << 20);
        all.extend_from_slice(piece);
    })?;
    Ok(all)
}

/// A folder with these files.
pub(super) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

/// A safetensors file of these 32-bit floats, each tensor of one axis.
pub(super) fn floats(tensors: &[(&str, &[f32])]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, values), bytes)| {
        let view = TensorView::new(Dtype::F32, vec![values.len()], bytes).unwrap();
        (*name, view)
    });
    serialize(views, None).unwrap()
}

/// What opening the folder's weights says is wrong.
pub(super) fn refusal(dir: &TempDir) -> String {
    let text = Store::open(dir.path()).unwrap_err().to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

pub(super) fn fixture(name: &str) -> Vec<u8> {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/bin/");
    fs::read(format!("{fixtures}{name}")).unwrap()
}

#[test]
fn files_of_torch_hold_what_torch_says() {
    let expected = folder(&[("model.safetensors", &fixture("expected.safetensors"))]);
    let expected = Store::open(expected.path()).unwrap();
    for name in [
        "zip.bin",
        "zip-protocol4.bin",
        "nested.bin",
        "legacy.bin",
        "legacy-protocol4.bin",
        "legacy-nested.bin",
    ] {
        let dir = folder(&[("pytorch_model.bin", &fixture(name))]);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.path(), dir.path().join("pytorch_model.bin"));
        assert!(store.names().eq(expected.names()), "{name}");
        let mut read = 0;
        for tensor in store.names() {
            let (ours, theirs) = (store.get(tensor).unwrap(), expected.get(tensor).unwrap());
            assert_eq!(ours.shape(), theirs.shape(), "{name} {tensor}");
            assert_eq!(ours.dtype(), theirs.dtype(), "{name} {tensor}");
            if ours.dtype().is_float() {
                assert_eq!(
                    values(ours).unwrap(),
                    values(theirs).unwrap(),
                    "{name} {tensor}"
                );
                read += 1;
            } else {
                let refusal = values(ours).unwrap_err().to_string();
                assert!(refusal.contains("weights must be floats"), "{refusal}");
            }
        }
        assert_eq!(read, 17, "{name}");
    }
}

/// Tensors are compared by their values, whatever file, layout and storage they have.
#[test]
fn equal_tensors_are_found() {
    let torch = folder(&[("pytorch_model.bin", &fixture("zip.bin"))]);
    let torch = Store::open(torch.path()).unwrap();
    let expected = folder(&[("model.safetensors", &fixture("expected.safetensors"))]);
    let expected = Store::open(expected.path()).unwrap();
    let equal = |one: &Entry, other: &Entry| one.equals(other).unwrap();
    let mut compared = 0;
    for name in torch.names() {
        let (one, other) = (torch.get(name).unwrap(), expected.get(name).unwrap());
        if !one.dtype().is_float() {
            assert!(one.equals(other).is_err(), "{name}");
            continue;
        }
        assert!(equal(one, other) && equal(other, one), "{name}");
        for another in expected.names().filter(|another| *another != name) {
            let another = expected.get(another).unwrap();
            if another.dtype().is_float() {
                let alike = one.shape() == another.shape()
                    && values(one).unwrap() == values(another).unwrap();
                assert_eq!(equal(one, another), alike, "{name}");
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 17);
    // One storage under two names.
    assert!(equal(
        torch.get("tied").unwrap(),
        torch.get("weight").unwrap()
    ));
    assert!(!equal(
        torch.get("tied").unwrap(),
        torch.get("transposed").unwrap()
    ));
}

#[test]
fn shorter_and_longer_floats_become_32_bits() {
    let wanted = [1.5_f32, -0.0, 65504.0, 6e-8, f32::INFINITY, -3.140_625];
    let half: Vec<u8> = wanted
        .iter()
        .flat_map(|v| f16::from_f32(*v).to_le_bytes())
        .collect();
    let bfloat: Vec<u8> = wanted
        .iter()
        .flat_map(|v| bf16::from_f32(*v).to_le_bytes())
        .collect();
    let double: Vec<u8> = wanted
        .iter()
        .flat_map(|v| f64::from(*v).to_le_bytes())
        .collect();
    let view = |dtype, bytes| TensorView::new(dtype, vec![2, 3], bytes).unwrap();
    let file = serialize(
        [
            ("half", view(Dtype::F16, &half)),
            ("bfloat", view(Dtype::BF16, &bfloat)),
            ("double", view(Dtype::F64, &double)),
        ],
        None,
    );
    let dir = folder(&[("model.safetensors", &file.unwrap())]);
    let store = Store::open(dir.path()).unwrap();
    let read = |name| values(store.get(name).unwrap()).unwrap();
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let rounded = |round: fn(f32) -> f32| bits(wanted.map(round).to_vec());
    assert_eq!(bits(read("half")), rounded(|v| f16::from_f32(v).to_f32()));
    assert_eq!(
        bits(read("bfloat")),
        rounded(|v| bf16::from_f32(v).to_f32())
    );
    assert_eq!(bits(read("double")), bits(wanted.to_vec()));
}

#[test]
fn large_tensors_come_in_pieces() {
    let wanted: Vec<f32> = (0..(1 << 21) + 5).map(|i| i as f32).collect();
    let dir = folder(&[(
        "model.safetensors",
        &floats(&[("a", &[7.0]), ("w", &wanted)]),
    )]);
    let store = Store::open(dir.path()).unwrap();
    let mut firsts = Vec::new();
    let entry = store.get("w").unwrap();
    entry
        .read(&mut |first, piece| firsts.push((first, piece.len())))
        .unwrap();
    assert_eq!(firsts, [(0, 1 << 20), (1 << 20, 1 << 20), (1 << 21, 5)]);
    assert_eq!(values(entry).unwrap(), wanted);
}

#[test]
fn the_first_form_there_is_is_read() {
    let empty = folder(&[]);
    assert!(!Store::exists(empty.path()));
    assert!(refusal(&empty).contains("no weights here; expected one of model.safetensors, "));

    let index = br#"{"metadata": {"total_size": 8}, "weight_map": {"b": "s.bin"}}"#;
    let part = br#"{"weight_map": {"a": "one", "b": "two"}}"#;
    let (one, two) = (
        floats(&[("a", &[1.0])]),
        floats(&[("b", &[2.0]), ("c", &[3.0])]),
    );
    let bin = fixture("zip.bin");
    let dir = folder(&[
        ("pytorch_model.bin.index.json", index.as_slice()),
        ("s.bin", bin.as_slice()),
    ]);
    assert!(Store::exists(dir.path()));
    assert!(refusal(&dir).contains("tensor `b` is not in `s.bin`"));
    let steps: [(&str, &[u8], &str); 3] = [
        ("pytorch_model.bin", &bin, "weight"),
        ("model.safetensors.index.json", part, "c"),
        ("model.safetensors", &floats(&[("z", &[1.0])]), "z"),
    ];
    fs::write(dir.path().join("one"), one).unwrap();
    fs::write(dir.path().join("two"), two).unwrap();
    for (name, bytes, tensor) in steps {
        fs::write(dir.path().join(name), bytes).unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.path(), dir.path().join(name));
        assert!(store.get(tensor).is_some(), "{name}");
    }
}

#[test]
fn shards_are_one_store() {
    let index = r#"{"metadata": {}, "weight_map": {"a": "1", "b": "2", "c": "1"}}"#;
    let dir = folder(&[
        ("model.safetensors.index.json", index.as_bytes()),
        ("1", &floats(&[("a", &[1.0]), ("c", &[3.0, 4.0])])),
        ("2", &floats(&[("b", &[2.0])])),
    ]);
    let store = Store::open(dir.path()).unwrap();
    assert!(store.names().eq(["a", "b", "c"]));
    assert_eq!(values(store.get("b").unwrap()).unwrap(), [2.0]);
    assert_eq!(values(store.get("c").unwrap()).unwrap(), [3.0, 4.0]);

    let index = r#"{"weight_map": {"weight": "x.bin", "half": "x.bin"}}"#;
    let dir = folder(&[
        ("pytorch_model.bin.index.json", index.as_bytes()),
        ("x.bin", &fixture("legacy.bin")),
    ]);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.get("weight").unwrap().shape(), [4, 3]);
}
