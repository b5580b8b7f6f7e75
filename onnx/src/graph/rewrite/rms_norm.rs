//! `x / √(mean(x²) + ε) · γ` over the last axis is `RMSNormalization`.

use super::pattern::{Search, pair, replace};
use crate::graph::build::{Attr, Attrs, DataType, Graph, Node, ValueId};

pub(super) fn rewrite(graph: &mut Graph) {
    replace(graph, "Mul", find);
}

fn find(search: &Search, node: &Node) -> Option<(&'static str, Vec<ValueId>, Attrs)> {
    let [a, b] = pair(node)?;
    [[a, b], [b, a]].into_iter().find_map(|[scaled, gamma]| {
        let [x, root] = search.pair(scaled, "Div")?;
        let sum = search.one(root, "Sqrt")?;
        let (mean, epsilon) = search
            .either(sum, "Add")
            .find_map(|[mean, epsilon]| Some((mean, search.number(epsilon)?)))?;
        let [square, axes] = search.pair(mean, "ReduceMean")?;
        let last = search.rank(x).checked_sub(1)?;
        let over_last = search.ints(axes)? == [last as i64];
        let squared = search.pair(square, "Mul") == Some([x, x]);
        let by_width = search.rank(gamma) == 1 && search.width(gamma) == search.width(x);
        // Half types are widened around the whole norm; one that is not stays as it is.
        let full = search.graph().values[x].dtype == DataType::Float;
        if !(over_last && squared && by_width && full && search.width(x).is_some()) {
            return None;
        }
        let attrs = vec![
            ("axis", Attr::Int(-1)),
            ("epsilon", Attr::Float(epsilon as f32)),
        ];
        Some(("RMSNormalization", vec![x, gamma], attrs))
    })
}
