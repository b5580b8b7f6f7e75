//! The ONNX checker and ONNX Runtime, in one Python process that many files go through.
#![allow(dead_code, unused_imports)]

mod stir;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use burn::tensor::TensorData;

pub use stir::Stir;

/// What goes in, or what should come out, by name.
pub type Tensors = BTreeMap<String, TensorData>;

/// A running judge.
pub struct Judge {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// What is said of one file.
pub struct Ruling {
    /// The checker's complaint.
    pub checker: Option<String>,
    /// ONNX Runtime's largest difference at every set of inputs, absolute over the output's
    /// largest magnitude where that is over 1; or its message.
    pub runs: Vec<Result<f64, String>>,
}

fn python() -> String {
    std::env::var("FLUXO_PYTHON").unwrap_or_else(|_| "python3".into())
}

impl Judge {
    /// Starts one. None, with a word on stderr, where Python has no `onnx` and `onnxruntime`;
    /// with `FLUXO_REQUIRE_ALL=1` that is a failure.
    pub fn start() -> Option<Self> {
        let found = Command::new(python())
            .args(["-c", "import onnx, onnxruntime"])
            .output();
        if !found.is_ok_and(|output| output.status.success()) {
            let say = "absent: Python packages onnx and onnxruntime; pip install onnx onnxruntime";
            let required = std::env::var("FLUXO_REQUIRE_ALL").is_ok_and(|value| value == "1");
            assert!(!required, "{say}");
            eprintln!("{say}");
            return None;
        }
        let mut child = Command::new(python())
            .args(["-c", include_str!("judge.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, to, from })
    }

    /// Checks a file and compares its outputs with `(inputs, outputs)` of each set.
    pub fn rule(&mut self, model: &[u8], sets: &[(Tensors, Tensors)]) -> Ruling {
        let mut bytes = format!("{} {}\n", model.len(), sets.len()).into_bytes();
        bytes.extend(model);
        for (inputs, outputs) in sets {
            bytes.extend(format!("{} {}\n", inputs.len(), outputs.len()).bytes());
            for (name, data) in inputs.iter().chain(outputs) {
                put(&mut bytes, name, data);
            }
        }
        self.to.write_all(&bytes).unwrap();
        self.to.flush().unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        let mut fields = answer.trim_end_matches('\n').split('\t');
        let checker = fields.next().filter(|text| !text.is_empty());
        let checker = checker.map(str::to_string);
        let runs: Vec<_> = fields
            .map(|field| match field.strip_prefix('!') {
                Some(message) => Err(message.to_string()),
                None => Ok(field.parse().unwrap()),
            })
            .collect();
        assert_eq!(runs.len(), sets.len(), "the judge went away: {answer}");
        Ruling { checker, runs }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `name kind dims bytes`, then the bytes.
fn put(bytes: &mut Vec<u8>, name: &str, data: &TensorData) {
    let (kind, raw): (_, Vec<u8>) = if data.dtype().is_bool() {
        ("b", data.iter::<bool>().map(u8::from).collect())
    } else if data.dtype().is_float() {
        ("f", data.iter::<f32>().flat_map(f32::to_le_bytes).collect())
    } else {
        ("i", data.iter::<i64>().flat_map(i64::to_le_bytes).collect())
    };
    let dims: Vec<String> = data
        .shape()
        .to_vec()
        .iter()
        .map(|d| d.to_string())
        .collect();
    bytes.extend(format!("{name} {kind} {} {}\n", dims.join(","), raw.len()).bytes());
    bytes.extend(raw);
}
