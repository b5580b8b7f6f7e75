//! Numbers that a step reads off its operands' shapes: `(2 * v.dims()[1] - w.dims()[0] + 3) / 2`.

use super::value::Value;

#[derive(Clone)]
pub struct Extent {
    /// Operand, axis, factor.
    pub dims: Vec<(usize, usize, i64)>,
    pub plus: i64,
    pub over: i64,
}

impl Extent {
    pub fn fixed(value: usize) -> Self {
        Self {
            dims: Vec::new(),
            plus: value as i64,
            over: 1,
        }
    }

    /// An axis of an operand, and so many more.
    pub fn of(operand: usize, axis: usize, plus: i64) -> Self {
        Self {
            dims: vec![(operand, axis, 1)],
            plus,
            over: 1,
        }
    }

    pub fn less(mut self, operand: usize, axis: usize) -> Self {
        self.dims.push((operand, axis, -1));
        self
    }

    pub fn half(mut self) -> Self {
        self.over = 2;
        self
    }

    pub fn at(&self, operands: &[Value]) -> usize {
        let dim = |(operand, axis, factor): &(usize, usize, i64)| {
            operands[*operand].dims()[*axis] as i64 * factor
        };
        let sum = self.dims.iter().map(dim).sum::<i64>() + self.plus;
        usize::try_from(sum.div_euclid(self.over)).unwrap()
    }

    pub fn code(&self) -> String {
        let mut text = String::new();
        for (operand, axis, factor) in &self.dims {
            let sign = match (text.is_empty(), *factor < 0) {
                (_, true) => " - ",
                (true, false) => "",
                (false, false) => " + ",
            };
            text += &format!("{sign}${operand}.dims()[{axis}]");
        }
        if self.plus != 0 || text.is_empty() {
            text += &match (text.is_empty(), self.plus < 0) {
                (true, _) => self.plus.to_string(),
                (_, true) => format!(" - {}", -self.plus),
                (_, false) => format!(" + {}", self.plus),
            };
        }
        if self.over == 1 {
            text
        } else {
            format!("({text}) / {}", self.over)
        }
    }
}
