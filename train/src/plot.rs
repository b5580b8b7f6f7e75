//! `loss.svg`: the losses over the steps.

use std::io::Write;
use std::path::Path;

use plotters::prelude::*;

use crate::error::{Error, Result};

/// Draws the training and evaluation losses by step into the file at `path`.
pub(crate) fn write(path: &Path, train: &[(usize, f32)], eval: &[(usize, f32)]) -> Result<()> {
    let mut svg = String::new();
    draw(&mut svg, train, eval).map_err(|e| Error::Io {
        path: path.into(),
        source: std::io::Error::other(e),
    })?;
    Ok(fluxo_models::files::write_atomic(path, |file| {
        file.write_all(svg.as_bytes())
    })?)
}

fn draw(
    svg: &mut String,
    train: &[(usize, f32)],
    eval: &[(usize, f32)],
) -> std::result::Result<(), String> {
    let all = || train.iter().chain(eval);
    let steps = all().map(|p| p.0).max().unwrap_or(1).max(1);
    let top = all().map(|p| p.1).fold(f32::MIN_POSITIVE, f32::max) * 1.05;
    let text = |e: DrawingAreaErrorKind<_>| -> String { e.to_string() };

    let area = SVGBackend::with_string(svg, (800, 480)).into_drawing_area();
    area.fill(&WHITE).map_err(text)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0..steps, 0f32..top)
        .map_err(text)?;
    chart
        .configure_mesh()
        .x_desc("step")
        .y_desc("loss (nats a token)")
        .light_line_style(WHITE)
        .draw()
        .map_err(text)?;
    let lines = [
        ("training", train, BLUE.mix(0.6)),
        ("evaluation", eval, RED.mix(1.0)),
    ];
    for (name, points, colour) in lines {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))
            .map_err(text)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .draw()
        .map_err(text)?;
    area.present().map_err(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn both_lines_are_drawn_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("loss.svg");
        super::write(
            &path,
            &[(1, 5.5), (10, 3.0), (20, 2.5)],
            &[(10, 3.1), (20, 2.6)],
        )
        .unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for part in ["training", "evaluation", "loss (nats a token)", "<polyline"] {
            assert!(svg.contains(part), "{part}");
        }
        // A run that was stopped at once has one point, or none.
        super::write(&path, &[(1, 5.5)], &[]).unwrap();
        super::write(&path, &[], &[]).unwrap();
    }
}
