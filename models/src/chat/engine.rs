//! Runs a template as a stranger's program: with bounded work, memory, stack and time.

use std::error::Error as _;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value};
use serde_json::Map;

use super::{methods, time, tojson};

/// Instructions, to which the conversation's bytes are added. One unit also pays for 64 bytes
/// made. The longest published templates take a few hundred for a message.
const FUEL: u64 = 1_000_000;
/// Bytes of text that may come out.
const OUTPUT: usize = 16 << 20;
/// Macros within macros.
const DEPTH: usize = 100;
/// Bytes of stack. The engine visits and drops nested values recursively: what the fuel
/// suffices to nest needs less than 64 MiB.
const STACK: usize = 128 << 20;
/// The engine joins lists lazily and does not always charge for visiting the result, so a
/// deadline stands behind the fuel. A template takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(5);

/// Why there is no text.
pub(super) enum Failure {
    /// The template called `raise_exception`.
    Refused(String),
    /// The template is wrong, or does too much.
    Broken(String),
}

/// Renders `source` with `context`.
pub(super) fn render(
    source: &str,
    context: Map<String, serde_json::Value>,
) -> Result<String, Failure> {
    render_within(source, context, DEADLINE)
}

/// [`render`], given up after `deadline`.
pub(super) fn render_within(
    source: &str,
    context: Map<String, serde_json::Value>,
    deadline: Duration,
) -> Result<String, Failure> {
    let (send, receive) = mpsc::channel();
    let source = source.to_string();
    // Its own thread has the stack, and is left behind when it does not end.
    std::thread::Builder::new()
        .name("chat template".into())
        .stack_size(STACK)
        .spawn(move || {
            // Nobody listens after the deadline.
            let _ = send.send(run(&source, &context));
        })
        .map_err(|e| Failure::Broken(format!("no thread to run it ({e})")))?;
    receive.recv_timeout(deadline).unwrap_or_else(|e| {
        Err(Failure::Broken(match e {
            mpsc::RecvTimeoutError::Timeout => {
                format!("it did not end within {} s", deadline.as_secs_f32())
            }
            mpsc::RecvTimeoutError::Disconnected => "it broke the template engine".into(),
        }))
    })
}

fn run(source: &str, context: &Map<String, serde_json::Value>) -> Result<String, Failure> {
    let bytes = serde_json::to_string(context).map_or(0, |json| json.len());
    let mut environment = environment().map_err(|e| failure(&e))?;
    environment.set_fuel(Some(FUEL + bytes as u64));
    let mut output = Output::default();
    environment
        .template_from_named_str("template", source)
        .and_then(|template| {
            let context = Value::from(minijinja::value::Serde(context));
            template.render_captured_to(context, &mut output).map(drop)
        })
        .map_err(|e| {
            if output.full {
                Failure::Broken(format!("it writes more than {OUTPUT} bytes"))
            } else {
                failure(&e)
            }
        })?;
    String::from_utf8(output.bytes).map_err(|_| Failure::Broken("it writes no UTF-8".into()))
}

/// The names, filters and methods that transformers gives a template.
fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()?;
    environment.set_syntax(syntax);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_recursion_limit(DEPTH);
    environment.set_unknown_method_callback(methods::call);
    environment.add_filter("tojson", tojson::tojson);
    environment.add_function("strftime_now", time::strftime_now);
    environment.add_function("raise_exception", |message: String| {
        Err::<Value, _>(
            Error::new(ErrorKind::InvalidOperation, "raised").with_source(Raised(message)),
        )
    });
    Ok(environment)
}

/// What `raise_exception` was called with.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

/// One line of what went wrong, the innermost cause first where the template raised it.
fn failure(error: &Error) -> Failure {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(Raised(message)) = inner.downcast_ref() {
            return Failure::Refused(line(message));
        }
        cause = inner.source();
    }
    Failure::Broken(match error.kind() {
        ErrorKind::OutOfFuel => format!("it does more than {FUEL} steps of work"),
        _ => line(&error.to_string()),
    })
}

/// `text` on one line of bounded length.
fn line(text: &str) -> String {
    const LONGEST: usize = 300;
    let words: Vec<_> = text.split_whitespace().collect();
    let mut line: String = words.join(" ").chars().take(LONGEST + 1).collect();
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Takes bytes up to the limit.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + buf.len() > OUTPUT {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
