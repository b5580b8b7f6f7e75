//! How figures are written.

/// `6.0e-7`, `0`, or what no number says.
pub fn number(value: f64) -> String {
    match value {
        v if v.is_nan() || v.is_infinite() => "-".to_string(),
        0.0 => "0".to_string(),
        v => format!("{v:.1e}"),
    }
}

/// `1.6`, `2400` or `1.3e6`.
pub fn times(value: f64) -> String {
    match value {
        v if !v.is_finite() => "-".to_string(),
        v if v < 10.0 => format!("{v:.1}"),
        v if v < 1e6 => format!("{v:.0}"),
        v => format!("{v:.1e}"),
    }
}

/// `100.0%`, or nothing decided.
pub fn share(value: Option<f64>) -> String {
    value.map_or("-".to_string(), |share| format!("{:.1}%", share * 100.0))
}
