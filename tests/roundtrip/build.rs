//! Our exported files, turned into Burn code by upstream's importer.

fn main() {
    let mut generator = burn_import::onnx::ModelGen::new();
    for name in [
        "classifier",
        "bert",
        "llama",
        "t5_encoder",
        "t5_decoder",
        "vit",
    ] {
        println!("cargo::rerun-if-changed={name}.onnx");
        generator.input(&format!("{name}.onnx"));
    }
    generator.out_dir("model/").run_from_script();
}
