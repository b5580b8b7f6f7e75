//! Which keys a query must not see.

use burn::tensor::{Bool, Device, Int, Tensor};

/// Where the queries stand among the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Rows.
    pub batch: usize,
    /// Queries.
    pub query: usize,
    /// Keys from the cache, before the first query.
    pub past: usize,
    /// Places of the cache after the last query that nothing is in yet.
    pub room: usize,
}

impl Span {
    /// Keys, empty places included.
    pub fn key(&self) -> usize {
        self.past + self.query + self.room
    }
}

/// What a query sees of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttentionPattern {
    /// Nothing after itself.
    pub causal: bool,
    /// Nothing this far away or farther (arXiv:1904.10509, arXiv:2004.05150).
    pub window: Option<usize>,
}

/// The mask of an attention, `[batch, 1, query, key]`, true where a key is hidden; `None`
/// where nothing is.
///
/// `keep` is `[batch, key]` with 0 for padding.
pub fn attention_mask(
    keep: Option<&Tensor<2, Int>>,
    sight: AttentionPattern,
    span: Span,
    device: &Device,
) -> Option<Tensor<4, Bool>> {
    let Span {
        batch, query, past, ..
    } = span;
    let key = span.key();
    let full = [batch, 1, query, key];
    let mut hidden: Vec<Tensor<4, Bool>> = Vec::new();
    hidden.extend(keep.map(|keep| padding_mask(keep, query)));
    if sight.causal || sight.window.is_some() {
        let pair = [1, 1, query, key];
        let queries = Tensor::<1, Int>::arange(past as i64..(past + query) as i64, device)
            .reshape([1, 1, query, 1])
            .expand(pair);
        let keys = Tensor::<1, Int>::arange(0..key as i64, device)
            .reshape([1, 1, 1, key])
            .expand(pair);
        if sight.causal {
            hidden.push(keys.clone().greater(queries.clone()).expand(full));
        }
        if let Some(window) = sight.window {
            let window = window as i64;
            let far = (queries.clone() - window).greater_equal(keys.clone());
            hidden.push(far.expand(full));
            if !sight.causal {
                hidden.push((keys - window).greater_equal(queries).expand(full));
            }
        }
    }
    hidden.into_iter().reduce(Tensor::bool_or)
}

/// The mask that hides padding from `query` queries, `[batch, 1, query, key]`, for `keep`
/// `[batch, key]` with 0 for padding.
pub fn padding_mask(keep: &Tensor<2, Int>, query: usize) -> Tensor<4, Bool> {
    let [batch, key] = keep.dims();
    let padding = keep.clone().equal_elem(0).reshape([batch, 1, 1, key]);
    padding.expand([batch, 1, query, key])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SPAN: Span = Span {
        batch: 1,
        query: 2,
        past: 1,
        room: 0,
    };

    fn hidden(keep: Option<[i64; 3]>, causal: bool, window: Option<usize>) -> Vec<i64> {
        let device = fluxo_backends::device("flex").unwrap();
        let keep = keep.map(|keep| Tensor::from_data([keep], &device));
        let sight = AttentionPattern { causal, window };
        let mask = attention_mask(keep.as_ref(), sight, SPAN, &device).unwrap();
        assert_eq!(mask.dims(), [1, 1, 2, 3]);
        let data = mask.int().to_data().convert::<i64>();
        data.as_slice::<i64>().unwrap().to_vec()
    }

    #[test]
    fn the_future_and_the_padding_are_hidden() {
        let keep = Some([0, 1, 1]);
        assert_eq!(hidden(None, true, None), [0, 0, 1, 0, 0, 0]);
        assert_eq!(hidden(keep, false, None), [1, 0, 0, 1, 0, 0]);
        assert_eq!(hidden(keep, true, None), [1, 0, 1, 1, 0, 0]);
        let device = fluxo_backends::device("flex").unwrap();
        assert!(attention_mask(None, AttentionPattern::default(), SPAN, &device).is_none());
    }

    #[test]
    fn what_is_farther_than_the_window_is_hidden() {
        assert_eq!(hidden(None, true, Some(2)), [0, 0, 1, 1, 0, 0]);
        assert_eq!(hidden(None, true, Some(1)), [1, 0, 1, 1, 1, 0]);
        assert_eq!(hidden(None, false, Some(1)), [1, 0, 1, 1, 1, 0]);
        assert_eq!(hidden(None, false, Some(2)), [0, 0, 0, 1, 0, 0]);
    }
}
