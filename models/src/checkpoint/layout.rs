//! Published tensors into ours, a piece at a time, and back.

use super::rule::Layout;

/// A published tensor and the parameters of ours that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    layout: Layout,
    /// The parts' shapes, in order.
    parts: Vec<Vec<usize>>,
    /// Values a head has, for what is joined by head.
    head_dim: usize,
}

impl Joined {
    /// Parts of the shapes `parts`, joined as `layout` says; heads have `head_dim` values.
    pub fn new(layout: Layout, parts: Vec<Vec<usize>>, head_dim: usize) -> Self {
        Self {
            layout,
            parts,
            head_dim,
        }
    }

    /// The published shape.
    pub fn shape(&self) -> Vec<usize> {
        let mut shape = self.parts[0].clone();
        match self.layout {
            Layout::Same | Layout::Tensor => shape,
            Layout::Flat => shape.into_iter().filter(|&size| size != 1).collect(),
            Layout::Row => [vec![1], shape].concat(),
            Layout::Linear | Layout::LinearByHead | Layout::Columns => {
                if let Some(out) = shape.last_mut() {
                    *out = self.outputs();
                }
                if self.layout != Layout::Columns {
                    shape.reverse();
                }
                shape
            }
        }
    }

    /// Outputs of all parts together.
    fn outputs(&self) -> usize {
        let out = |shape: &Vec<usize>| shape.last().copied().unwrap_or(1);
        self.parts.iter().map(out).sum()
    }

    /// Inputs, the same for all parts; 1 for biases.
    fn inputs(&self) -> usize {
        match self.parts[0].as_slice() {
            [inputs, _] => *inputs,
            _ => 1,
        }
    }

    /// Where output number `at` of the published tensor belongs: the part, and the output's
    /// number in it.
    fn output(&self, at: usize) -> (usize, usize) {
        if self.layout == Layout::LinearByHead {
            let (group, within) = (at / self.head_dim, at % self.head_dim);
            let count = self.parts.len();
            return (group % count, group / count * self.head_dim + within);
        }
        let mut at = at;
        for (part, shape) in self.parts.iter().enumerate() {
            let outputs = shape.last().copied().unwrap_or(1);
            if at < outputs {
                return (part, at);
            }
            at -= outputs;
        }
        (self.parts.len() - 1, at)
    }

    /// Empty values for each part.
    pub fn empty(&self) -> Vec<Vec<f32>> {
        let zeros = |shape: &Vec<usize>| vec![0.0; shape.iter().product()];
        self.parts.iter().map(zeros).collect()
    }

    /// Puts the published `values`, the first of them number `first`, where they belong in
    /// `parts`.
    pub fn take(&self, first: usize, values: &[f32], parts: &mut [Vec<f32>]) {
        self.walk(first, values.len(), |published, part, ours| {
            parts[part][ours] = values[published - first];
        });
    }

    /// All published values, out of ours.
    pub fn put(&self, parts: &[Vec<f32>]) -> Vec<f32> {
        let count = self.shape().iter().product();
        let mut values = vec![0.0; count];
        self.walk(0, count, |published, part, ours| {
            values[published] = parts[part][ours];
        });
        values
    }

    /// Calls `visit(published, part, ours)` for each of `count` published values from `first`.
    fn walk(&self, first: usize, count: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        let width = |part: usize| self.parts[part].last().copied().unwrap_or(1);
        match self.layout {
            Layout::Same | Layout::Tensor | Layout::Flat | Layout::Row => {
                (first..first + count).for_each(|at| visit(at, 0, at));
            }
            Layout::Columns => {
                let homes: Vec<_> = (0..outputs).map(|output| self.output(output)).collect();
                for at in first..first + count {
                    let (part, output) = homes[at % outputs];
                    visit(at, part, at / outputs * width(part) + output);
                }
            }
            // A transposition, in tiles, so that reads and writes both stay in the cache.
            Layout::Linear | Layout::LinearByHead => {
                const TILE: usize = 32;
                let (start, end) = (first, first + count);
                for row in (start / inputs..end.div_ceil(inputs)).step_by(TILE) {
                    let rows = row..(row + TILE).min(end.div_ceil(inputs));
                    let homes: Vec<_> = rows.clone().map(|output| self.output(output)).collect();
                    for column in (0..inputs).step_by(TILE) {
                        for (row, &(part, output)) in rows.clone().zip(&homes) {
                            let columns = column..(column + TILE).min(inputs);
                            let from = (row * inputs + columns.start).max(start);
                            let to = (row * inputs + columns.end).min(end);
                            for at in from..to {
                                visit(at, part, at % inputs * width(part) + output);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(layout: Layout, parts: &[[usize; 2]], head_dim: usize) -> Vec<Vec<f32>> {
        let parts = parts.iter().map(|part| part.to_vec()).collect();
        let joined = Joined::new(layout, parts, head_dim);
        let count = joined.shape().iter().product::<usize>();
        let values: Vec<f32> = (0..count).map(|i| i as f32).collect();
        let mut parts = joined.empty();
        joined.take(0, &values, &mut parts);
        parts
    }

    #[test]
    fn layouts_take_what_they_say() {
        // Published [3, 2]: two outputs of the first part, one of the second.
        let found = taken(Layout::Linear, &[[2, 2], [2, 1]], 1);
        assert_eq!(found, [vec![0.0, 2.0, 1.0, 3.0], vec![4.0, 5.0]]);
        // Published [2, 3].
        let found = taken(Layout::Columns, &[[2, 2], [2, 1]], 1);
        assert_eq!(found, [vec![0.0, 1.0, 3.0, 4.0], vec![2.0, 5.0]]);
        // Published [heads 2, parts 2, head_dim 1, in 1].
        let found = taken(Layout::LinearByHead, &[[1, 2], [1, 2]], 1);
        assert_eq!(found, [vec![0.0, 2.0], vec![1.0, 3.0]]);
    }

    #[test]
    fn published_shapes_are_those_of_the_layout() {
        let shape = |layout, part: &[usize]| Joined::new(layout, vec![part.to_vec()], 1).shape();
        assert_eq!(shape(Layout::Flat, &[1, 1, 8]), [8]);
        assert_eq!(shape(Layout::Flat, &[1]), [0usize; 0]);
        assert_eq!(shape(Layout::Row, &[8]), [1, 8]);
        assert_eq!(shape(Layout::Linear, &[3, 2]), [2, 3]);
        assert_eq!(shape(Layout::Linear, &[3]), [3]);
    }

    proptest! {
        #[test]
        fn what_is_taken_in_pieces_can_be_put_back(
            inputs in 1usize..70, heads in 1usize..4, head_dim in 1usize..20,
            count in 1usize..4, piece in 1usize..200
        ) {
            let parts = vec![vec![inputs, heads * head_dim]; count];
            for layout in [Layout::Linear, Layout::LinearByHead, Layout::Columns] {
                let joined = Joined::new(layout, parts.clone(), head_dim);
                let size = joined.shape().iter().product::<usize>();
                let values: Vec<f32> = (0..size).map(|i| i as f32 + 1.0).collect();
                let mut taken = joined.empty();
                for (at, values) in values.chunks(piece).enumerate() {
                    joined.take(at * piece, values, &mut taken);
                }
                prop_assert_eq!(joined.put(&taken), values);
            }
        }
    }
}
