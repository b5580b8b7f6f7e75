//! The sizes at which a forward pass is recorded.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::spec::{Bounds, Spec};

/// `batch=5, sequence=11`, for messages.
pub(crate) fn show_sizes(names: &[String], sizes: &[i64]) -> String {
    if names.is_empty() {
        return "fixed sizes".into();
    }
    let pairs = names
        .iter()
        .zip(sizes)
        .map(|(name, size)| format!("{name}={size}"));
    pairs.collect::<Vec<_>>().join(", ")
}

/// Shapes at which the closure runs. The first `grid` of them determine every multilinear
/// expression (of degree two where there are many sizes), the rest verify.
pub(crate) struct Plan {
    pub low: Vec<i64>,
    pub high: Vec<i64>,
    /// Which sizes stand at their high value, for the traces of the grid.
    pub subsets: Vec<Vec<usize>>,
    /// The sizes of every trace, the grid's first.
    pub traces: Vec<Vec<i64>>,
    /// The smallest sizes and large ones, each alone and all at once, at which what was found must
    /// hold: what ends at the shorter of two lengths, or is done for single rows alone, seldom
    /// shows in between.
    pub ends: Vec<End>,
    /// Whether a forward pass may refuse the last trace, whose later sizes are the smaller ones:
    /// it may count on an order.
    pub may_fail: bool,
}

/// Sizes at an end of what they may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub sizes: Vec<i64>,
    /// Which of them are there, by number; the others are as in the first trace.
    pub at: Vec<usize>,
    /// Whether it is the lower end.
    pub smallest: bool,
}

/// How many times larger sizes are recorded where maps shrink to single pixels at smaller ones.
pub(crate) const WIDER: i64 = 48;

const PAIRS: [(i64, i64); 10] = [
    (5, 7),
    (11, 13),
    (17, 19),
    (23, 29),
    (31, 37),
    (41, 43),
    (47, 53),
    (59, 61),
    (67, 71),
    (73, 79),
];

/// A size as large as inputs are, a prime again.
const LARGEST: usize = 4133;
/// The same one a name, where all are large at once, apart from each other.
const LARGE: [usize; 10] = [67, 4099, 4127, 1031, 1049, 1061, 1087, 1097, 1117, 1129];

impl Plan {
    /// The sizes `names` of `spec`; recorded at about `wider` times the smallest primes.
    pub fn new(spec: &Spec, names: &[String], wider: i64) -> Result<Self> {
        if names.len() > PAIRS.len() {
            return Err(Error::Spec(format!(
                "more than {} named sizes",
                PAIRS.len()
            )));
        }
        let mut taken: BTreeSet<i64> = BTreeSet::new();
        let (mut low, mut high, mut checks) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        let mut reversed = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let bounds = spec.bounds(name);
            let (min, max) = (bounds.min.max(2) as i64, bounds.max.min(1 << 20) as i64);
            let (a, b) = PAIRS[index];
            let wider = wider.min((max - 2) / (2 * b + 2)).max(1);
            let (a, b) = (prime(a * wider), prime(b * wider));
            // Two primes for the corners; to verify, a size twice as large and one just below, so
            // that halves round differently, and far enough to tell a cap. The primes are odd and
            // the doubles even: every second size below is odd, or all sums would be even.
            let below = (a - 1 - (index % 2) as i64).max(min);
            let [a, b, c, d] = if min < a && 2 * a + 2 <= max {
                [a, b, 2 * a + 2, below]
            } else {
                within(min, max, &taken).ok_or_else(|| {
                    Error::Spec(format!(
                        "size `{name}` has fewer than three values from {min} to {max}: make it fixed"
                    ))
                })?
            };
            taken.extend([a, b, c, d]);
            low.push(a);
            high.push(b);
            checks[0].push(c);
            checks[1].push(d);
            // Elsewhere later sizes are larger; here they are smaller, and of another parity than
            // two before, so that the smaller of two sizes is neither of them.
            let falling = 4 * (names.len() - index) + 2 + index / 2 % 2;
            reversed.push((falling as i64).clamp(min, max));
        }
        let degree = if names.len() <= 4 { names.len() } else { 2 };
        let mut subsets: Vec<Vec<usize>> = (0u32..1 << names.len())
            .map(|bits| (0..names.len()).filter(|i| bits & (1 << i) != 0).collect())
            .filter(|subset: &Vec<usize>| subset.len() <= degree)
            .collect();
        subsets.sort_by_key(Vec::len);
        let mut traces: Vec<Vec<i64>> = subsets
            .iter()
            .map(|subset| {
                (0..names.len())
                    .map(|i| if subset.contains(&i) { high[i] } else { low[i] })
                    .collect()
            })
            .collect();
        if !names.is_empty() {
            traces.extend(checks);
        }
        let may_fail = names.len() > 1 && !traces.contains(&reversed);
        if may_fail {
            traces.push(reversed);
        }
        let bounds: Vec<Bounds> = names.iter().map(|name| spec.bounds(name)).collect();
        let within = |bounds: &Bounds, size: usize| size.min(bounds.max).max(bounds.min) as i64;
        let smallest: Vec<i64> = bounds.iter().map(|bounds| bounds.min as i64).collect();
        // Alone each may be the largest.
        let largest = bounds.iter().map(|bounds| within(bounds, LARGEST));
        let largest: Vec<i64> = largest.collect();
        let large = bounds.iter().zip(LARGE);
        let large = large.map(|(bounds, large)| within(bounds, large)).collect();
        let all: Vec<usize> = (0..names.len()).collect();
        let mut ends: Vec<End> = Vec::new();
        // Nothing is made of a size of 0, and any way gives that.
        let first = smallest.iter().map(|size| (*size).max(1)).collect();
        for (alone, together, smallest) in [
            (&smallest, &smallest, true),
            (&first, &first, true),
            (&largest, &large, false),
        ] {
            for at in all.iter().map(|index| vec![*index]).chain([all.clone()]) {
                let mut sizes = low.clone();
                match at.as_slice() {
                    [index] => sizes[*index] = alone[*index],
                    _ => sizes.clone_from(together),
                }
                let known = |end: &End| end.sizes == sizes && end.smallest == smallest;
                if !traces.contains(&sizes) && !ends.iter().any(known) {
                    ends.push(End {
                        sizes,
                        at,
                        smallest,
                    });
                }
            }
        }
        Ok(Self {
            low,
            high,
            subsets,
            traces,
            ends,
            may_fail,
        })
    }
}

/// The smallest prime that is at least `number`.
fn prime(number: i64) -> i64 {
    let is_one = |n: &i64| (2..).take_while(|by| by * by <= *n).all(|by| n % by != 0);
    (number.max(2)..).find(is_one).unwrap_or(number)
}

/// Four values between the bounds, at least three of them different, not taken where possible.
fn within(min: i64, max: i64, taken: &BTreeSet<i64>) -> Option<[i64; 4]> {
    let few = min..=max.min(min + 63);
    let mut values: Vec<i64> = few.clone().filter(|value| !taken.contains(value)).collect();
    if values.len() < 3 {
        values = few.collect();
    }
    match values.as_slice() {
        [a, b, c, .., d] => Some([*b, *c, *d, *a]),
        [a, b, c] => Some([*a, *c, *b, *a]),
        _ => None,
    }
}

/// The shape expressions of an input.
pub(crate) fn input_shape(spec: &Spec, index: usize, names: &[String]) -> Vec<Expr> {
    spec.inputs[index]
        .dims
        .iter()
        .map(|dim| dim.expr(names))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::spec::Input;

    #[test]
    fn traces_cover_all_corners_and_verify() {
        let spec = Spec::new("g").input(Input::int("ids", ["batch", "sequence"]));
        let plan = Plan::new(&spec, &spec.sizes(), 1).unwrap();
        assert_eq!(plan.traces.len(), 4 + 3);
        assert_eq!(plan.traces[0], plan.low);
        assert_eq!(plan.traces[3], plan.high);
        assert!(plan.traces.iter().flatten().all(|size| *size > 1));
    }

    #[test]
    fn traces_keep_to_the_bounds() {
        let spec = Spec::new("g")
            .input(Input::int("ids", ["sequence"]))
            .size_max("sequence", 4);
        let plan = Plan::new(&spec, &spec.sizes(), 1).unwrap();
        assert!(
            plan.traces
                .iter()
                .flatten()
                .all(|size| (2..=4).contains(size))
        );
        assert_ne!(plan.low, plan.high);
        let narrow = Spec::new("g")
            .input(Input::int("ids", ["sequence"]))
            .size_max("sequence", 2);
        assert!(matches!(
            Plan::new(&narrow, &narrow.sizes(), 1),
            Err(Error::Spec(_))
        ));
    }
}
