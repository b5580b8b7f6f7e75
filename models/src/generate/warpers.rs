//! Which tokens may be drawn, and how likely each is: temperature and the cuts, in
//! transformers' order.

use super::sampling::Sampling;

/// How many candidates are sorted at first, to find the likeliest that reach a probability.
const SORTED: usize = 64;
/// How many of the likeliest tokens top-h looks at, as in transformers.
const TOP_H: usize = 100;

/// The tokens that may be drawn for `scores`, the largest of which is `largest`.
pub(super) fn candidates(scores: &[f32], largest: f64, sampling: &Sampling) -> Vec<Candidate> {
    // In the order of the vocabulary, so that a seed's draws do not hang on how it is sorted.
    let mut candidates: Vec<Candidate> = (0..)
        .zip(scores)
        .map(|(token, &score)| {
            let above = f64::from(score) - largest;
            Candidate {
                token,
                weight: (above / sampling.temperature).exp(),
            }
        })
        .collect();
    if let Some(part) = sampling.top_h {
        keep_entropy(&mut candidates, part);
    }
    if let Some(k) = sampling.top_k {
        let least = kth(scores, k);
        candidates.retain(|candidate| scores[candidate.token as usize] >= least);
    }
    if let Some(p) = sampling.top_p {
        keep_nucleus(&mut candidates, p);
    }
    if let Some(p) = sampling.min_p {
        // The likeliest has weight 1.
        candidates.retain(|candidate| candidate.weight >= p);
    }
    if let Some(mass) = sampling.typical_p.filter(|mass| *mass < 1.0) {
        keep_typical(&mut candidates, mass);
    }
    let below_one = |cut: &f64| *cut < 1.0;
    if let Some(least) = sampling.epsilon_cutoff.filter(below_one) {
        keep_probable(&mut candidates, least);
    }
    if let Some(cut) = sampling.eta_cutoff.filter(below_one) {
        let least = cut.min(cut.sqrt() * (-entropy(&candidates)).exp());
        keep_probable(&mut candidates, least);
    }
    candidates
}

/// A token that may be drawn, and how likely it is; the likeliest has 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub token: u32,
    pub weight: f64,
}

impl Candidate {
    /// Likeliest first; of equals the lowest number.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let by_weight = other.weight.total_cmp(&self.weight);
        by_weight.then(self.token.cmp(&other.token))
    }
}

/// Keeps the fewest of the likeliest candidates that together reach the probability `p`,
/// likeliest first.
fn keep_nucleus(candidates: &mut Vec<Candidate>, p: f64) {
    let wanted = p * candidates.iter().map(|c| c.weight).sum::<f64>();
    let (mut sorted, mut size, mut reached) = (0, SORTED, 0.0);
    while sorted < candidates.len() {
        // Only the likeliest are sorted, and more of them while they do not reach it.
        size = size.min(candidates.len());
        let rest = &mut candidates[sorted..];
        if size - sorted < rest.len() {
            rest.select_nth_unstable_by(size - sorted, Candidate::order);
        }
        candidates[sorted..size].sort_unstable_by(Candidate::order);
        for at in sorted..size {
            // The first is kept whatever `p` is.
            if at > 0 && reached >= wanted {
                candidates.truncate(at);
                return;
            }
            reached += candidates[at].weight;
        }
        sorted = size;
        size *= 4;
    }
}

/// Keeps the likeliest candidates that together have up to `part` of the entropy, and always the
/// first, likeliest first.
fn keep_entropy(candidates: &mut Vec<Candidate>, part: f64) {
    candidates.sort_unstable_by(Candidate::order);
    candidates.truncate(TOP_H);
    let wanted = part * entropy(candidates);
    let total = total(candidates);
    let mut reached = 0.0;
    let kept = candidates.iter().take_while(|candidate| {
        reached += surprise(candidate.weight / total);
        reached <= wanted
    });
    candidates.truncate(kept.count().max(1));
}

/// Keeps the candidates whose information is nearest the entropy and that together reach `mass`,
/// nearest first.
fn keep_typical(candidates: &mut Vec<Candidate>, mass: f64) {
    let (total, entropy) = (total(candidates), entropy(candidates));
    let distance = |candidate: &Candidate| (-(candidate.weight / total).ln() - entropy).abs();
    candidates.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    let mut reached = 0.0;
    let before = candidates.iter().take_while(|candidate| {
        reached += candidate.weight / total;
        reached < mass
    });
    let last = before.count().min(candidates.len().saturating_sub(1));
    if let Some(most) = candidates.get(last).map(distance) {
        candidates.retain(|candidate| distance(candidate) <= most);
    }
}

/// Keeps the candidates of at least the probability `least`, and always the likeliest.
fn keep_probable(candidates: &mut Vec<Candidate>, least: f64) {
    let total = total(candidates);
    let largest = candidates.iter().map(|c| c.weight).fold(0.0, f64::max);
    candidates.retain(|c| c.weight / total >= least || c.weight >= largest);
}

fn total(candidates: &[Candidate]) -> f64 {
    candidates.iter().map(|candidate| candidate.weight).sum()
}

fn entropy(candidates: &[Candidate]) -> f64 {
    let total = total(candidates);
    let terms = candidates.iter().map(|c| surprise(c.weight / total));
    terms.sum()
}

/// What a probability adds to the entropy.
fn surprise(p: f64) -> f64 {
    if p > 0.0 { -p * p.ln() } else { 0.0 }
}

/// The `k`th largest score, or where there are not so many the least possible.
pub(super) fn kth(scores: &[f32], k: usize) -> f32 {
    if k > scores.len() {
        return f32::NEG_INFINITY;
    }
    let mut scores = scores.to_vec();
    let (_, score, _) = scores.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    *score
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What sorting everything gives.
        #[test]
        fn the_nucleus_is_found_without_sorting_all(weights in prop::collection::vec(0f64..1.0, 1..600), p in 0.001f64..1.0) {
            let all: Vec<_> = (0..).zip(&weights).map(|(token, &weight)| Candidate { token, weight }).collect();
            let mut found = all.clone();
            keep_nucleus(&mut found, p);
            let mut sorted = all;
            let wanted = p * sorted.iter().map(|c| c.weight).sum::<f64>();
            sorted.sort_by(Candidate::order);
            let mut reached = 0.0;
            let kept = sorted.iter().take_while(|c| {
                let keep = reached < wanted;
                reached += c.weight;
                keep
            });
            let kept = kept.count().max(1);
            let tokens = |candidates: &[Candidate]| candidates.iter().map(|c| c.token).collect::<Vec<_>>();
            prop_assert_eq!(tokens(&found), tokens(&sorted[..kept]));
        }
    }
}
