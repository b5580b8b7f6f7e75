//! Pickles and archives that were made to do harm: each is refused in a line.
#![allow(clippy::unwrap_used)]

use super::tests::{fixture, folder, refusal, values};
use super::*;

/// A zip archive with these members, stored.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let named = u16::try_from(name.len()).unwrap().to_le_bytes();
        let start = u32::try_from(file.len()).unwrap().to_le_bytes();
        let sizes = [length, length].concat();
        file.extend([b"PK\x03\x04".as_slice(), &[0; 14], &sizes, &named, &[0; 2]].concat());
        file.extend([name.as_bytes(), bytes].concat());
        directory.extend([b"PK\x01\x02".as_slice(), &[0; 16], &sizes, &named].concat());
        directory.extend([&[0; 12], start.as_slice(), name.as_bytes()].concat());
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    let start = u32::try_from(file.len()).unwrap().to_le_bytes();
    file.extend(directory);
    file.extend(
        [
            b"PK\x05\x06".as_slice(),
            &[0; 4],
            &count,
            &count,
            &length,
            &start,
            &[0; 2],
        ]
        .concat(),
    );
    file
}

/// What opening says of an archive with this pickle and 16 bytes of values in storage 0.
fn of_pickle(pickle: &[u8]) -> String {
    let file = archive(&[("m/data.pkl", pickle), ("m/data/0", &[0; 16])]);
    refusal(&folder(&[("pytorch_model.bin", &file)]))
}

/// A pickle of `{"w": tensor}`: four floats in storage 0, seen through these instructions for
/// offset, shape and strides.
fn tensor(count: &[u8], offset: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let start = b"\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu";
    [start, count, b"tQ", offset, shape, strides, b"\x89}tRs."].concat()
}

#[test]
fn the_pickles_made_here_are_sound() {
    let pickle = tensor(b"K\x04", b"K\x01", b"K\x03\x85", b"K\x01\x85");
    let values_of = [0.0_f32, 1.0, 2.0, 3.0].map(f32::to_le_bytes).concat();
    let file = archive(&[("m/data.pkl", &pickle), ("m/data/0", &values_of)]);
    let dir = folder(&[("pytorch_model.bin", &file)]);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(values(store.get("w").unwrap()).unwrap(), [1.0, 2.0, 3.0]);
}

#[test]
fn code_is_named_and_not_run() {
    let call = b"cposix\nsystem\nU\x0etouch /tmp/fluxo\x85R";
    let weight = tensor(b"K\x04", b"K\x00", b"K\x04\x85", b"K\x01\x85");
    let hidden = [b"\x80\x02", call.as_slice(), b"0", &weight[2..]].concat();
    let stack =
        b"\x80\x04\x95\0\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x8c\x02ls\x85R.";
    for pickle in [
        [b"\x80\x02", call.as_slice(), b"."].concat(),
        hidden,
        stack.to_vec(),
        b"cposix\nsystem\np0\n(Vls\np1\ntp2\nRp3\n.".to_vec(),
        b"(dp0\nVw\np1\ncposix\nsystem\n(Vls\ntRs.".to_vec(),
        b"(S'ls'\niposix\nsystem\n.".to_vec(),
    ] {
        let zipped = of_pickle(&pickle);
        let plain = refusal(&folder(&[("pytorch_model.bin", &pickle)]));
        let torch = fixture("legacy.bin");
        // After the three pickles that open a legacy file.
        let opening = torch
            .windows(2)
            .enumerate()
            .filter(|(_, w)| *w == b"\x80\x02")
            .nth(3)
            .unwrap()
            .0;
        let legacy = [&torch[..opening], pickle.as_slice()].concat();
        let legacy = refusal(&folder(&[("pytorch_model.bin", &legacy)]));
        for text in [zipped, plain, legacy] {
            let wanted = "holds code (posix.system), which is not run; save it as safetensors";
            assert!(text.ends_with(wanted), "{text}");
        }
    }
    let quantized = of_pickle(b"\x80\x02ctorch._utils\n_rebuild_qtensor\n)R.");
    assert!(
        quantized.contains("holds torch._utils._rebuild_qtensor, which is not read"),
        "{quantized}"
    );
    let named = of_pickle(b"\x80\x02cos\x1b[31m\nsystem\r\n.");
    assert!(named.contains("os\\u{1b}[31m.system\\r"), "{named}");
}

#[test]
fn sizes_that_lie_are_refused() {
    let one = b"K\x01\x85";
    let huge = b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85";
    for pickle in [
        tensor(b"K\x04", b"K\x00", b"K\x05\x85", one),
        tensor(b"K\x04", b"K\x01", b"K\x04\x85", one),
        tensor(b"K\x05", b"K\x00", b"K\x05\x85", one),
        tensor(b"K\x02", b"K\x00", b"K\x03\x85", one),
        tensor(b"K\x04", b"K\x00", b"K\x02\x85", b"K\x04\x85"),
        tensor(b"K\x04", b"K\x00", b"K\x02K\x02\x86", one),
        tensor(b"K\x04", b"K\x00", b"J\xff\xff\xff\xff\x85", one),
        tensor(b"K\x04", b"J\xff\xff\xff\xff", b"K\x01\x85", one),
        tensor(b"J\xff\xff\xff\xff", b"K\x00", b"K\x01\x85", one),
        tensor(b"K\x04", b"K\x00", huge, one),
        tensor(b"K\x04", b"K\x00", b"K\x02\x85", huge),
        tensor(b"K\x04", &huge[..10], b"K\x01\x85", one),
        tensor(&huge[..10], &huge[..10], b"K\x01\x85", one),
        tensor(b"K\x04", b"\x8a\x09\0\0\0\0\0\0\0\0\x01", b"K\x01\x85", one),
        tensor(b"K\x04", b"\x8a\xff", b"K\x01\x85", one),
        // Many times nothing is nothing, but their number must still be one.
        tensor(
            b"K\x04",
            b"K\x00",
            b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x02\x86",
            b"K\x00K\x00\x86",
        ),
        tensor(
            b"K\x04",
            b"K\x00",
            b"(KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKt",
            one,
        ),
    ] {
        let text = of_pickle(&pickle);
        assert!(
            text.contains("; download the file again") || text.contains("axes"),
            "{text}"
        );
    }
    let expanded = tensor(
        b"K\x04",
        b"K\x00",
        b"J\0\0\0\x40K\x04\x86",
        b"K\x00K\x01\x86",
    );
    let file = archive(&[("m/data.pkl", &expanded), ("m/data/0", &[0; 16])]);
    let dir = folder(&[("pytorch_model.bin", &file)]);
    assert_eq!(
        Store::open(dir.path()).unwrap().get("w").unwrap().shape(),
        [1 << 30, 4]
    );
}

#[test]
fn pickles_that_grow_are_cut_short() {
    let many = 1 << 21;
    // Nested lists; nested tuples; marks; the same list in itself; a dictionary's pairs copied
    // over and over; calls in calls.
    let nested = [b"\x80\x02".to_vec(), b"]".repeat(many), b"a".repeat(many)].concat();
    let tuples = [b"\x80\x02)".to_vec(), b"\x85".repeat(many)].concat();
    let marks = [b"\x80\x02".to_vec(), b"(".repeat(many)].concat();
    let itself = [b"\x80\x02]q\0".to_vec(), b"(h\0h\0e".repeat(many / 2)].concat();
    let listed = b"\x80\x02ccollections\nOrderedDict\nq\0]q\x01(".to_vec();
    let pairs = [listed, b"K\x01K\x02\x86".repeat(1 << 14), b"e0".to_vec()].concat();
    let copied = [pairs, b"h\0h\x01\x85R0".repeat(1 << 12)].concat();
    let calls = [
        b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\nq\0N)\x87".to_vec(),
        b"q\x010h\0Nh\x01\x87".repeat(1 << 17),
        b"q\x010h\0h\x01R.".to_vec(),
    ]
    .concat();
    for pickle in [nested, tuples, marks, itself, copied] {
        let text = of_pickle(&pickle);
        assert!(text.contains("steps; save it as safetensors"), "{text}");
    }
    assert!(of_pickle(&calls).contains("not a whole pickle"));
    // Depth alone is no harm.
    let deep = [
        b"\x80\x02".to_vec(),
        b"]".repeat(1 << 19),
        b"a".repeat((1 << 19) - 1),
        b".".to_vec(),
    ];
    assert!(of_pickle(&deep.concat()).contains("holds no tensors"));
}

#[test]
fn archives_that_lie_are_refused() {
    let pickle = tensor(b"K\x04", b"K\x00", b"K\x04\x85", b"K\x01\x85");
    let sound = archive(&[("m/data.pkl", &pickle), ("m/data/0", &[0; 16])]);
    let with = |from: usize, bytes: &[u8]| {
        let mut file = sound.clone();
        file[from..][..bytes.len()].copy_from_slice(bytes);
        refusal(&folder(&[("pytorch_model.bin", &file)]))
    };
    let end = sound.len() - 22;
    let directory = u32::from_le_bytes(sound[end + 16..][..4].try_into().unwrap()) as usize;
    let second = directory + 46 + "m/data.pkl".len();
    for text in [
        with(end + 10, &[0xff; 2]),
        with(end + 16, &[0xff; 4]),
        with(end + 16, &[0; 4]),
        with(directory + 20, &[0xff; 8]),
        with(directory + 42, &[0xff; 4]),
        with(directory + 42, &[1; 4]),
        with(directory + 28, &[0xff; 2]),
        // Not the member that the directory says.
        with(second + 42, &[0; 4]),
        // A member that reaches into the directory and beyond the file's end.
        with(second + 20, &[0, 0, 0, 1, 0, 0, 0, 1]),
    ] {
        assert!(text.contains("; download it again"), "{text}");
    }
    // Short of the tensor's elements.
    assert!(with(second + 20, &[12, 0, 0, 0, 12, 0, 0, 0]).contains("more than its 12 bytes"));
    assert!(with(second + 10, &[8]).contains("compressed or encrypted"));
    assert!(with(directory + 8, &[1]).contains("compressed or encrypted"));
    assert!(with(second + 46 + 7, b"1").contains("tensor `w` has no values"));

    let twice = archive(&[("m/data.pkl", &pickle), ("m/data.pkl", &pickle)]);
    assert!(refusal(&folder(&[("pytorch_model.bin", &twice)])).contains("two members called"));
    let roots = archive(&[("m/data.pkl", &pickle), ("n/data.pkl", &pickle)]);
    assert!(refusal(&folder(&[("pytorch_model.bin", &roots)])).contains("without one `data.pkl`"));
    let big = archive(&[
        ("data.pkl", &pickle),
        ("byteorder", b"big"),
        ("data/0", &[0; 16]),
    ]);
    assert!(refusal(&folder(&[("pytorch_model.bin", &big)])).contains("big-endian"));
}
