//! A whole number as an expression of the named sizes: `floor(polynomial / divisor)`.

use std::collections::BTreeMap;

/// Sizes, by number, whose product a term takes; sorted, with repeats for powers.
type Monomial = Vec<usize>;

/// `floor(Σ coefficient · monomial / divisor)`; a divisor of 1 is the usual case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Expr {
    terms: BTreeMap<Monomial, i64>,
    divisor: i64,
}

impl Expr {
    /// A number.
    pub fn constant(value: i64) -> Self {
        Self::from_terms([(Vec::new(), value)], 1)
    }

    /// The size with this number.
    pub fn size(index: usize) -> Self {
        Self::from_terms([(vec![index], 1)], 1)
    }

    /// Terms over a divisor, brought into the one canonical form.
    pub(crate) fn from_terms(
        terms: impl IntoIterator<Item = (Monomial, i64)>,
        divisor: i64,
    ) -> Self {
        let mut sum: BTreeMap<Monomial, i64> = BTreeMap::new();
        for (monomial, coefficient) in terms {
            *sum.entry(monomial).or_default() += coefficient;
        }
        sum.retain(|_, coefficient| *coefficient != 0);
        let common = sum.values().fold(divisor, |a, b| gcd(a, *b));
        if common > 1 {
            sum.values_mut()
                .for_each(|coefficient| *coefficient /= common);
        }
        let mut expr = Self {
            terms: sum,
            divisor: divisor / common.max(1),
        };
        if let (Some(value), true) = (expr.numerator_constant(), expr.divisor > 1) {
            expr = Self::constant(value.div_euclid(expr.divisor));
        }
        expr
    }

    fn numerator_constant(&self) -> Option<i64> {
        match self.terms.len() {
            0 => Some(0),
            1 => self.terms.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    /// The value, if no size has a part in it.
    pub fn as_constant(&self) -> Option<i64> {
        if self.divisor == 1 {
            self.numerator_constant()
        } else {
            None
        }
    }

    /// Whether the expression is this number.
    pub fn is(&self, value: i64) -> bool {
        self.as_constant() == Some(value)
    }

    /// The number of the size that the expression is, alone and unscaled.
    pub fn as_size(&self) -> Option<usize> {
        let mut terms = self.terms.iter();
        match (terms.next(), terms.next(), self.divisor) {
            (Some((monomial, 1)), None, 1) if monomial.len() == 1 => Some(monomial[0]),
            _ => None,
        }
    }

    /// The terms and the divisor.
    pub(crate) fn parts(&self) -> (&BTreeMap<Monomial, i64>, i64) {
        (&self.terms, self.divisor)
    }

    /// The sum; of a quotient only with a constant, anything else is not needed.
    pub fn add(&self, other: &Self) -> Self {
        let (a, b) = (self, other);
        if a.divisor == 1 && b.divisor == 1 {
            let terms = a.terms.iter().chain(&b.terms).map(|(m, c)| (m.clone(), *c));
            return Self::from_terms(terms, 1);
        }
        let (quotient, whole) = if b.divisor == 1 { (a, b) } else { (b, a) };
        let scaled = whole
            .terms
            .iter()
            .map(|(m, c)| (m.clone(), c * quotient.divisor));
        let own = quotient.terms.iter().map(|(m, c)| (m.clone(), *c));
        Self::from_terms(own.chain(scaled), quotient.divisor)
    }

    /// `self - other`, for a whole `other`.
    pub fn sub(&self, other: &Self) -> Self {
        self.add(&other.scale(-1))
    }

    /// `factor · self`, for a whole `self`.
    pub fn scale(&self, factor: i64) -> Self {
        Self::from_terms(
            self.terms.iter().map(|(m, c)| (m.clone(), c * factor)),
            self.divisor,
        )
    }

    /// The product of two whole expressions.
    pub fn mul(&self, other: &Self) -> Self {
        let mut terms = Vec::new();
        for (a, x) in &self.terms {
            for (b, y) in &other.terms {
                let mut monomial: Monomial = a.iter().chain(b).copied().collect();
                monomial.sort_unstable();
                terms.push((monomial, x * y));
            }
        }
        Self::from_terms(terms, self.divisor * other.divisor)
    }

    /// The value at these sizes.
    pub fn at(&self, sizes: &[i64]) -> i64 {
        let sum: i64 = self
            .terms
            .iter()
            .map(|(monomial, c)| c * monomial.iter().map(|i| sizes[*i]).product::<i64>())
            .sum();
        sum.div_euclid(self.divisor)
    }

    /// Whether the value is above zero at all sizes not below `minima`.
    pub fn is_positive(&self, minima: &[i64]) -> bool {
        self.terms.values().all(|c| *c >= 0) && self.at(minima) > 0
    }

    /// The expression in the names of the sizes, largest product first.
    pub fn show(&self, names: &[String]) -> String {
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
            factors.extend(monomial.iter().map(|i| names[*i].clone()));
            text.push_str(&factors.join("*"));
        }
        if text.is_empty() {
            text.push('0');
        }
        if self.divisor == 1 {
            text
        } else {
            format!("floor(({text})/{})", self.divisor)
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
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
        assert_eq!(
            Expr::from_terms([(vec![0], 4), (vec![], 2)], 2),
            a.scale(2).add(&Expr::constant(1))
        );
    }

    #[test]
    fn a_product_of_opposite_signs_can_vanish() {
        let expr = Expr::size(0).sub(&Expr::constant(3));
        assert!(!expr.is_positive(&[1]));
        assert!(Expr::size(0).add(&Expr::size(1)).is_positive(&[0, 1]));
        assert!(!Expr::size(0).is_positive(&[0]));
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
        assert_eq!(
            Expr::from_terms([(vec![1], 1)], 2).show(&names),
            "floor((seq)/2)"
        );
        assert_eq!(Expr::constant(0).show(&names), "0");
    }
}
