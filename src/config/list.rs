//! Lists, which the environment has as text with commas.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// A list, or one text with commas between its items.
pub(super) fn comma_separated<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a list, or text with commas")]
    enum Given {
        One(Item),
        List(Vec<Item>),
    }
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected text or a number from 0 on")]
    enum Item {
        Text(String),
        Number(u64),
    }
    let text = |item| match item {
        Item::Text(text) => text,
        Item::Number(number) => number.to_string(),
    };
    let items: Vec<String> = match Given::deserialize(deserializer)? {
        Given::One(item) => {
            text(item).split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
        Given::List(list) => list.into_iter().map(text).collect(),
    };
    let parse = |item: &String| item.parse().map_err(|error| de::Error::custom(format!("`{item}`: {error}")));
    items.iter().map(parse).collect()
}
