//! An export holds little beside the loaded module.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Device;
use fluxo_onnx::{Args, Dim, Input, Options, Outputs, Spec, export};

const WIDTH: usize = 1024;
const LAYERS: usize = 40;

#[derive(Module, Debug)]
struct Chain {
    layers: Vec<Linear>,
}

impl Chain {
    fn forward(&self, args: &mut Args) -> Outputs {
        let x = args.float::<2>("x");
        let y = self.layers.iter().fold(x, |x, layer| layer.forward(x));
        Outputs::new().float("y", y)
    }
}

/// A line of the process's status, in bytes.
fn status(key: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024
}

/// The issue allows 1.3 times the weights beside the loaded model. One weight at a time is a
/// fortieth of them; the rest is the allocator's.
#[test]
fn an_export_takes_little_beside_the_loaded_module() {
    let device = Device::flex();
    let layer = |_| LinearConfig::new(WIDTH, WIDTH).init(&device);
    let chain = Chain {
        layers: (0..LAYERS).map(layer).collect(),
    };
    // Parameters are made when they are first read.
    let weights: usize = chain
        .layers
        .iter()
        .map(|layer| layer.weight.shape().num_elements())
        .sum();
    let dir = tempfile::tempdir().unwrap();
    for external_over in [usize::MAX, 0] {
        // From here on the peak counts anew.
        if std::fs::write("/proc/self/clear_refs", "5").is_err() {
            println!("skipped: this system does not reset the peak of memory");
            assert!(std::env::var("FLUXO_REQUIRE_ALL").is_err());
            return;
        }
        let before = status("VmRSS:");
        let spec = Spec::new("chain").input(Input::float("x", ["batch".into(), Dim::Fixed(WIDTH)]));
        let options = Options {
            external_over,
            ..Options::default()
        };
        let model = export(&chain, &spec, &options, Chain::forward).unwrap();
        model.write(dir.path().join("model.onnx")).unwrap();
        let peak = status("VmHWM:") - before;
        let ratio = peak as f64 / (4 * weights) as f64;
        println!("external over {external_over}: {ratio:.3} times the weights");
        assert!(ratio < 0.15, "{ratio:.3}");
    }
}
