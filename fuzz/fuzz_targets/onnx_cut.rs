#![no_main]
//! A file cut out of another is one itself, with the nodes that its output needs and no others.

use burn::tensor::DType;
use fluxo_fuzz::in_file;
use fluxo_onnx::file::{CutPort, GraphFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = in_file("model.onnx", bytes);
    let Ok(file) = GraphFile::read(&folder.join("model.onnx")) else {
        return;
    };
    let port = |name: &String| CutPort {
        name: name.clone(),
        dtype: DType::F32,
        dims: None,
    };
    let Some(output) = file.outputs.first() else {
        return;
    };
    let inputs: Vec<_> = file.inputs.iter().map(port).collect();
    let cut = folder.join("cut.onnx");
    let pieces = file.cut(&[], &[port(output)], &inputs);
    pieces.write(&file, &cut).expect("the file is written");
    let cut = GraphFile::read(&cut).expect("what was cut is read");
    assert_eq!(cut.outputs, std::slice::from_ref(output));
    assert!(cut.nodes.len() <= file.nodes.len());
});
