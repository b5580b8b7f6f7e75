//! Fourteen architectures, written from their papers as a user of Burn would, with every size open
//! that the paper leaves open: exported, and held to float64 in the runtimes and on the backends
//! that are here ([`fluxo_verify::module`]).

#![allow(clippy::unwrap_used)]

mod nets;

use std::collections::BTreeMap;

use burn::module::Module;
use fluxo_onnx::{Args, Outputs, Spec};
use fluxo_verify::ModuleCheck;

use nets::{detection, generation, graphs, language, sound, vision};

/// The module's file in every runtime, and the module on every backend, at sizes that no recording
/// had. With `FLUXO_REQUIRE_ALL` none of them may be missing.
fn held<M: Module>(
    module: M,
    spec: Spec,
    integers: &[(&str, i64)],
    forward: impl Fn(&M, &mut Args) -> Outputs,
) {
    let names = ["ndarray", "wgpu"].into_iter();
    let on = names.filter(|name| fluxo_backends::device(name).is_ok());
    let ranges = integers
        .iter()
        .map(|(name, below)| (name.to_string(), 0..*below));
    let check = ModuleCheck {
        integers: ranges.collect::<BTreeMap<_, _>>(),
        on: on.map(str::to_string).collect(),
        ..ModuleCheck::default()
    };
    let report = check.run(&module, &spec, forward).unwrap();
    assert!(report.agrees(), "{report}");
    // The module takes every size, and no runtime that must be here is missing.
    let required = std::env::var_os("FLUXO_REQUIRE_ALL").is_some();
    let mut skipped = report.skipped.iter();
    let missing = skipped.find(|skipped| required || skipped.runner == "flex");
    assert!(missing.is_none(), "{missing:?}");
}

/// Two float or whole inputs, and so on, by their names and dimensions.
macro_rules! spec {
    ($name:literal, $($kind:ident $input:literal [$($dim:expr),+]),+) => {
        Spec::new($name)$(.input(fluxo_onnx::Input::$kind(
            $input,
            [$(fluxo_onnx::Dim::from($dim)),+],
        )))+
    };
}

fn y<const D: usize>(tensor: burn::tensor::Tensor<D>) -> Outputs {
    Outputs::new().float("y", tensor)
}

#[test]
fn residual() {
    let spec = nets::images("residual", 3, "height", "width");
    held(vision::ResNet::new(), spec, &[], |m, args| {
        y(m.forward(args.float("x")))
    });
}

#[test]
fn inverted_residual() {
    let spec = nets::images("inverted", 3, "height", "width");
    held(vision::MobileNet::new(), spec, &[], |m, args| {
        y(m.forward(args.float("x")))
    });
}

#[test]
fn patch_transformer() {
    let spec = nets::images("patches", 3, "4*rows", "4*columns");
    held(vision::Patches::new(), spec, &[], |m, args| {
        y(m.forward(args.float("x")))
    });
}

#[test]
fn detector_with_three_scales() {
    let spec = nets::images("detector", 3, "32*h", "32*w");
    held(detection::Detector::new(), spec, &[], |m, args| {
        y(m.forward(args.float("x")))
    });
}

#[test]
fn two_towers() {
    let spec = spec!(
        "towers",
        int "query" ["queries", "query_length"],
        float "query_mask" ["queries", "query_length"],
        int "document" ["documents", "document_length"],
        float "document_mask" ["documents", "document_length"]
    );
    let integers = [("query", 50), ("document", 50)];
    held(language::Towers::new(), spec, &integers, |m, args| {
        let ids = [args.int("query"), args.int("document")];
        let masks = [args.float::<2>("query_mask"), args.float("document_mask")];
        y(m.forward(ids, masks.map(|mask| mask.greater_elem(0.0).float())))
    });
}

#[test]
fn recurrent_stack_both_ways() {
    let spec = spec!("tagger", int "ids" ["batch", "sequence"]);
    held(language::Tagger::new(), spec, &[("ids", 50)], |m, args| {
        y(m.forward(args.int("ids")))
    });
}

#[test]
fn sequence_to_sequence_with_attention() {
    let spec = spec!(
        "translator",
        int "source" ["batch", "source_length"],
        int "target" ["batch", "target_length"]
    );
    let integers = [("source", 50), ("target", 50)];
    held(language::Translator::new(), spec, &integers, |m, args| {
        y(m.forward(args.int("source"), args.int("target")))
    });
}

#[test]
fn mixture_of_experts() {
    let spec = spec!("experts", float "x" ["batch", "sequence", 12]);
    held(language::Experts::new(), spec, &[], |m, args| {
        y(m.forward(args.float("x")))
    });
}

#[test]
fn adversaries() {
    let spec = spec!("adversaries", float "noise" ["batch", 6, "rows", "columns"]);
    held(generation::Adversaries::new(), spec, &[], |m, args| {
        let (image, truth) = m.forward(args.float("noise"));
        Outputs::new().float("image", image).float("truth", truth)
    });
}

#[test]
fn u_net_by_transposed_convolutions() {
    let spec = nets::images("unet", 3, "8*h", "8*w");
    held(generation::UNet::new(None), spec, &[], |m, args| {
        y(m.forward(args.float("x")))
    });
}

#[test]
fn u_net_by_interpolation() {
    use burn::nn::interpolate::InterpolateMode;
    for mode in [InterpolateMode::Nearest, InterpolateMode::Linear] {
        let spec = nets::images("unet", 3, "8*h", "8*w");
        let unet = generation::UNet::new(Some(mode));
        held(unet, spec, &[], |m, args| y(m.forward(args.float("x"))));
    }
}

#[test]
fn diffusion_step() {
    let spec = nets::images("diffusion", 3, "height", "width")
        .input(fluxo_onnx::Input::float("time", ["batch"]))
        .input(fluxo_onnx::Input::float("beta", ["batch"]))
        .input(fluxo_onnx::Input::float("left", ["batch"]));
    held(generation::Diffusion::new(), spec, &[], |m, args| {
        let shares = [args.float("beta"), args.float("left")];
        let time = args.float::<1>("time") * 100.0;
        y(m.forward(args.float("x"), time, shares))
    });
}

#[test]
fn graph_by_its_adjacency_matrix() {
    let spec = spec!("graph", float "x" ["nodes", 6], float "edges" ["nodes", "nodes"]);
    held(graphs::Neighbours::new(), spec, &[], |m, args| {
        y(m.forward(args.float("x"), args.float("edges")))
    });
}

#[test]
fn causal_sounds() {
    let spec = spec!("causal", float "x" ["batch", 1, "samples"]);
    held(sound::Causal::new(), spec, &[], |m, args| {
        y(m.forward(args.float("x")))
    });
}

#[test]
fn conformer_block() {
    let spec = spec!("conformer", float "x" ["batch", "frames", 12]);
    held(sound::Conformer::new(), spec, &[], |m, args| {
        y(m.forward(args.float("x")))
    });
}
