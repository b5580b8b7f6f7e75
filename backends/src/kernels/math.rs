//! Functions of one float32 whose loops vectorise: no branches, no calls.

/// Where [`exp`] is as small as it gets: about 1.6e-38.
pub(crate) const LOWEST: f32 = -87.0;

/// `eˣ` for `x` between [`LOWEST`] and 88, others taken for the nearer bound: within 2 units of
/// the last place.
///
/// `x = n·ln 2 + r` with `|r| ≤ ln 2 / 2`, and a polynomial in `r` (Cephes, `expf.c`).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Added to a small number, it leaves that number's nearest integer in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    let x = if x < LOWEST { LOWEST } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let t = x * std::f32::consts::LOG2_E + MAGIC;
    let n = t - MAGIC;
    // ln 2 in two parts, the first short enough that its product with `n` is exact.
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = p * (r * r) + r + 1.0;
    y * f32::from_bits((t.to_bits() << 23).wrapping_add(0x3f80_0000))
}

/// `x · Φ(x)` within 1.4e-6 of the larger of 1 and its value: `|x|` times the 2.4e-7 that the
/// roundings of Φ add up to.
///
/// `Φ(x) = ½ + x·p(x²)/q(x²)`, the ratio fitted to `(Φ(x) - ½)/x` for `|x| ≤ 5.6`; beyond, Φ is
/// 0 or 1 to less than 1.1e-8.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    let t = x * x;
    let p = 2.214_518_6e-8;
    let p = p * t + 6.356_505_5e-6;
    let p = p * t + 1.738_503_7e-4;
    let p = p * t + 4.707_257e-3;
    let p = p * t + 3.437_61e-2;
    let p = p * t + 3.989_422e-1;
    let q = 1.180_206_2e-6;
    let q = q * t + 7.510_167e-5;
    let q = q * t + 1.912_977e-3;
    let q = q * t + 2.894_007_8e-2;
    let q = q * t + 2.528_338e-1;
    let q = q * t + 1.0;
    let phi = 0.5 + x * (p / q);
    let phi = if x > 5.6 { 1.0 } else { phi };
    let phi = if x < -5.6 { 0.0 } else { phi };
    x * phi
}

/// The sum of the products of `a` and `b`, of one length.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 64;
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    // In halves: one after the other would take longer than the products.
    let mut half: [f32; LANES / 4] = std::array::from_fn(|i| {
        (sums[i] + sums[i + LANES / 4]) + (sums[i + LANES / 2] + sums[i + 3 * LANES / 4])
    });
    let mut width = LANES / 8;
    while width > 0 {
        for i in 0..width {
            half[i] += half[i + width];
        }
        width /= 2;
    }
    half[0] + rest
}

/// `y += Σᵢ x[i] · rows[i]`, four rows at a time; rows lie `stride` apart and are as long as `y`.
#[inline(always)]
pub(crate) fn add_rows(y: &mut [f32], x: &[f32], rows: &[f32], stride: usize) {
    let n = y.len();
    let (four, rest) = x.as_chunks::<4>();
    for (i, [a, b, c, d]) in four.iter().enumerate() {
        let at = |k: usize| &rows[(4 * i + k) * stride..][..n];
        let (p, q, r, s) = (at(0), at(1), at(2), at(3));
        for j in 0..n {
            y[j] += (a * p[j] + b * q[j]) + (c * r[j] + d * s[j]);
        }
    }
    for (i, a) in rest.iter().enumerate() {
        let row = &rows[(4 * four.len() + i) * stride..][..n];
        for (y, w) in y.iter_mut().zip(row) {
            *y += a * w;
        }
    }
}

/// Softmax of one row of scores in place: `scale · row + bias`, where `hidden` is 0; a row hidden
/// whole becomes zeros, as in Burn.
#[inline(always)]
pub(crate) fn softmax(row: &mut [f32], scale: f32, hidden: Option<&[u8]>, bias: Option<&[f32]>) {
    const LANES: usize = 16;
    match bias {
        Some(bias) => {
            for (x, b) in row.iter_mut().zip(bias) {
                *x = *x * scale + b;
            }
        }
        None => {
            for x in row.iter_mut() {
                *x *= scale;
            }
        }
    }
    if let Some(hidden) = hidden {
        for (x, &hidden) in row.iter_mut().zip(hidden) {
            *x = if hidden != 0 { f32::NEG_INFINITY } else { *x };
        }
    }
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for i in 0..LANES {
            most[i] = larger(most[i], chunk[i]);
        }
    }
    let most = most
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |a, &b| larger(a, b));
    if most == f32::NEG_INFINITY && row.iter().all(|x| *x == most) {
        return row.fill(0.0);
    }
    // What is not a number stays so.
    let share = |x: f32| {
        if x - most < LOWEST {
            0.0
        } else {
            exp(x - most)
        }
    };
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for i in 0..LANES {
            chunk[i] = share(chunk[i]);
            sums[i] += chunk[i];
        }
    }
    let mut sum: f32 = sums.iter().sum();
    for x in rest {
        *x = share(*x);
        sum += *x;
    }
    let one = 1.0 / sum;
    for x in row {
        *x *= one;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` numbers evenly between `low` and `high`.
    fn between(low: f32, high: f32, count: usize) -> impl Iterator<Item = f32> {
        (0..=count).map(move |i| low + (high - low) * i as f32 / count as f32)
    }

    #[test]
    fn exp_is_within_two_units_of_the_last_place() {
        for x in between(LOWEST, 88.0, 1_000_000) {
            let exact = f64::from(x).exp();
            let unit = 2f64.powf(exact.log2().floor() - 23.0);
            let off = (f64::from(exp(x)) - exact).abs() / unit;
            assert!(off <= 2.0, "exp({x}) is {off} units off");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), exp(LOWEST));
    }

    #[test]
    fn gelu_is_that_of_the_error_function() {
        for x in between(-12.0, 12.0, 1_000_000) {
            let exact = f64::from(x) * 0.5 * (1.0 + libm::erf(f64::from(x) / 2f64.sqrt()));
            let off = (f64::from(gelu(x)) - exact).abs() / exact.abs().max(1.0);
            assert!(off < 1.4e-6, "gelu({x}) is {off:e} off");
        }
        assert!(gelu(f32::NAN).is_nan());
        assert_eq!(gelu(f32::INFINITY), f32::INFINITY);
        assert_eq!(gelu(1e30), 1e30);
        assert_eq!(gelu(-1e30), 0.0);
    }

    #[test]
    fn what_is_not_a_number_is_not_hidden() {
        let mut row = vec![0.5; 40];
        row[33] = f32::NAN;
        softmax(&mut row, 1.0, None, None);
        assert!(row.iter().all(|x| x.is_nan()));
    }
}
