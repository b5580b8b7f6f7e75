//! Weights in a file beside: streamed, aligned, all or nothing.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Device;
use common::{distance, floats, inputs};
use fluxo_onnx::{Args, Input, OnnxModel, Options, Outputs, Spec, evaluate, export};
use tract_onnx::prelude::*;

#[derive(Module, Debug)]
struct Chain {
    layers: Vec<Linear>,
}

impl Chain {
    fn new(layers: usize, width: usize) -> Self {
        let device = Device::flex();
        device.seed(3);
        let layer = |_| LinearConfig::new(width, width).init(&device);
        Self {
            layers: (0..layers).map(layer).collect(),
        }
    }

    fn forward(&self, args: &mut Args) -> Outputs {
        let x = args.float::<2>("x");
        let y = self.layers.iter().fold(x, |x, layer| layer.forward(x));
        Outputs::new().float("y", y)
    }

    fn export(&self, width: usize, external_over: usize) -> OnnxModel {
        let rows = ["batch".into(), fluxo_onnx::Dim::Fixed(width)];
        let spec = Spec::new("chain").input(Input::float("x", rows));
        let options = Options {
            external_over,
            ..Options::default()
        };
        export(self, &spec, &options, Self::forward).unwrap()
    }
}

/// The names of the files in a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn over_the_threshold_weights_stand_beside_and_give_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.onnx");
    let chain = Chain::new(3, 64);
    // 3 matrices of 16 KiB and 3 vectors of 256 bytes, which stay inside.
    let whole = chain.export(64, 1 << 20);
    whole.write(&path).unwrap();
    assert_eq!(files(dir.path()), ["model.onnx"]);
    let model = chain.export(64, 1 << 14);
    model.write(&path).unwrap();
    assert_eq!(files(dir.path()), ["model.onnx", "model.onnx_data"]);
    let beside = std::fs::read(dir.path().join("model.onnx_data")).unwrap();
    assert_eq!(beside.len(), 3 * (1 << 14));
    assert!(std::fs::metadata(&path).unwrap().len() < 1 << 13);

    let case = inputs([("x", floats(&[5, 64], 1))]);
    let wanted = evaluate(&chain, &Device::flex(), &case, Chain::forward).unwrap();
    let plan = tract_onnx::onnx().model_for_path(&path).unwrap();
    let plan = plan.into_optimized().unwrap().into_runnable().unwrap();
    let x: Vec<f32> = case["x"].iter::<f32>().collect();
    let found = plan
        .run(tvec!(Tensor::from_shape(&[5, 64], &x).unwrap().into()))
        .unwrap();
    let values = found[0].to_plain_array_view::<f32>().unwrap();
    let found = burn::tensor::TensorData::new(values.iter().copied().collect(), [5, 64]);
    // Three sums of 64 products in another order.
    assert!(distance(&wanted[0].1, &found).unwrap() < 1e-6);
}

#[test]
fn weights_start_at_multiples_of_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.onnx");
    // 33 x 33 floats are 4356 bytes: the next weight starts at 8192.
    Chain::new(2, 33).export(33, 0).write(&path).unwrap();
    let beside = std::fs::read(dir.path().join("model.onnx_data")).unwrap();
    assert_eq!(beside.len(), 8192 + 4356);
    assert!(beside[4356..8192].iter().all(|byte| *byte == 0));
    assert!(beside[8192..8200].iter().any(|byte| *byte != 0));
}

/// Set in the process that [`a_full_disk_leaves_nothing_behind`] starts.
const FULL: &str = "FLUXO_ONNX_FULL_DISK";

/// Files may grow to 512 blocks of 512 or 1024 bytes in a process of its own: every write beyond is
/// refused, as on a
/// disk that fills up.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_nothing_behind() {
    let chain = |external_over| Chain::new(4, 256).export(256, external_over);
    if let Some(folder) = std::env::var_os(FULL) {
        let path = PathBuf::from(folder).join("model.onnx");
        // A MiB inside the file, and beside it.
        for external_over in [1 << 30, 0] {
            let error = chain(external_over).write(&path).unwrap_err().to_string();
            assert!(error.starts_with("cannot write"), "{error}");
        }
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("model.onnx"), "before").unwrap();
    let limited = "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\"";
    let name = "a_full_disk_leaves_nothing_behind";
    let output = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(FULL, dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
    assert_eq!(files(dir.path()), ["model.onnx"]);
    let kept = std::fs::read(dir.path().join("model.onnx")).unwrap();
    assert_eq!(kept, b"before");
    // Without the limit there is room.
    chain(0).write(dir.path().join("model.onnx")).unwrap();
    assert_eq!(files(dir.path()), ["model.onnx", "model.onnx_data"]);
}
