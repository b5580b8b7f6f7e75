//! `fluxo export`.

use anyhow::Result;
use fluxo_compare::{ExportError, ExportOptions};
use fluxo_models::Model;
use serde_json::json;

use super::device;
use crate::Held;
use crate::args::Export;
use crate::print::Print;

pub fn run(args: &Export, print: Print) -> Result<Held> {
    let (model, _) = Model::load(&args.model, args.task, &device(None)?)?;
    let options = ExportOptions {
        opset: args.opset,
        cache: !args.no_cache,
        image_size: args.image_size.map(|size| [size, size]),
        verify: true,
    };
    match fluxo_compare::export(&model, &args.out, &options) {
        Ok(report) => {
            let check = report.verification.as_ref().map(ToString::to_string);
            let text = format!(
                "{}\n{} ({} bytes, opset {})\n  {} -> {}",
                check.unwrap_or_default(),
                report.file.display(),
                report.bytes,
                report.opset,
                report.inputs.join(", "),
                report.outputs.join(", "),
            );
            print.result(&report, text)?;
            Ok(Held::Yes)
        }
        Err(error) if error.did_not_hold() => {
            let report = match &error {
                ExportError::Disagrees(report) => Some(report.as_ref()),
                _ => None,
            };
            let table = report.map(ToString::to_string).unwrap_or_default();
            let document = json!({"error": error.to_string(), "verification": report});
            print.result(&document, format!("{table}\n{error}"))?;
            Ok(Held::No)
        }
        Err(error) => Err(error.into()),
    }
}
