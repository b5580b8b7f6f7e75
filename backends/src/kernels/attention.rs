//! Attention: flex's two products with our softmax between them, and one loop over the keys where
//! there are few queries.

use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor};
use burn_flex::{Flex, FlexTensor};

use super::math;
use super::parallel::{COMPUTE, pieces, wide};
use super::view::{self, Rows};

/// Up to this many queries a head, the products are too small for a matrix kernel.
const FEW: usize = 8;

/// What changes the scores before they become shares.
struct Scores {
    scale: f32,
    hidden: Option<Rows>,
    bias: Option<Rows>,
    heads: usize,
    queries: usize,
    keys: usize,
}

impl Scores {
    /// Softmax of row `i` of all.
    #[inline(always)]
    fn shares(&self, i: usize, row: &mut [f32]) {
        let place = [
            i / self.queries / self.heads,
            i / self.queries % self.heads,
            i % self.queries,
        ];
        let hidden = self
            .hidden
            .as_ref()
            .map(|rows| rows.bytes(place, self.keys));
        let bias = self.bias.as_ref().map(|rows| rows.floats(place, self.keys));
        math::softmax(row, self.scale, hidden, bias);
    }
}

/// None where it is not for this module.
pub(super) fn attention(
    [query, key, value]: [&Tensor<4>; 3],
    mask: &Option<Tensor<4, Bool>>,
    bias: &Option<Tensor<4>>,
    options: &AttentionModuleOptions,
) -> Option<Tensor<4>> {
    let [batch, heads, queries, head_dim] = query.dims();
    let keys = key.dims()[2];
    if options.softcap.is_some() || options.is_causal || keys == 0 || queries == 0 {
        return None;
    }
    let q = view::floats(query)?;
    let whole = [batch, heads, queries, keys];
    let scores = Scores {
        scale: options.scale.unwrap_or(1.0 / (head_dim as f64).sqrt()) as f32,
        hidden: match mask {
            Some(mask) => Some(Rows::of_bools(&mask.clone().expand(whole))?),
            None => None,
        },
        bias: match bias {
            Some(bias) => Some(Rows::of_floats(&bias.clone().expand(whole))?),
            None => None,
        },
        heads,
        queries,
        keys,
    };
    if queries <= FEW {
        few(q, view::dense(key)?, view::dense(value)?, &scores)
    } else {
        many([query, key, value], &scores)
    }
}

fn many([query, key, value]: [&Tensor<4>; 3], scores: &Scores) -> Option<Tensor<4>> {
    let products = query.clone().matmul(key.clone().swap_dims(2, 3));
    let mut shares = products.try_into_primitive::<Flex>().ok()?.to_contiguous();
    let rows = shares.storage_mut::<f32>(); // [batch * heads * query, key]
    pieces(rows, scores.keys, [scores.keys, COMPUTE], |i, row| {
        wide(
            #[inline(always)]
            || scores.shares(i, row),
        );
    });
    Some(Tensor::<4>::from_primitive::<Flex>(shares).matmul(value.clone()))
}

/// A head at a time: every key is read once for all of its queries, then every value.
fn few(
    query: FlexTensor,
    key: FlexTensor,
    value: FlexTensor,
    scores: &Scores,
) -> Option<Tensor<4>> {
    let query = query.to_contiguous();
    let shape = query.layout().shape().clone();
    let (size, out) = (shape[3], value.layout().shape()[3]);
    let (queries, keys) = (scores.queries, scores.keys);
    let (q, k, v) = (
        view::values(&query),
        view::values(&key),
        view::values(&value),
    );
    let heads = shape[0] * shape[1];
    if size == 0 || out == 0 || k.len() != heads * keys * size || v.len() != heads * keys * out {
        return None;
    }
    let mut y = vec![0.0; heads * queries * out];
    pieces(
        &mut y,
        queries * out,
        [queries * keys * (size + out), COMPUTE],
        |head, y| {
            wide(
                #[inline(always)]
                || {
                    let k = &k[head * keys * size..][..keys * size];
                    let v = &v[head * keys * out..][..keys * out];
                    let mut row = vec![0.0; keys];
                    for (i, y) in y.chunks_exact_mut(out).enumerate() {
                        let at = head * queries + i;
                        let q = &q[at * size..][..size];
                        for (score, k) in row.iter_mut().zip(k.chunks_exact(size)) {
                            *score = math::dot(q, k);
                        }
                        scores.shares(at, &mut row);
                        math::add_rows(y, &row, v, out);
                    }
                },
            );
        },
    );
    let mut shape = shape;
    shape[3] = out;
    Some(view::tensor(y, shape))
}
