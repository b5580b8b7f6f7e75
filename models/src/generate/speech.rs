//! What Whisper's texts start with (arXiv:2212.04356, section 2.3): the language, the task, and
//! that no times are wanted. As in transformers' `WhisperGenerationMixin`.

use serde_json::Value;

use super::constraints::Start;
use super::reader::Reader;
use crate::error::Result;

/// What follows the start token: what `language` and `task` say, else `forced_decoder_ids`. A
/// language that nothing names is the one that the model hears.
pub(super) fn prompt(reader: &Reader<'_>) -> Result<Vec<Start>> {
    let languages = reader.own("lang_to_id");
    let (language, task) = (reader.own("language"), reader.own("task"));
    let mut prompt = Vec::new();
    let mut heard = languages.value.is_some();
    if let Some(value) = language.value {
        let name = value.as_str().ok_or_else(|| language.wrong("a language"))?;
        let id = languages.value.and_then(|ids| ids.get(token_of(name)));
        let id = id.ok_or_else(|| language.wrong("a language of `lang_to_id`"))?;
        prompt.extend(languages.number(id)?.map(Start::Token));
        heard = false;
    } else if task.value.is_none() {
        let forced = forced(reader)?;
        if let Some(Some(_)) = forced.first() {
            heard = false;
        }
        // In the place of the language there may be none.
        let known = forced.into_iter().skip(usize::from(heard)).flatten();
        prompt.extend(known.map(Start::Token));
    }
    if heard && let Some(Value::Object(ids)) = languages.value {
        let ids = ids.values().map(|id| languages.number(id).transpose());
        let ids: Result<Vec<u32>> = ids.flatten().collect();
        prompt.insert(0, Start::LikeliestOf(ids?));
    }
    let task_name = match (task.value, language.value) {
        (None, Some(_)) => Some("transcribe"),
        (None, None) => None,
        (Some(value), _) => Some(value.as_str().ok_or_else(|| task.wrong("a task"))?),
    };
    let tasks = reader.own("task_to_id");
    if let (Some(name), Some(ids)) = (task_name, tasks.value) {
        let id = ids.get(name);
        let id = id.ok_or_else(|| task.wrong("a task of `task_to_id`"))?;
        prompt.extend(tasks.number(id)?.map(Start::Token));
    }
    let no_times = reader.own("no_timestamps_token_id").token()?;
    let no_times = no_times.map(Start::Token);
    if no_times.is_some() && prompt.last() != no_times.as_ref() {
        prompt.extend(no_times);
    }
    Ok(prompt)
}

/// The tokens of `forced_decoder_ids` behind the start token, `null`s included.
fn forced(reader: &Reader<'_>) -> Result<Vec<Option<u32>>> {
    let entry = reader.either("forced_decoder_ids");
    let wrong = || entry.wrong("pairs of place and token, the places 1, 2, … in order");
    let pairs = match entry.value {
        None => return Ok(Vec::new()),
        Some(Value::Array(pairs)) => pairs,
        Some(_) => return Err(wrong()),
    };
    let mut tokens = Vec::with_capacity(pairs.len());
    for (place, pair) in (1..).zip(pairs) {
        if pair.get(0).and_then(Value::as_u64) != Some(place) {
            return Err(wrong());
        }
        tokens.push(match pair.get(1) {
            None | Some(Value::Null) => None,
            Some(token) => entry.number(token)?,
        });
    }
    Ok(tokens)
}

/// A language's token: `<|en|>` for itself, `en` and `english`.
fn token_of(name: &str) -> String {
    let name = name.to_lowercase();
    if name.starts_with("<|") {
        return name;
    }
    let of_name = LANGUAGES.split(',').find_map(|language| {
        let (code, known) = language.split_once(' ')?;
        (known == name).then_some(code)
    });
    format!("<|{}|>", of_name.unwrap_or(&name))
}

/// Whisper's languages: code and name.
const LANGUAGES: &str = "en english,zh chinese,de german,es spanish,ru russian,ko korean,\
    fr french,ja japanese,pt portuguese,tr turkish,pl polish,ca catalan,nl dutch,ar arabic,\
    sv swedish,it italian,id indonesian,hi hindi,fi finnish,vi vietnamese,he hebrew,\
    uk ukrainian,el greek,ms malay,cs czech,ro romanian,da danish,hu hungarian,ta tamil,\
    no norwegian,th thai,ur urdu,hr croatian,bg bulgarian,lt lithuanian,la latin,mi maori,\
    ml malayalam,cy welsh,sk slovak,te telugu,fa persian,lv latvian,bn bengali,sr serbian,\
    az azerbaijani,sl slovenian,kn kannada,et estonian,mk macedonian,br breton,eu basque,\
    is icelandic,hy armenian,ne nepali,mn mongolian,bs bosnian,kk kazakh,sq albanian,\
    sw swahili,gl galician,mr marathi,pa punjabi,si sinhala,km khmer,sn shona,yo yoruba,\
    so somali,af afrikaans,oc occitan,ka georgian,be belarusian,tg tajik,sd sindhi,\
    gu gujarati,am amharic,yi yiddish,lo lao,uz uzbek,fo faroese,ht haitian creole,ps pashto,\
    tk turkmen,nn nynorsk,mt maltese,sa sanskrit,lb luxembourgish,my myanmar,bo tibetan,\
    tl tagalog,mg malagasy,as assamese,tt tatar,haw hawaiian,ln lingala,ha hausa,ba bashkir,\
    jw javanese,su sundanese,yue cantonese,my burmese,ca valencian,nl flemish,ht haitian,\
    lb letzeburgesch,ps pushto,pa panjabi,ro moldavian,ro moldovan,si sinhalese,es castilian,\
    zh mandarin";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_known_by_code_and_name() {
        for name in ["<|ht|>", "ht", "Haitian Creole", "haitian"] {
            assert_eq!(token_of(name), "<|ht|>");
        }
        assert_eq!(token_of("klingon"), "<|klingon|>");
    }
}
