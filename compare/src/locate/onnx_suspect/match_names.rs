//! Which values of a file a module of ours reads and writes, by the names of its weights.

use fluxo_onnx::file::GraphFile;

/// What a part reads, `None` where that is no stream, and what it writes.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::locate) struct Endpoints {
    pub input: Option<String>,
    pub output: String,
}

/// The ends of the part `path`; `None` where the file does not show them.
pub(super) fn ends(file: &GraphFile, path: &str) -> Option<Endpoints> {
    let (outer, last) = path.rsplit_once('.').unwrap_or(("", path));
    let both = |input: String, output: String| {
        let input = Some(input);
        Some(Endpoints { input, output })
    };
    match last {
        "embedding" | "patches" | "frames" => Some(Endpoints {
            input: None,
            output: block_input(file, &format!("{outer}.layers.0"))?,
        }),
        "attention" | "cross" => {
            let query = linear(file, &format!("{path}.query"))?;
            both(query.0, linear(file, &format!("{path}.output"))?.1)
        }
        "feed_forward" => {
            let up = linear(file, &format!("{path}.up"))?;
            both(up.0, linear(file, &format!("{path}.down"))?.1)
        }
        "head" => both(last_state(file)?, logits(file)?),
        _ if last.ends_with("_scale") => {
            let (at, scale) = reader(file, path)?;
            let node = &file.nodes[at];
            let input = node.inputs.iter().find(|input| **input != scale)?;
            both(input.clone(), node.outputs.first()?.clone())
        }
        _ if last.parse::<usize>().is_ok() && outer.ends_with("layers") => {
            both(block_input(file, path)?, block_output(file, path)?)
        }
        _ if last.ends_with("norm") => {
            let (input, output) = norm(file, path)?;
            both(input, output)
        }
        _ => {
            let (input, output) = linear(file, path)?;
            both(input, output)
        }
    }
}

/// The node that reads the weight `name`; of one that several layers share, by the layer's
/// turn.
fn reader(file: &GraphFile, name: &str) -> Option<(usize, String)> {
    let (before, layer, after) = layer(name)?;
    for own in (0..=layer).rev() {
        let name = format!("{before}{own}{after}");
        if file.weight(&name).is_some() {
            let reader = *file.readers(&name).get(layer - own)?;
            return Some((reader, name));
        }
    }
    None
}

fn any_reader(file: &GraphFile, name: &str) -> Option<(usize, String)> {
    if layer(name).is_some() {
        reader(file, name)
    } else {
        file.weight(name)?;
        Some((*file.readers(name).first()?, name.to_string()))
    }
}

/// What the linear layer `path` reads and writes.
fn linear(file: &GraphFile, path: &str) -> Option<(String, String)> {
    let (at, weight) = any_reader(file, &format!("{path}.weight"))?;
    let node = &file.nodes[at];
    if !matches!(node.op.as_str(), "MatMul" | "Gemm") || node.inputs.get(1) != Some(&weight) {
        return None;
    }
    let output = node.outputs.first()?;
    let bias = format!("{}.bias", weight.strip_suffix(".weight")?);
    let added = file.readers(output).into_iter().find(|reader| {
        let node = &file.nodes[*reader];
        node.op == "Add" && node.inputs.contains(&bias)
    });
    let output = match added {
        Some(added) => file.nodes[added].outputs.first()?,
        None => output,
    };
    Some((node.inputs.first()?.clone(), output.clone()))
}

/// What the norm `path` reads and writes.
fn norm(file: &GraphFile, path: &str) -> Option<(String, String)> {
    let (at, weight) = any_reader(file, &format!("{path}.weight"))?;
    let node = &file.nodes[at];
    let output = node.outputs.first()?.clone();
    if node.op.ends_with("Normalization") {
        return Some((node.inputs.first()?.clone(), output));
    }
    // x / root(mean of squares) times the weight, or times 1 more than it.
    let (node, gain) = match node.op.as_str() {
        "Add" => (&file.nodes[*file.readers(&output).first()?], output),
        _ => (node, weight),
    };
    let divided = node.inputs.iter().find(|input| **input != gain)?;
    let divided = &file.nodes[file.writer(divided)?];
    if node.op != "Mul" || divided.op != "Div" {
        return None;
    }
    Some((
        divided.inputs.first()?.clone(),
        node.outputs.first()?.clone(),
    ))
}

/// The stream before the block `path`.
fn block_input(file: &GraphFile, path: &str) -> Option<String> {
    let query = linear(file, &format!("{path}.attention.query"))?.0;
    let before = format!("{path}.attention_norm");
    let Some((input, output)) = norm(file, &before) else {
        // Without a norm; one that is not understood hides where the block begins.
        let none = any_reader(file, &format!("{before}.weight")).is_none();
        return none.then_some(query);
    };
    // Before the attention, or after its sum.
    Some(if output == query { input } else { query })
}

/// The stream that the head reads.
fn last_state(file: &GraphFile) -> Option<String> {
    let stack = ["decoder", "encoder", "vision"]
        .into_iter()
        .find(|stack| block_input(file, &format!("{stack}.layers.0")).is_some())?;
    if let Some((_, output)) = norm(file, &format!("{stack}.final_norm")) {
        return Some(output);
    }
    let mut layers = (0..).map(|layer| format!("{stack}.layers.{layer}"));
    let behind = layers.position(|layer| block_input(file, &layer).is_none())?;
    block_output(file, &format!("{stack}.layers.{}", behind.checked_sub(1)?))
}

/// What the head writes, where that is one output.
fn logits(file: &GraphFile) -> Option<String> {
    file.outputs
        .iter()
        .find(|output| *output == "logits")
        .cloned()
}

/// The stream after the block `path`.
fn block_output(file: &GraphFile, path: &str) -> Option<String> {
    let (layers, number) = path.rsplit_once('.')?;
    let next = format!("{layers}.{}", number.parse::<usize>().ok()? + 1);
    if let Some(input) = block_input(file, &next) {
        return Some(input);
    }
    let stack = layers.strip_suffix(".layers")?;
    if let Some((input, _)) = norm(file, &format!("{stack}.final_norm")) {
        return Some(input);
    }
    let (_, output) = norm(file, &format!("{path}.feed_forward_norm"))?;
    let fed = linear(file, &format!("{path}.feed_forward.up"))?.0;
    (output != fed).then_some(output)
}
/// `decoder.layers.3.attention` apart at its layer: `("decoder.layers.", 3, ".attention")`.
fn layer(name: &str) -> Option<(&str, usize, &str)> {
    let at = name.find(".layers.")? + ".layers.".len();
    let (before, rest) = name.split_at(at);
    let end = rest.find('.').unwrap_or(rest.len());
    Some((before, rest[..end].parse().ok()?, &rest[end..]))
}
