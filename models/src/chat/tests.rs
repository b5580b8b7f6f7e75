#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/chat")
}

/// `tests/fixtures/chat/generate.py` says where these come from.
#[test]
fn published_shapes_render_as_in_transformers() {
    let golden = std::fs::read(fixtures().join("golden.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 156);
    for case in cases {
        let name = case["template"].as_str().unwrap();
        let template = ChatTemplate::load(&fixtures().join(name)).unwrap().unwrap();
        let messages: Vec<Message> = case["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| Message::new(m["role"].as_str().unwrap(), m["content"].as_str().unwrap()))
            .collect();
        let prompt = case["add_generation_prompt"].as_bool().unwrap();
        let rendered = template.render(&messages, prompt);
        match case["error"].as_str() {
            None => assert_eq!(rendered.unwrap(), case["text"].as_str().unwrap(), "{name}"),
            Some(error) => assert_eq!(
                rendered.unwrap_err().to_string(),
                format!("input: the chat template refuses the messages: {error}"),
            ),
        }
    }
}

fn template(source: &str) -> Result<ChatTemplate> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(TEMPLATE), source).unwrap();
    Ok(ChatTemplate::load(dir.path())?.unwrap())
}

fn render(source: &str) -> Result<String> {
    template(source)?.render(&[Message::new("user", "hi")], true)
}

#[test]
fn no_template_is_none_and_an_empty_conversation_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(ChatTemplate::load(dir.path()).unwrap().is_none());
    let empty = template("x").unwrap().render(&[], false).unwrap_err();
    assert!(empty.to_string().contains("at least one message"));
}

#[test]
fn the_date_is_todays() {
    let year: u64 = render("{{ strftime_now('%Y') }}").unwrap().parse().unwrap();
    assert!((2025..2200).contains(&year));
}

#[test]
fn broken_templates_say_so_on_one_line() {
    for (source, part) in [
        ("{% if %}", "syntax error"),
        ("{{ messages[0].content.nothing() }}", "nothing"),
        ("{{ missing.attribute }}", "undefined"),
        (
            "{{ raise_exception('two\nlines') }}",
            "refuses the messages: two lines",
        ),
        ("{% include 'x' %}", "include"),
        ("{{ '{:>9}'.format('x') }}", "not supported"),
        ("{{ messages | tojson(indent='x') }}", "cannot convert"),
        ("{{ missing | tojson }}", "not JSON"),
    ] {
        let error = render(source).unwrap_err().to_string();
        assert!(error.contains(part), "{source}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    for (file, text) in [
        (TOKENIZER_CONFIG, "{"),
        (TOKENIZER_CONFIG, "[]"),
        (TOKENIZER_CONFIG, r#"{"chat_template": 1}"#),
        (
            TOKENIZER_CONFIG,
            r#"{"chat_template": [{"name": "x", "template": "y"}]}"#,
        ),
        (TEMPLATE_JSON, "{}"),
        (TEMPLATE, "{% set a = [namespace()] %}"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(file), text).unwrap();
        let error = ChatTemplate::load(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{file}: {error}");
    }
}

/// Each of these takes for ever, gigabytes, or the process down, where it is not bounded.
#[test]
fn hostile_templates_end_with_one_line() {
    let nested = "{% set ns = namespace(x=[]) %}{% for a in range(90000) %}{% set ns.x = [ns.x] %}\
                  {% endfor %}";
    for source in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{% for b in range(100000) %}xxxxxxxxxx{% endfor %}{% endfor %}",
        "{{ 'x' * 100000000 }}",
        "{% set ns = namespace(x='ab') %}{% for a in range(60) %}{% set ns.x = ns.x ~ ns.x %}\
         {% endfor %}{{ ns.x }}",
        "{% for a in range(20) %}{{ 'x' * 1000000 }}{% endfor %}",
        "{{ ('a' * 1000000).replace('', 'b' * 1000000) }}",
        "{{ ('a' * 1000000).join(messages[0].role * 100000) }}",
        "{{ ('a' * 1000000).join(('b' * 100000) | list) }}",
        "{{ ('{0}' * 10000).format('a' * 1000000) }}",
        "{{ '{:>2000000000}'.format('a') }}",
        "{{ '%2000000000s' | format('a') }}",
        "{{ 'a\nb' | indent(2000000000) }}",
        "{{ [1] | tojson(indent=2000000000) }}",
        "{{ ([1] * 100000000) | tojson }}",
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
        "{{ 10 ** 100000000 }}",
        "{% set ns = namespace(x=1) %}{% set ns.x = ns %}{{ ns }}",
        &format!("{nested}{{{{ ns.x.missing.missing }}}}"),
        &format!("{{{{ {}1{} }}}}", "(".repeat(20000), ")".repeat(20000)),
        &"{% if 1 %}".repeat(10000),
        &format!("{{{{ x{} }}}}", "()".repeat(60000)),
    ] {
        let error = render(source).unwrap_err().to_string();
        assert!(!error.contains('\n') && error.len() < 600, "{error}");
    }
    // What may nest is printed and dropped.
    let printed = render(&format!("{nested}{{{{ ns.x }}}}{{{{ ns.x | tojson }}}}")).unwrap();
    assert_eq!(printed.len(), 4 * 90001);
    assert!(render(&format!("{{{{ {}1 }}}}", "-".repeat(120_000))).is_ok());
    assert!(render(&format!("{{{{ 1{} }}}}", " + 1".repeat(30_000))).is_ok());
}

/// Lists are joined lazily and indexed without fuel, so this one only the clock ends.
#[test]
fn the_deadline_stands_behind_the_fuel() {
    let source = "{% set ns = namespace(x=[1]) %}{% for a in range(22) %}\
                  {% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x[-1] }}";
    let started = std::time::Instant::now();
    let ended = engine::render_within(source, Map::new(), Duration::from_millis(100));
    assert!(started.elapsed() < Duration::from_secs(1));
    match ended {
        Err(engine::Failure::Broken(reason)) => assert!(reason.contains("0.1 s"), "{reason}"),
        _ => panic!("it ended"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_a_template_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for file in [TEMPLATE, TEMPLATE_JSON, TOKENIZER_CONFIG] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(file), &bytes).unwrap();
            if let Ok(Some(template)) = ChatTemplate::load(dir.path()) {
                let _ = template.render(&[Message::new("user", "hi")], false);
            }
        }
    }

    #[test]
    fn any_mix_of_jinja_renders_or_fails(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{{", "}}", "{%", "%}", "-", " ", "messages", "[0]", ".content", "|", "tojson", "for x in ",
            "endfor", "if ", "endif", "set x = ", "'a'", "(", ")", "~", "*", "9", "loop", "macro f()",
            "endmacro", "generation", "endgeneration", "raw", "endraw", ".replace", ".join", "{", "}",
        ]), 0..30)
    ) {
        let _ = render(&pieces.concat());
    }
}
