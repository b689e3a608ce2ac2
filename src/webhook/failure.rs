//! What an error of the HTTP client means, in words that can be shown.

use std::error::Error;

use super::Outcome;
use super::target::Refused;

/// Longest text about a failure, in bytes.
const LONGEST: usize = 500;
/// What the client says of any failure, before its cause.
const PREAMBLE: [&str; 2] = ["error sending request", "client error ("];

/// How the attempt ended that gave this error.
pub(super) fn outcome(error: reqwest::Error) -> Outcome {
    // The URL may hold secrets.
    let error = error.without_url();
    if let Some(refused) = causes(&error).find_map(|cause| cause.downcast_ref::<Refused>()) {
        return refused.clone().into();
    }
    if error.is_timeout() {
        return Outcome::TimedOut;
    }
    Outcome::Failed(describe(&error))
}

/// The causes, the outermost first, each once. None of them has a URL, a header or an address.
fn describe(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for text in causes(error).map(ToString::to_string) {
        let is_preamble = PREAMBLE.iter().any(|preamble| text.starts_with(preamble));
        if !is_preamble && !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    let mut text = if parts.is_empty() { "the request could not be sent".to_owned() } else { parts.join(": ") };
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source())
}
