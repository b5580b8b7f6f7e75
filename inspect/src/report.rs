//! What was measured, as data and as a table of at most 100 columns.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use fluxo_models::blocks::block::NormPosition;
use serde::Serialize;

/// A model's residual stream on one input.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    /// Where the norms stand in every block.
    pub norm_position: NormPosition,
    /// Positions counted: those that the attention mask keeps.
    pub positions: usize,
    /// The embedding's share of the stream's end. With the shares of all layers it sums to one.
    pub embedding_share: f64,
    /// The layers, in order.
    pub layers: Vec<LayerReport>,
    /// How far the parts miss the stream's end: the largest difference over the largest value.
    /// Rounding of the run alone, where nothing is wrong.
    pub remainder: f64,
}

/// One layer's taps, and what it wrote into the stream's end.
#[derive(Clone, Debug, Serialize)]
pub struct LayerReport {
    /// The layer's number, from 0.
    pub layer: usize,
    /// Its taps, in the chapter's order and then the position-free names.
    pub taps: Vec<TapStats>,
    /// The attention's share of the stream's end: `<part, h> / <h, h>`, averaged over positions.
    pub attention_share: f64,
    /// The share of what the attention to an encoder wrote, where there is one.
    pub cross_share: Option<f64>,
    /// The feed-forward network's share.
    pub feed_forward_share: f64,
    /// The share of its norms' β, where norms with a bias stand in the stream (post-norm).
    pub norm_bias_share: Option<f64>,
}

/// One tap's values over the kept positions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TapStats {
    /// Its name, such as `t1` or `attn_out`.
    pub tap: &'static str,
    /// The L2 norm of a position's values, averaged over positions.
    pub norm: f64,
    /// The mean of all values.
    pub mean: f64,
    /// Their standard deviation (the root of the mean square distance from the mean).
    pub deviation: f64,
}

impl LayerReport {
    pub(crate) fn new(layer: usize, taps: Vec<TapStats>) -> Self {
        Self {
            layer,
            taps,
            attention_share: 0.0,
            cross_share: None,
            feed_forward_share: 0.0,
            norm_bias_share: None,
        }
    }

    /// The tap called `name`.
    pub fn tap(&self, name: &str) -> Option<&TapStats> {
        self.taps.iter().find(|stats| stats.tap == name)
    }
}

/// The taps of the first table; the second shows the rest, under the position-free names.
const CHAPTER: [&str; 7] = ["x", "t1", "t2", "t3", "t4", "t5", "h"];
/// The taps whose norms the second table shows.
const STREAM: [&str; 5] = [
    "resid_pre",
    "attn_out",
    "resid_mid",
    "ffn_out",
    "resid_post",
];

/// A share's column and its value.
type Share = (&'static str, fn(&LayerReport) -> Option<f64>);

impl fmt::Display for StreamReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let norms = match self.norm_position {
            NormPosition::Post => "post-norm",
            NormPosition::Pre => "pre-norm",
            NormPosition::Sandwich => "norms before and after each sublayer",
            NormPosition::BranchPost => "norms after each sublayer",
            NormPosition::ParallelOneNorm => "parallel sublayers, one norm",
            NormPosition::ParallelTwoNorms => "parallel sublayers, two norms",
        };
        writeln!(f, "Taps ({norms}, {} positions)", self.positions)?;
        writeln!(f, "{}", self.taps_table())?;
        writeln!(f)?;
        writeln!(f, "Stream (norms, and each part's share of its end)")?;
        writeln!(f, "{}", self.stream_table())?;
        writeln!(f, "embedding: {} %", percent(self.embedding_share))?;
        write!(
            f,
            "the parts miss the stream's end by {:.1e} of its largest value",
            self.remainder
        )
    }
}

impl StreamReport {
    fn taps_table(&self) -> Table {
        let mut table = table(["layer", "tap", "norm", "mean", "deviation"].map(String::from));
        for layer in &self.layers {
            for stats in CHAPTER.iter().filter_map(|name| layer.tap(name)) {
                table.add_row([
                    layer.layer.to_string(),
                    stats.tap.to_owned(),
                    number(stats.norm),
                    number(stats.mean),
                    number(stats.deviation),
                ]);
            }
        }
        table
    }

    fn stream_table(&self) -> Table {
        let shares = self.shares();
        let names = shares.iter().map(|(name, _)| name);
        let head = ["layer"].iter().chain(&STREAM).chain(names);
        let mut table = table(head.map(|name| name.to_string()));
        for layer in &self.layers {
            let norms = STREAM
                .iter()
                .map(|name| layer.tap(name).map_or_else(String::new, |s| number(s.norm)));
            let mut row = vec![layer.layer.to_string()];
            row.extend(norms);
            let shares = shares.iter().map(|(_, share)| share(layer));
            row.extend(shares.map(|share| share.map_or_else(String::new, percent)));
            table.add_row(row);
        }
        table
    }

    /// The columns of shares: those that any layer has.
    fn shares(&self) -> Vec<Share> {
        let all: [Share; 4] = [
            ("attn %", |layer| Some(layer.attention_share)),
            ("cross %", |layer| layer.cross_share),
            ("ffn %", |layer| Some(layer.feed_forward_share)),
            ("bias %", |layer| layer.norm_bias_share),
        ];
        let some = |share: &Share| self.layers.iter().any(|layer| share.1(layer).is_some());
        all.into_iter().filter(some).collect()
    }
}

fn table(head: impl IntoIterator<Item = String>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(head.into_iter().collect::<Vec<_>>());
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// In at most nine columns.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if (1e-2..1e4).contains(&size) => format!("{value:.3}"),
        _ => format!("{value:.2e}"),
    }
}

/// Tenths of a percent; adding zero turns `-0.0` into `0.0`.
fn percent(share: f64) -> String {
    format!("{:.1}", (1000.0 * share).round() / 10.0 + 0.0)
}
