//! A runner in a process of its own: what it crashes, it crashes alone.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use fluxo_models::{OutputOptions, Task, Tensors, tensors};
use fluxo_support::temporary::Folder;

use super::{Cost, Label, Runner};
use crate::error::{Error, Result, zoo};

/// Runs `fluxo run` on each set of inputs.
pub struct Child {
    /// What others know of it.
    pub label: Label,
    /// The binary that knows `run MODEL --on NAME --inputs FILE --out FILE --json`.
    pub program: PathBuf,
    /// The model.
    pub model: PathBuf,
    /// What a checkpoint is loaded for, where that is not its own task.
    pub task: Option<Task>,
    /// The backend or runtime.
    pub on: String,
    /// Which outputs beside the usual it gives.
    pub request: OutputOptions,
    /// What the last run took.
    pub cost: Option<Cost>,
}

impl Child {
    fn command(&self, inputs: &Path, outputs: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            .arg(&self.model)
            .args(["--on", &self.on, "--json"]);
        command
            .arg("--inputs")
            .arg(inputs)
            .arg("--out")
            .arg(outputs);
        command.args(self.request.taps.then_some("--taps"));
        if let Some(task) = self.task {
            command.args(["--task", task.name()]);
        }
        command.args(self.request.hidden_states.then_some("--hidden-states"));
        command
    }
}

impl Runner for Child {
    fn label(&self) -> &Label {
        &self.label
    }

    fn cost(&self) -> Option<Cost> {
        self.cost
    }

    fn run(&mut self, inputs: &Tensors) -> Result<Tensors> {
        self.cost = None;
        let folder = Folder::new().map_err(|e| Error::runner(&self.label.name, e))?;
        let (given, made) = (folder.path().join("in"), folder.path().join("out"));
        tensors::write(&given, inputs).map_err(zoo)?;
        let ran = self.command(&given, &made).output();
        let ran = ran.map_err(|e| Error::runner(&self.label.name, e))?;
        if !ran.status.success() {
            let said = String::from_utf8_lossy(&ran.stderr);
            return Err(Error::runner(&self.label.name, told(ran.status, &said)));
        }
        let about: Option<serde_json::Value> = serde_json::from_slice(&ran.stdout).ok();
        self.cost = about.and_then(|about| {
            Some(Cost {
                ms: about.get("ms")?.as_f64()?,
                peak_bytes: about.get("peak_bytes")?.as_u64(),
            })
        });
        tensors::read(&made).map_err(zoo)
    }
}

/// How a process ended that did not do what it should.
fn told(status: ExitStatus, said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    // What ended it, not what was said of that.
    let memory = lines().find(|line| line.starts_with("memory allocation"));
    let last = memory.or_else(|| lines().next_back()).unwrap_or_default();
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let guess = match signal {
            4 => " (the processor lacks an instruction?)",
            6 => " (aborted: out of memory?)",
            9 => " (out of memory?)",
            7 | 11 => " (it read memory that is not its own)",
            _ => "",
        };
        let said = if last.is_empty() { "" } else { "; it said: " };
        return format!("killed by signal {signal}{guess}{said}{last}");
    }
    match last.strip_prefix("error: ") {
        Some(error) => error.to_string(),
        None => format!("it ended with {status}: {last}"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::runner::Kind;

    /// A runner whose program is this script.
    fn script(text: &str) -> (Folder, Child) {
        let folder = Folder::new().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let child = Child {
            label: Label::new("tract", Kind::Graph),
            program,
            model: "model".into(),
            task: None,
            on: "tract".into(),
            request: OutputOptions::default(),
            cost: None,
        };
        (folder, child)
    }

    #[test]
    fn how_it_ended_is_said() {
        for (text, reason) in [
            ("kill -9 $$", "tract: killed by signal 9 (out of memory?)"),
            (
                "echo 'memory allocation of 64 bytes failed' >&2; echo 'no backtrace' >&2; kill -6 $$",
                "tract: killed by signal 6 (aborted: out of memory?); it said: memory allocation of 64 bytes failed",
            ),
            (
                "kill -11 $$",
                "tract: killed by signal 11 (it read memory that is not its own)",
            ),
            (
                "echo 'error: no such operation' >&2; exit 2",
                "tract: no such operation",
            ),
            ("exit 3", "tract: it ended with exit status: 3:"),
        ] {
            let (_folder, mut child) = script(text);
            let error = child.run(&Tensors::new()).unwrap_err().to_string();
            assert_eq!(error, reason, "{text}");
        }
    }

    #[test]
    fn outputs_and_cost_come_back() {
        // `run model --on tract --json --inputs IN --out OUT`
        let (_folder, mut child) =
            script("cp \"$7\" \"$9\"; echo '{\"ms\": 1.5, \"peak_bytes\": 7}'");
        let given = burn::tensor::TensorData::new(vec![1_i64, 2], [1, 2]);
        let inputs = Tensors::from([("input_ids".to_string(), given)]);
        assert_eq!(child.run(&inputs).unwrap(), inputs);
        let cost = Cost {
            ms: 1.5,
            peak_bytes: Some(7),
        };
        assert_eq!(child.cost(), Some(cost));
    }
}
