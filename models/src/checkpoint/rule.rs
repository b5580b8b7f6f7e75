//! How a family's tensor names and layouts map to ours.

/// Some of our parameters and the published tensors that they come from. `{i}` stands for the
/// first number in a name (a layer's), `{e}` for the second (an expert's), and `{s}` for
/// `encoder` or `decoder` where a name starts with that.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Our modules (or parameters), in the order in which the published tensor joins them.
    pub ours: &'static [&'static str],
    /// The published name, without the family's prefix.
    pub theirs: &'static str,
    /// How the published tensor holds ours.
    pub layout: Layout,
    /// A module of ours without which the rule does not hold: other variants of the family
    /// have the tensor under another name.
    pub beside: Option<&'static str>,
}

impl Rule {
    /// The same, for models that have the module `module`.
    pub const fn beside(self, module: &'static str) -> Self {
        Self {
            beside: Some(module),
            ..self
        }
    }
}

/// How a published tensor holds ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As it stands: a module's parameters by their own names.
    Same,
    /// A linear layer: its weight `[in, out]` is published as `[out, in]`. Several layers lie
    /// one after the other along `out`.
    Linear,
    /// Several linear layers, each head's parts side by side: `[heads, parts, head_dim, in]`.
    LinearByHead,
    /// Several linear layers one after the other along `out`, published as `[in, out]`.
    Columns,
    /// One parameter, as it stands.
    Tensor,
    /// One parameter, published without its axes of size 1.
    Flat,
    /// One parameter, published with one more axis of size 1 before its own.
    Row,
}

const fn rule(ours: &'static [&'static str], theirs: &'static str, layout: Layout) -> Rule {
    Rule {
        ours,
        theirs,
        layout,
        beside: None,
    }
}

/// A module whose parameters are taken as they stand.
pub const fn same(ours: &'static [&'static str; 1], theirs: &'static str) -> Rule {
    rule(ours, theirs, Layout::Same)
}

/// Linear layers, joined along their outputs where there are several.
pub const fn linear(ours: &'static [&'static str], theirs: &'static str) -> Rule {
    rule(ours, theirs, Layout::Linear)
}

/// Linear layers that are joined head by head.
pub const fn by_head(ours: &'static [&'static str], theirs: &'static str) -> Rule {
    rule(ours, theirs, Layout::LinearByHead)
}

/// Linear layers that are published as `[in, out]`.
pub const fn columns(ours: &'static [&'static str], theirs: &'static str) -> Rule {
    rule(ours, theirs, Layout::Columns)
}

/// One parameter.
pub const fn tensor(ours: &'static [&'static str; 1], theirs: &'static str) -> Rule {
    rule(ours, theirs, Layout::Tensor)
}

/// One parameter without its axes of size 1.
pub const fn flat(ours: &'static [&'static str; 1], theirs: &'static str) -> Rule {
    rule(ours, theirs, Layout::Flat)
}

/// One parameter with one more axis of size 1.
pub const fn row(ours: &'static [&'static str; 1], theirs: &'static str) -> Rule {
    rule(ours, theirs, Layout::Row)
}

/// Where a parameter of ours is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The published tensor's name, without prefix.
    pub theirs: String,
    /// How it holds ours.
    pub layout: Layout,
    /// All parameters that it holds, ours among them.
    pub parts: Vec<String>,
}

/// Where the parameter `path` is published, by the first rule that says so; `has` tells
/// whether the model has a parameter.
pub fn find<'a>(
    rules: impl IntoIterator<Item = &'a Rule>,
    path: &str,
    has: impl Fn(&str) -> bool,
) -> Option<Found> {
    let (template, mut values) = template(path);
    let stack = ["encoder", "decoder"].into_iter().find_map(|stack| {
        let rest = template.strip_prefix(stack)?;
        rest.starts_with('.')
            .then(|| (stack, format!("{{s}}{rest}")))
    });
    if let Some((stack, _)) = &stack {
        values.push(("{s}", stack));
    }
    let templates = [
        Some(template.as_str()),
        stack.as_ref().map(|(_, t)| t.as_str()),
    ];
    let leaf = template.rsplit('.').next().unwrap_or_default();
    rules.into_iter().find_map(|rule| {
        let whole = matches!(rule.layout, Layout::Tensor | Layout::Flat | Layout::Row);
        let mut wanted = templates.iter().flatten().map(|template| {
            if whole {
                template
            } else {
                template.rsplit_once('.').map_or("", |(module, _)| module)
            }
        });
        if !wanted.any(|wanted| rule.ours.contains(&wanted)) {
            return None;
        }
        if let Some(module) = rule.beside
            && !has(&format!("{}.weight", filled(module, &values)))
        {
            return None;
        }
        let name = |name: &str| {
            let name = filled(name, &values);
            if whole {
                name
            } else {
                format!("{name}.{leaf}")
            }
        };
        Some(Found {
            theirs: name(rule.theirs),
            layout: rule.layout,
            parts: rule.ours.iter().map(|ours| name(ours)).collect(),
        })
    })
}

/// `layers.12.norm.weight` as `layers.{i}.norm.weight`, and what stands for each hole.
fn template(path: &str) -> (String, Vec<(&'static str, &str)>) {
    let mut values = Vec::new();
    let parts: Vec<&str> = path
        .split('.')
        .map(|part| {
            if part.bytes().all(|byte| byte.is_ascii_digit()) {
                let hole = if values.is_empty() { "{i}" } else { "{e}" };
                values.push((hole, part));
                hole
            } else {
                part
            }
        })
        .collect();
    (parts.join("."), values)
}

fn filled(name: &str, values: &[(&'static str, &str)]) -> String {
    values.iter().fold(name.to_string(), |name, (hole, value)| {
        name.replace(hole, value)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RULES: &[Rule] = &[
        linear(&["layers.{i}.up"], "h.{i}.c_fc"),
        columns(&["layers.{i}.query", "layers.{i}.key"], "h.{i}.c_attn"),
        linear(&["layers.{i}.experts.{e}.up"], "h.{i}.moe.{e}.w3"),
        flat(&["class_token"], "cls"),
        linear(&["layers.{i}.down"], "h.{i}.wo_1").beside("layers.{i}.gate"),
        linear(&["layers.{i}.down"], "h.{i}.wo"),
    ];

    fn find(rules: &[Rule], path: &str) -> Option<Found> {
        super::find(rules, path, |_| false)
    }

    #[test]
    fn a_rule_may_need_another_module() {
        let gated = super::find(RULES, "layers.3.down.weight", |p| {
            p == "layers.3.gate.weight"
        });
        assert_eq!(gated.unwrap().theirs, "h.3.wo_1.weight");
        assert_eq!(
            find(RULES, "layers.3.down.weight").unwrap().theirs,
            "h.3.wo.weight"
        );
    }

    #[test]
    fn numbers_go_from_our_name_to_theirs() {
        let up = find(RULES, "layers.12.up.bias").unwrap();
        assert_eq!(up.theirs, "h.12.c_fc.bias");
        let key = find(RULES, "layers.3.key.weight").unwrap();
        assert_eq!(key.theirs, "h.3.c_attn.weight");
        assert_eq!(key.parts, ["layers.3.query.weight", "layers.3.key.weight"]);
        let expert = find(RULES, "layers.3.experts.7.up.weight").unwrap();
        assert_eq!(expert.theirs, "h.3.moe.7.w3.weight");
        assert_eq!(find(RULES, "class_token").unwrap().theirs, "cls");
    }

    #[test]
    fn one_rule_may_serve_both_stacks() {
        let rules = [linear(&["{s}.layers.{i}.up"], "{s}.block.{i}.wi")];
        let up = find(&rules, "decoder.layers.2.up.weight").unwrap();
        assert_eq!(up.theirs, "decoder.block.2.wi.weight");
        assert_eq!(up.parts, ["decoder.layers.2.up.weight"]);
        assert_eq!(find(&rules, "vision.layers.2.up.weight"), None);
    }

    #[test]
    fn what_no_rule_names_is_not_found() {
        for path in [
            "layers.12.side.bias",
            "layers.12.up",
            "up.bias",
            "class_token.x",
            "",
        ] {
            assert_eq!(find(RULES, path), None, "{path}");
        }
    }
}
