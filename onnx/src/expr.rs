//! A whole number as an expression of the named sizes: a polynomial of sizes and of rounded
//! quotients.

use std::collections::BTreeMap;

/// What a term multiplies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Factor {
    /// The size with this number.
    Size(usize),
    /// `floor(expression / divisor)`: no coefficient of the expression is negative or as large as
    /// the divisor, which is over 1.
    Quotient(Box<Expr>, i64),
}

/// Factors whose product a term takes; sorted, with repeats for powers.
type Monomial = Vec<Factor>;

/// `Σ coefficient · product`, in one canonical form: equal expressions are equal values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Expr {
    terms: BTreeMap<Monomial, i64>,
}

impl Expr {
    /// A number.
    pub fn constant(value: i64) -> Self {
        Self::from_terms([(Vec::new(), value)])
    }

    /// The size with this number.
    pub fn size(index: usize) -> Self {
        Self::from_terms([(vec![Factor::Size(index)], 1)])
    }

    /// The sum of terms.
    pub(crate) fn from_terms(terms: impl IntoIterator<Item = (Monomial, i64)>) -> Self {
        let mut sum: BTreeMap<Monomial, i64> = BTreeMap::new();
        for (monomial, coefficient) in terms {
            *sum.entry(monomial).or_default() += coefficient;
        }
        sum.retain(|_, coefficient| *coefficient != 0);
        Self { terms: sum }
    }

    /// The value, if no size has a part in it.
    pub fn as_constant(&self) -> Option<i64> {
        match self.terms.len() {
            0 => Some(0),
            1 => self.terms.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    /// Whether the expression is this number.
    pub fn is(&self, value: i64) -> bool {
        self.as_constant() == Some(value)
    }

    /// The number of the size that the expression is, alone and unscaled.
    pub fn as_size(&self) -> Option<usize> {
        let mut terms = self.terms.iter();
        match (terms.next(), terms.next()) {
            (Some((monomial, 1)), None) => match monomial.as_slice() {
                [Factor::Size(index)] => Some(*index),
                _ => None,
            },
            _ => None,
        }
    }

    /// The terms.
    pub(crate) fn terms(&self) -> &BTreeMap<Monomial, i64> {
        &self.terms
    }

    fn own(&self) -> impl Iterator<Item = (Monomial, i64)> + '_ {
        self.terms.iter().map(|(m, c)| (m.clone(), *c))
    }

    /// The sum.
    pub fn add(&self, other: &Self) -> Self {
        Self::from_terms(self.own().chain(other.own()))
    }

    /// `self - other`.
    pub fn sub(&self, other: &Self) -> Self {
        self.add(&other.scale(-1))
    }

    /// `factor · self`.
    pub fn scale(&self, factor: i64) -> Self {
        Self::from_terms(self.own().map(|(m, c)| (m, c * factor)))
    }

    /// The product.
    pub fn mul(&self, other: &Self) -> Self {
        let mut terms = Vec::new();
        for (a, x) in &self.terms {
            for (b, y) in &other.terms {
                let mut monomial: Monomial = a.iter().chain(b).cloned().collect();
                monomial.sort_unstable();
                terms.push((monomial, x * y));
            }
        }
        Self::from_terms(terms)
    }

    /// `floor(self / by)`, for a positive `by`.
    pub fn divided(&self, by: i64) -> Self {
        if by == 1 {
            return self.clone();
        }
        // Multiples of the divisor stand outside.
        let whole = Self::from_terms(self.own().map(|(m, c)| (m, c.div_euclid(by))));
        let rest = Self::from_terms(self.own().map(|(m, c)| (m, c.rem_euclid(by))));
        if rest.as_constant().is_some() {
            return whole;
        }
        // A quotient of a quotient is one of both divisors: floor((floor(a/b) + k)/c) is
        // floor((a + kb)/bc).
        let quotients = rest.terms.iter().filter(|(monomial, _)| {
            let mut factors = monomial.iter();
            factors.any(|factor| matches!(factor, Factor::Quotient(..)))
        });
        if let [(monomial, 1)] = quotients.collect::<Vec<_>>().as_slice()
            && let [Factor::Quotient(inner, divisor)] = monomial.as_slice()
        {
            let others = rest.own().filter(|(own, _)| own != *monomial);
            let inner = inner.add(&Self::from_terms(others).scale(*divisor));
            return whole.add(&inner.divided(by * divisor));
        }
        let constant = rest.terms.get(&Vec::new()).copied().unwrap_or(0);
        let varying: Vec<(Monomial, i64)> = rest.own().filter(|(m, _)| !m.is_empty()).collect();
        // What all parts share with the divisor falls away; the constant is rounded down.
        let shared = varying.iter().fold(by, |a, (_, b)| gcd(a, *b));
        if shared > 1 {
            let rest = varying.into_iter().map(|(m, c)| (m, c / shared));
            let constant = [(Vec::new(), constant / shared)];
            let rest = Self::from_terms(rest.chain(constant));
            return whole.add(&rest.divided(by / shared));
        }
        let quotient = vec![Factor::Quotient(Box::new(rest), by)];
        whole.add(&Self::from_terms([(quotient, 1)]))
    }

    /// `self / by` where that leaves no rest in any term.
    pub fn exactly(&self, by: &Self) -> Option<Self> {
        let (divisor, scale) = match by.terms.iter().collect::<Vec<_>>().as_slice() {
            [(monomial, coefficient)] => ((*monomial).clone(), **coefficient),
            _ if by == self => return Some(Self::constant(1)),
            _ => return None,
        };
        let mut terms = Vec::new();
        for (mut monomial, coefficient) in self.own() {
            for factor in &divisor {
                let at = monomial.iter().position(|own| own == factor)?;
                monomial.remove(at);
            }
            if coefficient % scale != 0 {
                return None;
            }
            terms.push((monomial, coefficient / scale));
        }
        Some(Self::from_terms(terms))
    }

    /// The value at these sizes.
    pub fn at(&self, sizes: &[i64]) -> i64 {
        let value = |factor: &Factor| match factor {
            Factor::Size(index) => sizes[*index],
            Factor::Quotient(inner, divisor) => inner.at(sizes).div_euclid(*divisor),
        };
        let terms = self.terms.iter();
        terms
            .map(|(monomial, c)| c * monomial.iter().map(value).product::<i64>())
            .sum()
    }

    /// Whether both have the same value at all sizes, as far as many sizes tell: not every sum of
    /// quotients has one form, `x - floor(x/2)` is `floor((x + 1)/2)`.
    pub fn same(&self, other: &Self) -> bool {
        let quotients = [self, other].iter().any(|expr| {
            let mut factors = expr.terms.keys().flatten();
            factors.any(|factor| matches!(factor, Factor::Quotient(..)))
        });
        self == other
            || quotients
                && (0..64).all(|seed: i64| {
                    // Sizes of all remainders, below 1021.
                    let sizes = std::array::from_fn::<i64, 16, _>(|index| {
                        (seed * 389 + (index as i64 + 1) * (seed * seed + 211)) % 1021
                    });
                    self.at(&sizes) == other.at(&sizes)
                })
    }

    /// Whether a quotient of it is the same at all of `traces`, of which there are several.
    pub(crate) fn is_flat(&self, traces: &[Vec<i64>]) -> bool {
        let mut factors = self.terms.keys().flatten();
        factors.any(|factor| match factor {
            Factor::Size(_) => false,
            Factor::Quotient(inner, by) => {
                let mut values = traces.iter().map(|sizes| inner.at(sizes).div_euclid(*by));
                let first = values.next();
                inner.is_flat(traces) || values.all(|value| Some(value) == first)
            }
        })
    }

    /// Whether the value is above zero at all sizes not below `minima`.
    pub fn is_positive(&self, minima: &[i64]) -> bool {
        self.rises() && self.at(minima) > 0
    }

    /// Whether no larger size makes the value smaller: sizes are not negative, and neither are
    /// quotients.
    fn rises(&self) -> bool {
        let mut terms = self.terms.iter();
        terms.all(|(monomial, c)| *c >= 0 || monomial.is_empty())
    }

    /// As one quotient, its divisor beside it, if the expression is one and a constant.
    pub(crate) fn as_quotient(&self) -> Option<(Self, i64)> {
        let constant = self.terms.get(&Vec::new()).copied().unwrap_or(0);
        let mut varying = self.terms.iter().filter(|(m, _)| !m.is_empty());
        match (varying.next(), varying.next()) {
            (Some((monomial, 1)), None) => match monomial.as_slice() {
                [Factor::Quotient(inner, by)] => {
                    Some((inner.add(&Self::constant(constant * by)), *by))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The expression in the names of the sizes, largest product first.
    pub fn show(&self, names: &[String]) -> String {
        if let Some((inner, by)) = self.as_quotient() {
            return format!("floor(({})/{by})", inner.show(names));
        }
        let mut text = String::new();
        let mut terms: Vec<_> = self.terms.iter().collect();
        terms.sort_by_key(|(monomial, c)| {
            (**c < 0, monomial.is_empty(), usize::MAX - monomial.len())
        });
        for (monomial, c) in terms {
            let sign = match (text.is_empty(), *c < 0) {
                (true, true) => "-",
                (true, false) => "",
                (false, true) => " - ",
                (false, false) => " + ",
            };
            text.push_str(sign);
            let mut factors = Vec::new();
            if c.abs() != 1 || monomial.is_empty() {
                factors.push(c.abs().to_string());
            }
            factors.extend(monomial.iter().map(|factor| match factor {
                Factor::Size(index) => names[*index].clone(),
                Factor::Quotient(inner, by) => format!("floor(({})/{by})", inner.show(names)),
            }));
            text.push_str(&factors.join("*"));
        }
        if text.is_empty() {
            text.push('0');
        }
        text
    }
}

/// The largest number that divides both.
pub(crate) fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_canonical() {
        let (a, b) = (Expr::size(0), Expr::size(1));
        assert_eq!(a.add(&b), b.add(&a));
        assert_eq!(a.mul(&b), b.mul(&a));
        assert!(a.sub(&a).is(0));
        assert_eq!(a.add(&b).at(&[3, 4]), 7);
        let twice = a.scale(2).add(&Expr::constant(1));
        assert_eq!(twice.scale(2).divided(2), twice);
    }

    #[test]
    fn a_product_of_opposite_signs_can_vanish() {
        let expr = Expr::size(0).sub(&Expr::constant(3));
        assert!(!expr.is_positive(&[1]));
        assert!(Expr::size(0).add(&Expr::size(1)).is_positive(&[0, 1]));
        assert!(!Expr::size(0).is_positive(&[0]));
    }

    #[test]
    fn quotients_have_one_form() {
        let (a, b) = (Expr::size(0), Expr::size(1));
        let less = a.sub(&b.scale(3)).add(&Expr::constant(7));
        let exprs = [
            (less.divided(2).divided(3), 6),
            (less.add(&a).divided(4), 4),
            (a.scale(4).add(&Expr::constant(6)).divided(8), 8),
        ];
        assert_eq!(exprs[0].0, less.divided(6));
        assert_eq!(exprs[2].0, a.scale(2).add(&Expr::constant(3)).divided(4));
        for x in 0..20 {
            for y in 0..20 {
                let value = x - 3 * y + 7;
                assert_eq!(exprs[0].0.at(&[x, y]), value.div_euclid(6));
                assert_eq!(exprs[1].0.at(&[x, y]), (value + x).div_euclid(4));
            }
        }
        let halves = a.divided(2).add(&a.add(&Expr::constant(1)).divided(2));
        assert_eq!(
            halves.sub(&a.divided(2)),
            a.add(&Expr::constant(1)).divided(2)
        );
        assert!(halves.same(&a) && !halves.same(&b));
        assert!(!a.add(&Expr::constant(1)).divided(4).same(&a.divided(4)));
    }

    #[test]
    fn products_divide_by_their_factors() {
        let (a, b) = (Expr::size(0), Expr::size(1));
        let product = a.mul(&b).scale(6);
        assert_eq!(product.exactly(&b.scale(2)), Some(a.scale(3)));
        assert_eq!(product.exactly(&Expr::constant(4)), None);
        assert_eq!(a.exactly(&b), None);
    }

    #[test]
    fn expressions_read_well() {
        let names = ["past".to_string(), "seq".to_string()];
        let sum = Expr::size(0).add(&Expr::size(1));
        assert_eq!(sum.show(&names), "past + seq");
        assert_eq!(
            sum.scale(2).sub(&Expr::constant(1)).show(&names),
            "2*past + 2*seq - 1"
        );
        assert_eq!(Expr::size(1).divided(2).show(&names), "floor((seq)/2)");
        assert_eq!(Expr::constant(0).show(&names), "0");
    }
}
