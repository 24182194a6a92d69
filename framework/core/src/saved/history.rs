//! Histories in JSON, which has no word for numbers that are not finite.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

type History = IndexMap<String, Vec<f64>>;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Number(f64),
    Word(String),
}

pub(super) fn serialize<S: Serializer>(history: &History, to: S) -> Result<S::Ok, S::Error> {
    let entry = |x: &f64| match x.is_finite() {
        true => Entry::Number(*x),
        false => Entry::Word(x.to_string()),
    };
    let entries = |(k, v): (_, &Vec<f64>)| (k, v.iter().map(entry).collect::<Vec<_>>());
    to.collect_map(history.iter().map(entries))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<History, D::Error> {
    let number = |entry| match entry {
        Entry::Number(x) => Ok(x),
        Entry::Word(word) => {
            word.parse().map_err(|_| Error::custom(format!("`{word}` in a history")))
        }
    };
    let entries = IndexMap::<String, Vec<Entry>>::deserialize(from)?;
    let series = |(k, v): (String, Vec<Entry>)| {
        Ok((k, v.into_iter().map(number).collect::<Result<_, _>>()?))
    };
    entries.into_iter().map(series).collect()
}
