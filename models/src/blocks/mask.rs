//! Which keys a query must not see.

use burn::tensor::{Bool, Device, Int, Tensor};

/// Where the queries stand among the keys: `past` keys come before the first query.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Rows.
    pub batch: usize,
    /// Queries.
    pub query: usize,
    /// Keys from the cache.
    pub past: usize,
}

/// The mask of an attention, `[batch, 1, query, key]`, true where a key is hidden; `None`
/// where nothing is.
///
/// `keep` is `[batch, key]` with 0 for padding; `causal` hides the keys after each query.
pub fn attention_mask(
    keep: Option<Tensor<2, Int>>,
    causal: bool,
    span: Span,
    device: &Device,
) -> Option<Tensor<4, Bool>> {
    let Span { batch, query, past } = span;
    let key = past + query;
    let padding = keep.map(|keep| {
        keep.equal_elem(0)
            .reshape([batch, 1, 1, key])
            .expand([batch, 1, query, key])
    });
    let future = causal.then(|| {
        let queries = Tensor::<1, Int>::arange(past as i64..key as i64, device);
        let keys = Tensor::<1, Int>::arange(0..key as i64, device);
        keys.reshape([1, 1, 1, key])
            .expand([1, 1, query, key])
            .greater(queries.reshape([1, 1, query, 1]).expand([1, 1, query, key]))
            .expand([batch, 1, query, key])
    });
    match (padding, future) {
        (Some(padding), Some(future)) => Some(padding.bool_or(future)),
        (padding, future) => padding.or(future),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_future_and_the_padding_are_hidden() {
        let device = fluxo_backends::device("flex").unwrap();
        let span = Span {
            batch: 1,
            query: 2,
            past: 1,
        };
        let keep = || Some(Tensor::from_data([[0, 1, 1]], &device));
        let hidden = |keep, causal| {
            let mask = attention_mask(keep, causal, span, &device).unwrap();
            assert_eq!(mask.dims(), [1, 1, 2, 3]);
            mask.int()
                .to_data()
                .convert::<i64>()
                .as_slice::<i64>()
                .unwrap()
                .to_vec()
        };
        assert_eq!(hidden(None, true), [0, 0, 1, 0, 0, 0]);
        assert_eq!(hidden(keep(), false), [1, 0, 0, 1, 0, 0]);
        assert_eq!(hidden(keep(), true), [1, 0, 1, 1, 0, 0]);
        assert!(attention_mask(None, false, span, &device).is_none());
    }
}
