//! What the caller says about a graph: its inputs, and the sizes that stay open.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::expr::Expr;

/// One dimension of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Always this many.
    Fixed(usize),
    /// A named size, chosen at run time.
    Size(String),
    /// The sum of its parts, such as `past_sequence + sequence`.
    Sum(Vec<Dim>),
    /// So many times another, such as `32*height`: no other length is run.
    Times(usize, Box<Dim>),
}

impl From<usize> for Dim {
    fn from(size: usize) -> Self {
        Self::Fixed(size)
    }
}

impl From<&str> for Dim {
    /// A name, a multiple of one, or a sum of such and of numbers: `"32*height"`,
    /// `"past_sequence + sequence"`.
    fn from(text: &str) -> Self {
        let factor = |text: &str| match text.trim().parse() {
            Ok(size) => Self::Fixed(size),
            Err(_) => Self::Size(text.trim().to_string()),
        };
        let part = |text: &str| {
            let Some((left, right)) = text.split_once(['*', '·']) else {
                return factor(text);
            };
            match (factor(left), factor(right)) {
                (Self::Fixed(times), of) | (of, Self::Fixed(times)) => {
                    Self::Times(times, Box::new(of))
                }
                // No multiple: refused as a name.
                _ => Self::Size(text.to_string()),
            }
        };
        let parts: Vec<&str> = text.split('+').map(str::trim).collect();
        match parts.as_slice() {
            [one] => part(one),
            many => Self::Sum(many.iter().map(|text| part(text)).collect()),
        }
    }
}

impl From<String> for Dim {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl std::fmt::Display for Dim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Size(name) => f.write_str(name),
            Self::Sum(parts) => {
                let parts: Vec<String> = parts.iter().map(Self::to_string).collect();
                f.write_str(&parts.join(" + "))
            }
            Self::Times(times, of) => match **of {
                Self::Sum(_) => write!(f, "{times}*({of})"),
                _ => write!(f, "{times}*{of}"),
            },
        }
    }
}

impl Dim {
    /// How long it is where the named sizes are as in `sizes`; a size without a value has none.
    pub fn length(&self, sizes: &BTreeMap<String, usize>) -> usize {
        match self {
            Self::Fixed(size) => *size,
            Self::Size(name) => sizes.get(name).copied().unwrap_or_default(),
            Self::Sum(parts) => parts.iter().map(|part| part.length(sizes)).sum(),
            Self::Times(times, of) => times * of.length(sizes),
        }
    }

    /// Calls `f` with every named size in the dimension.
    fn names<'a>(&'a self, f: &mut impl FnMut(&'a str)) {
        match self {
            Self::Fixed(_) => {}
            Self::Size(name) => f(name),
            Self::Sum(parts) => parts.iter().for_each(|part| part.names(f)),
            Self::Times(_, of) => of.names(f),
        }
    }

    /// The dimension as an expression of the sizes, numbered as in `sizes`.
    pub(crate) fn expr(&self, sizes: &[String]) -> Expr {
        match self {
            Self::Fixed(size) => Expr::constant(*size as i64),
            Self::Size(name) => match sizes.iter().position(|size| size == name) {
                Some(index) => Expr::size(index),
                None => Expr::constant(0),
            },
            Self::Sum(parts) => parts
                .iter()
                .fold(Expr::constant(0), |sum, part| sum.add(&part.expr(sizes))),
            Self::Times(times, of) => of.expr(sizes).scale(*times as i64),
        }
    }

    fn freeze(&mut self, values: &BTreeMap<String, usize>) {
        match self {
            Self::Fixed(_) => {}
            Self::Size(name) => {
                if let Some(size) = values.get(name) {
                    *self = Self::Fixed(*size);
                }
            }
            Self::Sum(parts) => parts.iter_mut().for_each(|part| part.freeze(values)),
            Self::Times(_, of) => of.freeze(values),
        }
    }
}

/// The kind of an input's elements, as Burn names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Tensor<D>`: 32-bit floats in the file.
    Float,
    /// `Tensor<D, Int>`: 64-bit integers in the file.
    Int,
    /// `Tensor<D, Bool>`.
    Bool,
}

/// One input of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name in the file.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Its dimensions.
    pub dims: Vec<Dim>,
}

impl Input {
    /// An input of any kind.
    pub fn new<D: Into<Dim>>(
        name: impl Into<String>,
        kind: Kind,
        dims: impl IntoIterator<Item = D>,
    ) -> Self {
        Self {
            name: name.into(),
            kind,
            dims: dims.into_iter().map(Into::into).collect(),
        }
    }

    /// An integer input, such as `input_ids`.
    pub fn int<D: Into<Dim>>(name: impl Into<String>, dims: impl IntoIterator<Item = D>) -> Self {
        Self::new(name, Kind::Int, dims)
    }

    /// A float input, such as `pixel_values`.
    pub fn float<D: Into<Dim>>(name: impl Into<String>, dims: impl IntoIterator<Item = D>) -> Self {
        Self::new(name, Kind::Float, dims)
    }

    /// A boolean input.
    pub fn bool<D: Into<Dim>>(name: impl Into<String>, dims: impl IntoIterator<Item = D>) -> Self {
        Self::new(name, Kind::Bool, dims)
    }
}

/// The bounds of a named size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub min: usize,
    pub max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            min: 1,
            max: usize::MAX,
        }
    }
}

/// The description of a graph: its name, its inputs in order, and bounds of its sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    pub(crate) name: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) bounds: BTreeMap<String, Bounds>,
    /// Sizes at whose least value the forward pass may take another way that gives the same.
    pub(crate) alike: BTreeSet<String>,
}

impl Spec {
    /// A description without inputs.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Appends an input.
    pub fn input(mut self, input: Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// The smallest value of a size at run time: 1 unless said otherwise, 0 for an empty cache.
    /// Below it the file says nothing.
    pub fn size_min(mut self, size: impl Into<String>, min: usize) -> Self {
        self.bounds.entry(size.into()).or_default().min = min;
        self
    }

    /// The largest value that a trace may use for a size, for models that refuse longer inputs.
    pub fn size_max(mut self, size: impl Into<String>, max: usize) -> Self {
        self.bounds.entry(size.into()).or_default().max = max;
        self
    }

    /// At its smallest value this size may lead the forward pass another way, which gives the same
    /// as the way of larger sizes: that one is in the file. The caller vouches for it; without this
    /// such a forward pass is refused.
    pub fn may_branch_at_min(mut self, size: impl Into<String>) -> Self {
        self.alike.insert(size.into());
        self
    }

    /// The sizes that stay open where `fixed` ones are not, in order of first use, each with the
    /// smallest and the largest value that it has.
    pub fn open(&self, fixed: &BTreeMap<String, usize>) -> Vec<(String, usize, usize)> {
        let open = self.sizes().into_iter();
        open.filter(|name| !fixed.contains_key(name))
            .map(|name| {
                let Bounds { min, max } = self.bounds(&name);
                (name, min, max)
            })
            .collect()
    }

    /// The inputs, in order.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Replaces named sizes by fixed ones.
    pub(crate) fn freeze(mut self, values: &BTreeMap<String, usize>) -> Self {
        for input in &mut self.inputs {
            input.dims.iter_mut().for_each(|dim| dim.freeze(values));
        }
        self.bounds.retain(|name, _| !values.contains_key(name));
        self.alike.retain(|name| !values.contains_key(name));
        self
    }

    /// Every named size, in order of first use.
    pub(crate) fn sizes(&self) -> Vec<String> {
        let mut sizes: Vec<String> = Vec::new();
        for dim in self.inputs.iter().flat_map(|input| &input.dims) {
            dim.names(&mut |name| {
                if !sizes.iter().any(|size| size == name) {
                    sizes.push(name.to_string());
                }
            });
        }
        sizes
    }

    pub(crate) fn bounds(&self, size: &str) -> Bounds {
        self.bounds.get(size).copied().unwrap_or_default()
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let sizes = self.sizes();
        for (index, input) in self.inputs.iter().enumerate() {
            if input.name.is_empty() {
                return Err(Error::Spec(format!("input {index} has no name")));
            }
            if self.inputs[..index]
                .iter()
                .any(|other| other.name == input.name)
            {
                return Err(Error::Spec(format!(
                    "input `{}` is named twice",
                    input.name
                )));
            }
        }
        if let Some(name) = self.bounds.keys().find(|name| !sizes.contains(name)) {
            return Err(Error::Spec(format!(
                "size `{name}` is bounded but no input has it"
            )));
        }
        if let Some(name) = sizes.iter().find(|name| !is_name(name)) {
            return Err(Error::Spec(format!(
                "`{name}` is neither a name for a size nor a sum of multiples"
            )));
        }
        let named = |name: &&String| !sizes.contains(name);
        if let Some(name) = self.alike.iter().find(named) {
            return Err(Error::Spec(format!(
                "size `{name}` may branch at its least but no input has it"
            )));
        }
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_read_from_text() {
        let dim = Dim::from("past_sequence + sequence");
        assert_eq!(
            dim,
            Dim::Sum(vec![
                Dim::Size("past_sequence".into()),
                Dim::Size("sequence".into())
            ])
        );
        assert_eq!(Dim::from("3"), Dim::Fixed(3));
    }

    #[test]
    fn multiples_are_read_from_text() {
        let sizes = ["h".to_string(), "w".to_string()];
        let expr = |text: &str| Dim::from(text).expr(&sizes);
        let (h, w) = (Expr::size(0), Expr::size(1));
        assert_eq!(Dim::from("32*h").to_string(), "32*h");
        for text in ["32*h", "h * 32", "32·h", "h + 31*h"] {
            assert_eq!(expr(text), h.scale(32), "{text}");
        }
        assert_eq!(expr("h + h"), h.scale(2));
        assert_eq!(
            expr("2*h + w + 1"),
            h.scale(2).add(&w).add(&Expr::constant(1))
        );
        // A product of two sizes is none.
        let spec = Spec::new("g").input(Input::float("x", ["h*w"]));
        assert!(matches!(spec.validate(), Err(Error::Spec(text)) if text.contains("h*w")));
        let fixed = Spec::new("g").input(Input::float("x", ["32*h"]));
        let fixed = fixed.freeze(&BTreeMap::from([("h".to_string(), 7)]));
        assert_eq!(fixed.inputs[0].dims[0].expr(&[]), Expr::constant(224));
    }

    #[test]
    fn a_bound_without_a_size_is_refused() {
        let spec = Spec::new("g")
            .input(Input::int("ids", ["batch"]))
            .size_min("bath", 2);
        assert!(matches!(spec.validate(), Err(Error::Spec(text)) if text.contains("bath")));
    }
}
