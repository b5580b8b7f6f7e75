//! `fluxo info`.

use std::fmt::Write;

use anyhow::Result;
use fluxo_compare::artifact::graph_of;
use fluxo_compare::signature::{Dim, Port, Signature};
use fluxo_models::Model;
use serde_json::{Value, json};

use super::device;
use crate::Held;
use crate::args::Info;
use crate::print::Print;

pub fn run(args: &Info, print: Print) -> Result<Held> {
    match graph_of(&args.model)? {
        Some(graph) => {
            let signature = Signature::read(&graph)?;
            let ports = |ports: &[Port]| -> Vec<Value> {
                ports
                    .iter()
                    .map(|port| json!({"name": port.name, "type": format!("{:?}", port.dtype), "dims": dims(port)}))
                    .collect()
            };
            let document = json!({
                "file": graph,
                "inputs": ports(&signature.inputs),
                "outputs": ports(&signature.outputs),
            });
            let mut text = format!("{}", graph.display());
            for (kind, ports) in [("input", &signature.inputs), ("output", &signature.outputs)] {
                for port in ports {
                    let dims = dims(port).join(", ");
                    write!(text, "\n{kind} {} {:?} [{dims}]", port.name, port.dtype)?;
                }
            }
            print.result(&document, text)?;
        }
        None => {
            let (model, report) = Model::load(&args.model, args.task, &device(None)?)?;
            let document = json!({
                "family": model.family(),
                "task": model.task(),
                "text": model.text().map(|text| if text.is_bytes() { "bytes" } else { "tokenizer" }),
                "parameters": report.parameters,
                "configuration": model.config(),
                "report": report,
            });
            let config = model.config();
            let attention = &config.block.attention;
            let text = format!(
                "{} for {}\n{} layers of {}, {} heads ({} for keys and values) of {}, feed-forward {}, \
                 {}-norm\nvocabulary {}, positions {}\n{report}",
                model.family(),
                model.task(),
                config.layers,
                config.d_model,
                attention.heads,
                attention.kv_heads,
                attention.head_dim,
                config.block.feed_forward.d_ff,
                format!("{:?}", config.block.norm_position).to_lowercase(),
                config.vocab_size,
                config.max_positions,
            );
            print.result(&document, text)?;
        }
    }
    Ok(Held::Yes)
}

fn dims(port: &Port) -> Vec<String> {
    let dims = port.dims.iter().flatten();
    dims.map(|dim| match dim {
        Dim::Fixed(size) => size.to_string(),
        Dim::Named(name) => name.clone(),
    })
    .collect()
}
