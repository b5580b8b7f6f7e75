#![no_main]
//! A chat template is read and rendered, or says why not, within its bounds.

use fluxo_fuzz::in_file;
use fluxo_models::chat::{ChatTemplate, Message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dir = in_file("chat_template.jinja", bytes);
    if let Ok(Some(template)) = ChatTemplate::load(dir) {
        let _ = template.render(&[Message::new("user", "hello")], true);
    }
});
