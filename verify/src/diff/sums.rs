//! What one pass over two tensors gathers.

/// What one pass over the two tensors gathers.
#[derive(Default)]
pub(crate) struct Sums {
    /// How many values count.
    pub count: usize,
    /// The largest absolute difference,
    pub max_abs: f64,
    /// where it is first,
    pub at: usize,
    /// and the largest relative one.
    pub max_rel: f64,
    /// The largest magnitude of either side.
    pub magnitude: f64,
    /// How many are NaN on both sides.
    pub both_nan: usize,
    dot: f64,
    norms: [f64; 2],
    nan: [usize; 2],
    infinite: usize,
}

/// Values that are looked at together.
const BLOCK: usize = 2048;
/// Sums that grow beside each other, so that a processor adds several values at once.
const LANES: usize = 8;

impl Sums {
    /// Of all values of `x` and `y` where `kept` is true (everywhere where it is `None`).
    pub fn of<X, Y>(x: &[X], y: &[Y], kept: Option<&[bool]>) -> Self
    where
        X: Copy + Into<f64>,
        Y: Copy + Into<f64>,
    {
        let mut sums = Self::default();
        for (block, (x, y)) in x.chunks(BLOCK).zip(y.chunks(BLOCK)).enumerate() {
            let from = block * BLOCK;
            let kept = kept.map(|kept| &kept[from..from + x.len()]);
            let all = kept.is_none_or(|kept| !kept.contains(&false));
            if all && sums.add_finite(from, x, y) {
                continue;
            }
            for (i, (&x, &y)) in x.iter().zip(y).enumerate() {
                if kept.is_none_or(|kept| kept[i]) {
                    sums.add(from + i, x.into(), y.into());
                }
            }
        }
        sums
    }

    /// Adds the values from number `from` on; `false`, and nothing is added, where not all of them
    /// are finite.
    fn add_finite<X, Y>(&mut self, from: usize, x: &[X], y: &[Y]) -> bool
    where
        X: Copy + Into<f64>,
        Y: Copy + Into<f64>,
    {
        let mut most = [[0.0f64; LANES]; 3];
        let mut added = [[0.0f64; LANES]; 3];
        let mut finite = true;
        let mut add = |lane: usize, x: f64, y: f64| {
            let (abs, large) = ((x - y).abs(), x.abs().max(y.abs()));
            let rel = if abs == 0.0 { 0.0 } else { abs / large };
            for (most, value) in most.iter_mut().zip([abs, rel, large]) {
                most[lane] = if value > most[lane] {
                    value
                } else {
                    most[lane]
                };
            }
            for (added, value) in added.iter_mut().zip([x * y, x * x, y * y]) {
                added[lane] += value;
            }
            finite &= x.is_finite() & y.is_finite() & abs.is_finite();
        };
        let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
        let rest = xs.remainder().iter().zip(ys.remainder());
        for (lane, (&x, &y)) in rest.enumerate() {
            add(lane, x.into(), y.into());
        }
        for (xs, ys) in xs.zip(ys) {
            for lane in 0..LANES {
                add(lane, xs[lane].into(), ys[lane].into());
            }
        }
        if !finite {
            return false;
        }
        let [abs, rel, large] = most.map(|lanes| lanes.into_iter().fold(0.0, f64::max));
        if abs > self.max_abs {
            let is_it = |(&x, &y): (&X, &Y)| (x.into() - y.into()).abs() == abs;
            let here = x.iter().zip(y).position(is_it).unwrap_or_default();
            (self.max_abs, self.at) = (abs, from + here);
        }
        self.count += x.len();
        self.max_rel = self.max_rel.max(rel);
        self.magnitude = self.magnitude.max(large);
        let [dot, left, right] = added.map(|lanes| lanes.iter().sum::<f64>());
        self.dot += dot;
        self.norms[0] += left;
        self.norms[1] += right;
        true
    }

    /// Adds the values of number `i`.
    fn add(&mut self, i: usize, x: f64, y: f64) {
        self.count += 1;
        let (abs, rel) = match (x.is_nan(), y.is_nan()) {
            (true, true) => {
                self.both_nan += 1;
                return;
            }
            (true, false) => {
                self.nan[0] += 1;
                (f64::INFINITY, f64::INFINITY)
            }
            (false, true) => {
                self.nan[1] += 1;
                (f64::INFINITY, f64::INFINITY)
            }
            // Equal infinities too: their difference would be NaN.
            (false, false) if x == y => (0.0, 0.0),
            (false, false) if x.is_infinite() || y.is_infinite() => {
                self.infinite += 1;
                (f64::INFINITY, f64::INFINITY)
            }
            (false, false) => {
                let abs = (x - y).abs();
                (abs, abs / x.abs().max(y.abs()))
            }
        };
        if abs > self.max_abs {
            (self.max_abs, self.at) = (abs, i);
        }
        self.max_rel = self.max_rel.max(rel);
        if x.is_finite() && y.is_finite() {
            self.magnitude = self.magnitude.max(x.abs()).max(y.abs());
            self.dot += x * y;
            self.norms[0] += x * x;
            self.norms[1] += y * y;
        }
    }

    /// The cosine of the angle between the two.
    pub fn cosine(&self) -> f64 {
        match self.norms {
            [0.0, 0.0] => 1.0,
            [0.0, _] | [_, 0.0] => 0.0,
            // Rounding may carry it past 1 by a hair.
            [a, b] => (self.dot / (a * b).sqrt()).clamp(-1.0, 1.0),
        }
    }

    /// What the numbers do not say.
    pub fn note(&self, shape: &[usize]) -> Option<String> {
        let mut notes = Vec::new();
        for (count, side) in [(self.nan[0], "a"), (self.nan[1], "b")] {
            if count > 0 {
                notes.push(format!("NaN only in {side}: {count} of {}", self.count));
            }
        }
        if self.infinite > 0 {
            notes.push(format!(
                "infinite on one side: {} of {}",
                self.infinite, self.count
            ));
        }
        if self.both_nan > 0 {
            notes.push(format!(
                "NaN on both sides: {} of {}",
                self.both_nan, self.count
            ));
        }
        if self.count == 0 {
            notes.push(format!("empty: {shape:?}"));
        }
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_added_like_single_values() {
        // More than a block, and not a multiple of the lanes.
        let count = 2 * BLOCK + 5;
        let values = |by: f64| (0..count).map(move |i| (i as f64 * by).sin());
        let x: Vec<f64> = values(0.37).collect();
        let mut y: Vec<f32> = values(0.37).map(|x| x as f32).collect();
        y[BLOCK + 3] += 0.5;
        y[7] = 0.0;
        let alone = |x: &[f64], y: &[f32]| {
            let mut sums = Sums::default();
            for (i, (x, y)) in x.iter().zip(y).enumerate() {
                sums.add(i, *x, f64::from(*y));
            }
            sums
        };
        let same = |y: &[f32]| {
            let (one, other) = (Sums::of(&x, y, None), alone(&x, y));
            let measures = |s: &Sums| (s.max_abs, s.at, s.max_rel, s.magnitude, s.count);
            assert_eq!(measures(&one), measures(&other));
            let notes = [&one, &other].map(|sums| sums.note(&[count]));
            assert_eq!(notes[0], notes[1]);
            assert!((one.cosine() - other.cosine()).abs() < 1e-14);
            one
        };
        assert!([7, BLOCK + 3].contains(&same(&y).at));
        y[BLOCK + 9] = f32::INFINITY;
        y[2 * BLOCK + 1] = f32::NAN;
        assert_eq!(same(&y).max_abs, f64::INFINITY);
        // What is hidden is no difference.
        let mut kept = vec![true; count];
        kept[BLOCK + 9] = false;
        kept[2 * BLOCK + 1] = false;
        let hidden = Sums::of(&x, &y, Some(&kept));
        assert!(hidden.max_abs.is_finite() && hidden.note(&[count]).is_none());
        assert_eq!(hidden.count, count - 2);
    }
}
