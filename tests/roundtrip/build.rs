//! Our exported file, turned into Burn code by upstream's importer.

fn main() {
    burn_import::onnx::ModelGen::new()
        .input("classifier.onnx")
        .out_dir("model/")
        .run_from_script();
}
