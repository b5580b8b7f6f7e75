//! How a family's tensor names and layouts map to ours.

/// One of our parameters and the published tensor that it comes from. `{i}` stands for the
/// layer's number in both names.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Our parameter's path in the module.
    pub ours: &'static str,
    /// The published name, without the family's prefix.
    pub theirs: &'static str,
    /// What is done to the published tensor.
    pub layout: Layout,
}

/// How a published tensor becomes ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As it stands.
    Same,
    /// `[out, in]` becomes `[in, out]`.
    Transposed,
    /// Part `part` of `parts` equal parts of the last axis.
    Column {
        /// Which part, from 0.
        part: usize,
        /// How many parts.
        parts: usize,
    },
}

/// A tensor that is taken as it stands.
pub const fn same(ours: &'static str, theirs: &'static str) -> Rule {
    Rule {
        ours,
        theirs,
        layout: Layout::Same,
    }
}

/// A matrix that is transposed.
pub const fn transposed(ours: &'static str, theirs: &'static str) -> Rule {
    Rule {
        ours,
        theirs,
        layout: Layout::Transposed,
    }
}

/// Part `part` of a tensor that holds `parts` of ours side by side.
pub const fn column(ours: &'static str, theirs: &'static str, part: usize, parts: usize) -> Rule {
    Rule {
        ours,
        theirs,
        layout: Layout::Column { part, parts },
    }
}

/// The rule for our parameter `path`, and the published name with the layer's number in it.
pub fn find(rules: &[Rule], path: &str) -> Option<(Rule, String)> {
    let (layer, template) = split_layer(path);
    let rule = rules.iter().find(|rule| rule.ours == template)?;
    Some((*rule, rule.theirs.replace("{i}", layer)))
}

/// `layers.12.norm.weight` as `("12", "layers.{i}.norm.weight")`.
fn split_layer(path: &str) -> (&str, String) {
    let whole = || ("", path.to_string());
    let Some((before, rest)) = path.split_once("layers.") else {
        return whole();
    };
    let Some((layer, after)) = rest.split_once('.') else {
        return whole();
    };
    (layer, format!("{before}layers.{{i}}.{after}"))
}

impl Layout {
    /// The published shape that gives a tensor of shape `ours`.
    pub fn published_shape(self, ours: &[usize]) -> Vec<usize> {
        let mut shape = ours.to_vec();
        match self {
            Self::Same => {}
            Self::Transposed => shape.reverse(),
            Self::Column { parts, .. } => {
                if let Some(last) = shape.last_mut() {
                    *last *= parts;
                }
            }
        }
        shape
    }

    /// Our values, of shape `ours`, out of the published ones.
    pub fn take(self, published: &[f32], ours: &[usize]) -> Vec<f32> {
        let last = ours.last().copied().unwrap_or(1);
        match self {
            Self::Same => published.to_vec(),
            Self::Transposed => transpose(published, last, ours[0]),
            Self::Column { part, parts } => published
                .chunks_exact(last * parts)
                .flat_map(|row| &row[part * last..(part + 1) * last])
                .copied()
                .collect(),
        }
    }

    /// Writes our values, of shape `ours`, where they belong in the published tensor.
    pub fn put(self, values: &[f32], ours: &[usize], published: &mut [f32]) {
        let last = ours.last().copied().unwrap_or(1);
        match self {
            Self::Same => published.copy_from_slice(values),
            Self::Transposed => published.copy_from_slice(&transpose(values, ours[0], last)),
            Self::Column { part, parts } => {
                let rows = published.chunks_exact_mut(last * parts);
                for (row, values) in rows.zip(values.chunks_exact(last)) {
                    row[part * last..(part + 1) * last].copy_from_slice(values);
                }
            }
        }
    }
}

/// A `[rows, columns]` matrix, transposed.
fn transpose(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    // In tiles, so that reads and writes both stay in the cache.
    const TILE: usize = 32;
    let mut result = vec![0.0; matrix.len()];
    for row in (0..rows).step_by(TILE) {
        for column in (0..columns).step_by(TILE) {
            for r in row..(row + TILE).min(rows) {
                for c in column..(column + TILE).min(columns) {
                    result[c * rows + r] = matrix[r * columns + c];
                }
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_layers_number_goes_from_our_name_to_theirs() {
        let rules = [transposed(
            "layers.{i}.feed_forward.up.weight",
            "h.{i}.c_fc.weight",
        )];
        let (rule, theirs) = find(&rules, "layers.12.feed_forward.up.weight").unwrap();
        assert_eq!(
            (rule.layout, theirs.as_str()),
            (Layout::Transposed, "h.12.c_fc.weight")
        );
        assert!(find(&rules, "layers.12.feed_forward.up.bias").is_none());
        assert!(find(&rules, "layers.12").is_none());
    }

    #[test]
    fn layouts_take_what_they_say() {
        let published = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // [2, 3]
        assert_eq!(Layout::Transposed.published_shape(&[3, 2]), [2, 3]);
        assert_eq!(
            Layout::Transposed.take(&published, &[3, 2]),
            [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
        );
        let middle = Layout::Column { part: 1, parts: 3 };
        assert_eq!(middle.published_shape(&[2, 1]), [2, 3]);
        assert_eq!(middle.take(&published, &[2, 1]), [2.0, 5.0]);
    }

    proptest! {
        #[test]
        fn what_is_taken_can_be_put_back(rows in 1usize..70, columns in 1usize..70, parts in 1usize..4) {
            let ours = [rows, columns];
            for layout in [Layout::Same, Layout::Transposed, Layout::Column { part: parts - 1, parts }] {
                let size = layout.published_shape(&ours).iter().product::<usize>();
                let published: Vec<f32> = (0..size).map(|i| i as f32).collect();
                let values = layout.take(&published, &ours);
                prop_assert_eq!(values.len(), rows * columns);
                let mut back = vec![-1.0; size];
                layout.put(&values, &ours, &mut back);
                let kept: Vec<f32> = back.into_iter().filter(|v| *v >= 0.0).collect();
                let mut sorted = values;
                sorted.sort_by(f32::total_cmp);
                prop_assert_eq!(kept, sorted);
            }
        }
    }
}
