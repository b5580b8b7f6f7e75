//! Which example a row of a batch is: a pure function, so that a resumed run replays nothing.

/// Which of `places` examples row `row` of step `step` is, from 0 on.
///
/// Every place is as likely as any other, up to `places / 2^64`.
pub(crate) fn start(seed: u64, step: u64, row: u64, places: usize) -> usize {
    let bits = mix(mix(mix(seed).wrapping_add(step)).wrapping_add(row));
    // The high half of the product maps 64 bits evenly onto the places.
    ((u128::from(bits) * places as u128) >> 64) as usize
}

/// Where anything random about row `row` of step `step` comes from: nothing that [`start`]
/// shows.
pub(crate) fn noise(seed: u64, step: u64, row: u64) -> u64 {
    mix(!mix(mix(mix(seed).wrapping_add(step)).wrapping_add(row)))
}

/// SplitMix64's step: adjacent numbers in, unrelated ones out
/// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_splitmix64s() {
        // The generator's published first outputs from seed 1234567.
        let mut state = 1_234_567u64;
        let mut next = || {
            let out = mix(state);
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            out
        };
        assert_eq!(next(), 6_457_827_717_110_365_317);
        assert_eq!(next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn starts_are_repeatable_and_even() {
        let mut counts = [0usize; 10];
        for step in 0..1000 {
            for row in 0..10 {
                let at = start(7, step, row, 10);
                assert_eq!(at, start(7, step, row, 10));
                counts[at] += 1;
            }
        }
        // 10000 draws over 10 places: 1000 each, deviation 30; five deviations either way.
        assert!(counts.iter().all(|c| (850..1150).contains(c)), "{counts:?}");
        assert_ne!(start(7, 0, 0, 1 << 40), start(8, 0, 0, 1 << 40));
    }
}
