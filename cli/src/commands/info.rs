//! `fluxo info`.

use std::fmt::Write;

use anyhow::Result;
use fluxo_compare::inputs::signature::file::{Dim, Port, Signature};
use fluxo_compare::open::graph_of;
use fluxo_models::Model;
use fluxo_models::stack::{StackConfig, UNBOUNDED};
use serde_json::{Value, json};

use super::{device, untasked};
use crate::ExitStatus;
use crate::args::Info;
use crate::print::Print;

pub fn run(args: &Info, print: Print) -> Result<ExitStatus> {
    match graph_of(&args.model)? {
        Some(graph) => {
            untasked(&args.model, args.task)?;
            let ports = |ports: &[Port]| -> Vec<Value> {
                ports
                    .iter()
                    .map(|port| json!({"name": port.name, "type": format!("{:?}", port.dtype), "dims": dims(port)}))
                    .collect()
            };
            let (mut documents, mut text) = (Vec::new(), String::new());
            for file in graph.files() {
                let signature = Signature::read(file)?;
                documents.push(json!({
                    "file": file,
                    "inputs": ports(&signature.inputs),
                    "outputs": ports(&signature.outputs),
                }));
                let begun = if text.is_empty() { "" } else { "\n" };
                write!(text, "{begun}{}", file.display())?;
                let both = [("input", &signature.inputs), ("output", &signature.outputs)];
                for (kind, ports) in both {
                    for port in ports {
                        let dims = dims(port).join(", ");
                        write!(text, "\n{kind} {} {:?} [{dims}]", port.name, port.dtype)?;
                    }
                }
            }
            // One file is shown as before; of several the last stands for all, with a list.
            let mut document = documents.last().cloned().unwrap_or_default();
            if let (true, Some(document)) = (documents.len() > 1, document.as_object_mut()) {
                document.insert("files".to_string(), documents.into());
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
            let mut text = format!("{} for {}", model.family(), model.task());
            for (name, stack) in model.config().stacks() {
                write!(text, "\n{name}: {}", shape(stack))?;
            }
            write!(text, "\n{report}")?;
            print.result(&document, text)?;
        }
    }
    Ok(ExitStatus::Success)
}

/// A stack in a line.
fn shape(stack: &StackConfig) -> String {
    let block = stack.block();
    let attention = &block.attention;
    let norms = serde_json::to_value(block.norm_position).unwrap_or_default();
    let mut text = format!(
        "{} layers of {}, {} heads ({} for keys and values) of {}, feed-forward {}, norms {}",
        stack.layers,
        stack.d_model,
        attention.heads,
        attention.kv_heads,
        attention.head_dim,
        block.feed_forward.d_ff,
        norms.as_str().unwrap_or_default().replace('_', " "),
    );
    if let Some(tokens) = stack.tokens() {
        text += &format!(", vocabulary {}", tokens.vocab_size);
    }
    if stack.max_positions < UNBOUNDED {
        text += &format!(", positions {}", stack.max_positions);
    }
    text
}

fn dims(port: &Port) -> Vec<String> {
    let dims = port.dims.iter().flatten();
    dims.map(|dim| match dim {
        Dim::Fixed(size) => size.to_string(),
        Dim::Named(name) => name.clone(),
    })
    .collect()
}
