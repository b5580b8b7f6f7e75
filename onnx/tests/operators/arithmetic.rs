//! Numbers: sums, products, powers, rounding and casts.

use crate::case::*;
use crate::common::Runtime::Tract;

#[test]
fn arithmetic() {
    check(&[
        ("add", BOTH, |mut a| f(a.x() + a.y())),
        ("sub scalar", BOTH, |mut a| f(a.x() - 1.5)),
        ("mul div", BOTH, |mut a| {
            f(a.x() * a.y() / (a.y().abs() + 0.5))
        }),
        ("rem", BOTH, |mut a| f(a.x().remainder(a.y().abs() + 0.5))),
        ("rem scalar", BOTH, |mut a| f(a.x().remainder_scalar(0.75))),
        ("rem negative", BOTH, |mut a| {
            f(a.x().remainder_scalar(-0.75))
        }),
        ("int add mul", BOTH, |mut a| i(a.s() * a.n() + a.s())),
        ("int div scalar", BOTH, |mut a| i(a.s() / 4)),
        ("int div", BOTH, |mut a| i(a.s() / (a.n() + 1))),
        ("int rem", BOTH, |mut a| i(a.s().remainder(a.n() + 1))),
        ("int rem scalar", BOTH, |mut a| i(a.s().remainder_scalar(4))),
        ("int rem negative", BOTH, |mut a| {
            i(a.s().remainder_scalar(-4))
        }),
        ("int abs neg sign", BOTH, |mut a| {
            i(a.s().abs() - a.s().neg() + a.s().sign())
        }),
        ("int clamp", BOTH, |mut a| i(a.s().clamp(-3, 4))),
        ("int shift", BOTH, |mut a| {
            i(a.n().bitwise_left_shift_scalar(2))
        }),
        ("bitwise", &[Tract], |mut a| {
            i(a.n()
                .bitwise_and_scalar(5)
                .bitwise_xor(a.n().bitwise_or_scalar(8)))
        }),
        ("abs neg sign", BOTH, |mut a| {
            f(a.x().abs() + a.x().neg() * a.x().sign())
        }),
        ("exp log", BOTH, |mut a| f((a.x().exp() + 1.0).log())),
        ("log1p", BOTH, |mut a| {
            f(a.x().abs().log1p() + (a.x() * 1e-6).log1p() * 1e6)
        }),
        ("sqrt recip", BOTH, |mut a| {
            f((a.x().abs() + 0.1).sqrt().recip())
        }),
        ("erf tanh", BOTH, |mut a| f(a.x().erf() + a.x().tanh())),
        ("sin cos tan", BOTH, |mut a| {
            f(a.x().sin() + a.x().cos() + (a.x() * 0.5).tan())
        }),
        ("sinh cosh", BOTH, |mut a| f(a.x().sinh() + a.x().cosh())),
        ("inverse trigonometry", BOTH, |mut a| {
            f((a.x() * 0.4).asin() + (a.x() * 0.4).acos() + a.x().atan())
        }),
        ("powers", BOTH, |mut a| {
            f(a.x().powf_scalar(2.0) + a.x().powf_scalar(3.0) + a.x().abs().powf_scalar(0.5))
        }),
        ("odd power", BOTH, |mut a| {
            f((a.x().abs() + 0.1).powf_scalar(1.7))
        }),
        ("powi", BOTH, |mut a| {
            f(a.x().powi_scalar(3) + a.x().powi_scalar(4))
        }),
        ("powf", BOTH, |mut a| f((a.x().abs() + 0.1).powf(a.y()))),
        ("int square", BOTH, |mut a| {
            let s = a.s();
            i(s.clone() * s)
        }),
        ("int powi", BOTH, |mut a| i(a.s().powi_scalar(2))),
        ("rounding", BOTH, |mut a| {
            f(a.x().round() + a.x().floor() * 10.0 + a.x().ceil() * 100.0)
        }),
        ("trunc", BOTH, |mut a| f(a.x().trunc())),
        ("clamp", BOTH, |mut a| {
            f(a.x().clamp(-0.5, 1.0) + a.y().clamp_min(0.2) + a.y().clamp_max(0.1))
        }),
        ("casts", BOTH, |mut a| {
            f(a.s().float() + a.b().float() + a.x().int().float() + a.b().int().float())
        }),
    ]);
}
