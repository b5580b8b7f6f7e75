//! What two values may differ by.

use crate::error::{Error, Result};

/// What two values may differ by: `|a - b| <= atol + rtol * max(|a|, |b|)`. NaN never is close, and
/// infinities only when they are the same (`numpy.allclose`, but for both sides counting alike).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AllClose {
    /// The absolute part.
    pub atol: f64,
    /// The part relative to the larger magnitude.
    pub rtol: f64,
}

impl AllClose {
    /// Both parts, 0 or more and finite.
    ///
    /// # Errors
    /// When one is not.
    pub fn new(atol: f64, rtol: f64) -> Result<Self> {
        if [atol, rtol]
            .iter()
            .all(|part| part.is_finite() && *part >= 0.0)
        {
            Ok(Self { atol, rtol })
        } else {
            Err(Error::Input(format!(
                "a tolerance of {atol} and {rtol}; each must be a number of 0 or more"
            )))
        }
    }

    /// The distance of two values in units of what they may differ by; over 1 is not close.
    pub fn allclose_ratio(self, a: f64, b: f64) -> f64 {
        let allowed = self.atol + self.rtol * a.abs().max(b.abs());
        match (a - b).abs() {
            _ if a == b => 0.0,
            off if off.is_finite() && allowed > 0.0 => off / allowed,
            _ => f64::INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn close_values_are_within_both_parts_together() {
        let close = AllClose::new(0.25, 0.5).unwrap();
        // 0.25 + 0.5 * 4 = 2.25
        assert_eq!(close.allclose_ratio(4.0, 1.75), 1.0);
        assert_eq!(close.allclose_ratio(1.75, 4.0), 1.0);
        assert!(close.allclose_ratio(4.0, 1.7) > 1.0);
        assert_eq!(close.allclose_ratio(f64::INFINITY, f64::INFINITY), 0.0);
        for (a, b) in [(f64::NAN, f64::NAN), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
            assert_eq!(close.allclose_ratio(a, b), f64::INFINITY);
        }
        assert_eq!(
            AllClose::new(0.0, 0.0).unwrap().allclose_ratio(1.0, 1.0),
            0.0
        );
        assert_eq!(
            AllClose::new(0.0, 0.0).unwrap().allclose_ratio(1.0, 1.5),
            f64::INFINITY
        );
        assert!(AllClose::new(-1.0, 0.0).is_err() && AllClose::new(0.0, f64::NAN).is_err());
    }
}
