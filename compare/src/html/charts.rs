//! Drawings in SVG: lines over the layers, bars over magnitudes.

use std::fmt::Write;

use super::escape;

/// Eight colours, then again.
pub(super) fn colour(series: usize) -> String {
    format!("var(--s{})", series % 8)
}

/// What is drawn of one runner.
pub(super) struct Line {
    /// Its name.
    pub(super) name: String,
    /// Which colour it has.
    pub(super) series: usize,
    /// A value for each layer.
    pub(super) points: Vec<(usize, f64)>,
}

/// Lines over the layers, values on a logarithmic scale; nothing where no value is over 0.
pub(super) fn lines(lines: &[Line]) -> Option<String> {
    const SIZE: (f64, f64) = (480.0, 240.0);
    const EDGE: (f64, f64) = (52.0, 26.0);
    let points = lines.iter().flat_map(|line| &line.points);
    let shown = |value: f64| value.is_finite() && value > 0.0;
    let decades = points.clone().filter(|p| shown(p.1)).map(|p| p.1.log10());
    let (low, high) = span(decades)?;
    let last = points.map(|p| p.0).max()?.max(1) as f64;
    let x = |layer: usize| EDGE.0 + (SIZE.0 - EDGE.0 - 12.0) * layer as f64 / last;
    let y = |decade: f64| {
        let height = SIZE.1 - 2.0 * EDGE.1;
        EDGE.1 / 2.0 + height * (high - decade) / (high - low)
    };
    let mut drawn = format!(
        r#"<svg class="depth" viewBox="0 0 {} {}" role="img" aria-label="error along depth">"#,
        SIZE.0, SIZE.1
    );
    for decade in low as i32..=high as i32 {
        let at = y(f64::from(decade));
        let _ = write!(
            drawn,
            r#"<line class="axis" x1="{}" x2="{}" y1="{at:.1}" y2="{at:.1}"/><text x="{}" y="{:.1}" text-anchor="end">1e{decade}</text>"#,
            EDGE.0,
            SIZE.0 - 12.0,
            EDGE.0 - 6.0,
            at + 4.0
        );
    }
    let step = (last / 12.0).ceil().max(1.0) as usize;
    for layer in (0..=last as usize).step_by(step) {
        let _ = write!(
            drawn,
            r#"<text x="{:.1}" y="{}" text-anchor="middle">{layer}</text>"#,
            x(layer),
            SIZE.1 - 20.0
        );
    }
    let _ = write!(
        drawn,
        r#"<text x="{}" y="{}" text-anchor="middle">layer</text>"#,
        SIZE.0 / 2.0,
        SIZE.1 - 5.0
    );
    for Line {
        name,
        series,
        points,
    } in lines
    {
        let colour = colour(*series);
        let place = |&&(_, value): &&(usize, f64)| shown(value);
        let points: Vec<_> = points
            .iter()
            .filter(place)
            .map(|(layer, value)| (x(*layer), y(value.log10())))
            .collect();
        let path: Vec<_> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = write!(
            drawn,
            r#"<g><title>{}</title><polyline class="line" style="stroke:{colour}" points="{}"/>"#,
            escape(name),
            path.join(" ")
        );
        for (x, y) in points {
            let _ = write!(
                drawn,
                r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" style="fill:{colour}"/>"#
            );
        }
        drawn.push_str("</g>");
    }
    drawn.push_str("</svg>");
    Some(drawn)
}

/// How many of `differences` lie in each power of ten; zeros stand on the left.
pub(super) fn histogram(differences: &[f64], series: usize) -> Option<String> {
    const SIZE: (f64, f64) = (280.0, 120.0);
    let zeros = differences.iter().filter(|d| **d == 0.0).count();
    let sized = |d: &&f64| d.is_finite() && **d > 0.0;
    let decades: Vec<f64> = differences
        .iter()
        .filter(sized)
        .map(|d| d.log10().floor())
        .collect();
    let (low, high) = match span(decades.iter().copied()) {
        Some((low, _)) => {
            let high = decades.iter().copied().fold(low, f64::max);
            (low as i32, high as i32)
        }
        None if zeros > 0 => (0, -1),
        None => return None,
    };
    let mut bars = vec![("0".to_string(), zeros)];
    for decade in low..=high {
        let count = decades.iter().filter(|d| **d == f64::from(decade)).count();
        bars.push((format!("1e{decade}"), count));
    }
    let most = bars.iter().map(|bar| bar.1).max()?.max(1) as f64;
    let width = SIZE.0 / bars.len() as f64;
    let mut drawn = format!(
        r#"<svg viewBox="0 0 {} {}" role="img" aria-label="how many differences of each size">"#,
        SIZE.0, SIZE.1
    );
    let every = bars.len().div_ceil(7);
    for (i, (label, count)) in bars.iter().enumerate() {
        let height = (SIZE.1 - 30.0) * *count as f64 / most;
        let left = width * i as f64;
        let _ = write!(
            drawn,
            r#"<rect x="{:.1}" y="{:.1}" width="{:.1}" height="{height:.1}" rx="2" style="fill:{}"><title>{label}: {count}</title></rect>"#,
            left + 1.0,
            SIZE.1 - 18.0 - height,
            (width - 2.0).max(1.0),
            colour(series),
        );
        if i % every == 0 {
            let _ = write!(
                drawn,
                r#"<text x="{:.1}" y="{}" text-anchor="middle">{label}</text>"#,
                left + width / 2.0,
                SIZE.1 - 4.0
            );
        }
    }
    drawn.push_str("</svg>");
    Some(drawn)
}

/// Whole decades around `values`, at least one apart.
fn span(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let ends = values.fold(None, |ends: Option<(f64, f64)>, v| match ends {
        None => Some((v, v)),
        Some((low, high)) => Some((low.min(v), high.max(v))),
    });
    let (low, high) = ends?;
    Some((low.floor(), high.ceil().max(low.floor() + 1.0)))
}
