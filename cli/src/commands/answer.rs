//! Answers as lines of text.

use std::fmt::Write;
use std::path::Path;

use fluxo_models::answer::{Answer, Entities, Labels, Masks, Next, Row, TOP, Vector, Written};

/// What was asked, and what was answered, in the order of the texts or images.
pub fn lines(answers: &[Answer], questions: &[String]) -> String {
    let mut told = String::new();
    for (at, answer) in answers.iter().enumerate() {
        let question = questions.get(at).map_or("", String::as_str);
        if !question.is_empty() {
            let _ = writeln!(told, "{question}");
        }
        match answer {
            Answer::Labels(labels) => ranked(labels, &mut told),
            Answer::Masks(masks) => filled(masks, &mut told),
            Answer::Span(span) => {
                let (from, to) = (span.start, span.end);
                let _ = writeln!(
                    told,
                    "  {:.4}  {}  (characters {from} to {to})",
                    span.score, span.answer
                );
            }
            Answer::Entities(entities) => tagged(entities, &mut told),
            Answer::Vector(vector) => placed(vector, &mut told),
            Answer::Next(next) => {
                let _ = writeln!(told, "  next token:");
                tokens(next, &mut told);
            }
            Answer::Written(text) => written(text, &mut told),
        }
    }
    told
}

/// What each answer is about: the texts, or the images' files.
pub fn questions(rows: &[Row], images: &[impl AsRef<Path>]) -> Vec<String> {
    if !images.is_empty() {
        let images = images.iter();
        return images
            .map(|image| image.as_ref().display().to_string())
            .collect();
    }
    let mut questions: Vec<String> = Vec::new();
    for row in rows.iter().filter(|row| !row.reading.ids.is_empty()) {
        // Further windows of one text are no further questions.
        if row.of == questions.len() {
            questions.push(match &row.pair {
                Some(pair) => format!("{} | {pair}", row.text),
                None => row.text.clone(),
            });
        }
    }
    questions
}

fn ranked(labels: &Labels, told: &mut String) {
    for label in labels.labels.iter().take(TOP) {
        let _ = writeln!(told, "  {:.4}  {}", label.score, label.label);
    }
    let more = labels.labels.len().saturating_sub(TOP);
    if more > 0 {
        let _ = writeln!(told, "  and {more} more, in --json");
    }
}

fn filled(masks: &Masks, told: &mut String) {
    if masks.masks.is_empty() {
        let mask = &masks.mask_token;
        let _ = writeln!(told, "  there is no {mask} in it: nothing to find");
        return;
    }
    let several = masks.masks.len() > 1;
    for mask in &masks.masks {
        if several {
            let _ = writeln!(told, "  token {}:", mask.index);
        }
        for token in &mask.tokens {
            let shown = quoted(&token.token_str);
            let sentence = if several { "" } else { &token.sequence };
            let line = format!("  {:.4}  {shown}  {sentence}", token.score);
            let _ = writeln!(told, "{}", line.trim_end());
        }
    }
    if several {
        let _ = writeln!(told, "  {}", masks.sentence);
    }
}

fn tagged(entities: &Entities, told: &mut String) {
    for token in &entities.tokens {
        let _ = writeln!(
            told,
            "  {:.4}  {}  {}",
            token.score, token.entity, token.word
        );
    }
    if entities.entities.is_empty() {
        let _ = writeln!(told, "  no entities");
        return;
    }
    let _ = writeln!(told, "  entities:");
    for entity in &entities.entities {
        let (from, to) = (entity.start, entity.end);
        let _ = writeln!(
            told,
            "  {:.4}  {}  {}  (characters {from} to {to})",
            entity.score, entity.entity_group, entity.word
        );
    }
}

fn placed(vector: &Vector, told: &mut String) {
    let (dimension, pooling) = (vector.dimension, &vector.pooling);
    let _ = write!(
        told,
        "  {dimension} numbers ({pooling}), norm {:.4}",
        vector.norm
    );
    if vector.cosines.len() > 1 {
        let cosines: Vec<_> = vector.cosines.iter().map(|c| format!("{c:.4}")).collect();
        let _ = write!(told, ", cosines {}", cosines.join(" "));
    }
    told.push('\n');
}

fn tokens(next: &Next, told: &mut String) {
    for token in &next.next {
        let shown = match &token.token_str {
            Some(text) => quoted(text),
            None => token.token.to_string(),
        };
        let _ = writeln!(told, "  {:.4}  {shown}", token.score);
    }
}

fn written(written: &Written, told: &mut String) {
    let numbers = || {
        let ids: Vec<_> = written.ids.iter().map(u32::to_string).collect();
        ids.join(",")
    };
    let text = written.text.clone().unwrap_or_else(numbers);
    let _ = writeln!(told, "  {}", text.trim());
    if !written.ended {
        let _ = writeln!(
            told,
            "  (not ended after {} tokens; `fluxo generate` writes more)",
            written.ids.len()
        );
    }
}

/// A token with what is white in it.
fn quoted(token: &str) -> String {
    format!("{token:?}")
}

#[cfg(test)]
mod tests {
    use fluxo_models::answer::{Function, Label};

    use super::*;

    #[test]
    fn many_labels_are_cut() {
        let label = |at: usize| Label {
            label: format!("LABEL_{at}"),
            score: 1.0 / (at + 1) as f64,
            logit: 0.0,
        };
        let labels = Labels {
            labels: (0..7).map(label).collect(),
            function: Function::Softmax,
        };
        let told = lines(&[Answer::Labels(labels)], &["a text".into()]);
        assert_eq!(told.lines().count(), 1 + TOP + 1, "{told}");
        assert!(told.starts_with("a text\n  1.0000  LABEL_0\n"), "{told}");
        assert!(told.ends_with("and 2 more, in --json\n"), "{told}");
    }
}
