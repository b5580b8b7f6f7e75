//! Which values of a file a module of ours reads and writes, by the names of its weights.

use super::proto::File;

/// What a part reads, `None` where that is no stream, and what it writes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ends {
    pub input: Option<String>,
    pub output: String,
}

impl File {
    /// The ends of the part `path`; `None` where the file does not show them.
    pub fn ends(&self, path: &str) -> Option<Ends> {
        let (outer, last) = path.rsplit_once('.').unwrap_or(("", path));
        let both = |input: String, output: String| {
            let input = Some(input);
            Some(Ends { input, output })
        };
        match last {
            "embedding" | "patches" | "frames" => Some(Ends {
                input: None,
                output: self.block_input(&format!("{outer}.layers.0"))?,
            }),
            "attention" | "cross" => {
                let query = self.linear(&format!("{path}.query"))?;
                both(query.0, self.linear(&format!("{path}.output"))?.1)
            }
            "feed_forward" => {
                let up = self.linear(&format!("{path}.up"))?;
                both(up.0, self.linear(&format!("{path}.down"))?.1)
            }
            "head" => both(self.last_state()?, self.logits()?),
            _ if last.ends_with("_scale") => {
                let (at, scale) = self.reader(path)?;
                let node = &self.nodes[at];
                let input = node.inputs.iter().find(|input| **input != scale)?;
                both(input.clone(), node.outputs.first()?.clone())
            }
            _ if last.parse::<usize>().is_ok() && outer.ends_with("layers") => {
                both(self.block_input(path)?, self.block_output(path)?)
            }
            _ if last.ends_with("norm") => {
                let (input, output) = self.norm(path)?;
                both(input, output)
            }
            _ => {
                let (input, output) = self.linear(path)?;
                both(input, output)
            }
        }
    }

    /// The node that reads the weight `name`; of one that several layers share, by the layer's
    /// turn.
    fn reader(&self, name: &str) -> Option<(usize, String)> {
        let (before, layer, after) = layer(name)?;
        for own in (0..=layer).rev() {
            let name = format!("{before}{own}{after}");
            if self.weight(&name).is_some() {
                let reader = *self.readers(&name).get(layer - own)?;
                return Some((reader, name));
            }
        }
        None
    }

    fn any_reader(&self, name: &str) -> Option<(usize, String)> {
        match layer(name).is_some() {
            true => self.reader(name),
            false => {
                self.weight(name)?;
                Some((*self.readers(name).first()?, name.to_string()))
            }
        }
    }

    /// What the linear layer `path` reads and writes.
    fn linear(&self, path: &str) -> Option<(String, String)> {
        let (at, weight) = self.any_reader(&format!("{path}.weight"))?;
        let node = &self.nodes[at];
        if !matches!(node.op.as_str(), "MatMul" | "Gemm") || node.inputs.get(1) != Some(&weight) {
            return None;
        }
        let output = node.outputs.first()?;
        let bias = format!("{}.bias", weight.strip_suffix(".weight")?);
        let added = self.readers(output).into_iter().find(|reader| {
            let node = &self.nodes[*reader];
            node.op == "Add" && node.inputs.contains(&bias)
        });
        let output = match added {
            Some(added) => self.nodes[added].outputs.first()?,
            None => output,
        };
        Some((node.inputs.first()?.clone(), output.clone()))
    }

    /// What the norm `path` reads and writes.
    fn norm(&self, path: &str) -> Option<(String, String)> {
        let (at, weight) = self.any_reader(&format!("{path}.weight"))?;
        let node = &self.nodes[at];
        let output = node.outputs.first()?.clone();
        if node.op.ends_with("Normalization") {
            return Some((node.inputs.first()?.clone(), output));
        }
        // x / root(mean of squares) times the weight, or times 1 more than it.
        let (node, gain) = match node.op.as_str() {
            "Add" => (&self.nodes[*self.readers(&output).first()?], output),
            _ => (node, weight),
        };
        let divided = node.inputs.iter().find(|input| **input != gain)?;
        let divided = &self.nodes[self.writer(divided)?];
        if node.op != "Mul" || divided.op != "Div" {
            return None;
        }
        Some((
            divided.inputs.first()?.clone(),
            node.outputs.first()?.clone(),
        ))
    }

    /// The stream before the block `path`.
    fn block_input(&self, path: &str) -> Option<String> {
        let query = self.linear(&format!("{path}.attention.query"))?.0;
        let norm = format!("{path}.attention_norm");
        let Some((input, output)) = self.norm(&norm) else {
            // Without a norm; one that is not understood hides where the block begins.
            let none = self.any_reader(&format!("{norm}.weight")).is_none();
            return none.then_some(query);
        };
        // Before the attention, or after its sum.
        Some(if output == query { input } else { query })
    }

    /// The stream that the head reads.
    fn last_state(&self) -> Option<String> {
        let stack = ["decoder", "encoder", "vision"]
            .into_iter()
            .find(|stack| self.block_input(&format!("{stack}.layers.0")).is_some())?;
        if let Some((_, output)) = self.norm(&format!("{stack}.final_norm")) {
            return Some(output);
        }
        let mut layers = (0..).map(|layer| format!("{stack}.layers.{layer}"));
        let behind = layers.position(|layer| self.block_input(&layer).is_none())?;
        self.block_output(&format!("{stack}.layers.{}", behind.checked_sub(1)?))
    }

    /// What the head writes, where that is one output.
    fn logits(&self) -> Option<String> {
        self.outputs
            .iter()
            .find(|output| *output == "logits")
            .cloned()
    }

    /// The stream after the block `path`.
    fn block_output(&self, path: &str) -> Option<String> {
        let (layers, number) = path.rsplit_once('.')?;
        let next = format!("{layers}.{}", number.parse::<usize>().ok()? + 1);
        if let Some(input) = self.block_input(&next) {
            return Some(input);
        }
        let stack = layers.strip_suffix(".layers")?;
        if let Some((input, _)) = self.norm(&format!("{stack}.final_norm")) {
            return Some(input);
        }
        let (_, output) = self.norm(&format!("{path}.feed_forward_norm"))?;
        let fed = self.linear(&format!("{path}.feed_forward.up"))?.0;
        (output != fed).then_some(output)
    }
}

/// `decoder.layers.3.attention` apart at its layer: `("decoder.layers.", 3, ".attention")`.
fn layer(name: &str) -> Option<(&str, usize, &str)> {
    let at = name.find(".layers.")? + ".layers.".len();
    let (before, rest) = name.split_at(at);
    let end = rest.find('.').unwrap_or(rest.len());
    Some((before, rest[..end].parse().ok()?, &rest[end..]))
}
