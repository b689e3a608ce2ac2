//! What is kept of an answer: the beginning of its body, as text, and two of its headers.

use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER};

use super::{KEPT_OF_ANSWER, RetryAfter};
use crate::model::is_json;

/// An answer, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) is_json: bool,
    pub(super) retry_after: Option<RetryAfter>,
    body: Vec<u8>,
}

impl Answer {
    /// Reads as much as is kept. A body that breaks off ends there: the status has said what matters. The rest goes
    /// unread, with its connection.
    pub(super) async fn read(&mut self, mut response: Response) {
        self.is_json = text(response.headers(), &CONTENT_TYPE).is_some_and(is_json);
        self.retry_after = text(response.headers(), &RETRY_AFTER).and_then(RetryAfter::parse);
        // One byte more than is kept shows whether the last character is whole.
        while self.body.len() <= KEPT_OF_ANSWER {
            let Ok(Some(chunk)) = response.chunk().await else { break };
            let room = KEPT_OF_ANSWER + 1 - self.body.len();
            self.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
    }

    /// The body as text, without what a database does not take, and no longer than [`KEPT_OF_ANSWER`] in bytes.
    pub(super) fn into_text(self) -> String {
        let mut text = String::from_utf8_lossy(&self.body).replace('\0', "\u{fffd}");
        if text.len() > KEPT_OF_ANSWER {
            text.truncate(text.floor_char_boundary(KEPT_OF_ANSWER));
        }
        text
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_cut_between_characters_and_has_no_nul() {
        let text = |body: &[u8]| Answer { body: body.to_vec(), ..Answer::default() }.into_text();
        assert_eq!(text(b"a\0b\xffc"), "a\u{fffd}b\u{fffd}c");
        let cut = text("é".repeat(KEPT_OF_ANSWER).as_bytes());
        assert_eq!(cut, "é".repeat(KEPT_OF_ANSWER / 2));
        assert_eq!(text(format!("x{}", "é".repeat(KEPT_OF_ANSWER)).as_bytes()).len(), KEPT_OF_ANSWER - 1);
        assert!(text(&vec![0xff; KEPT_OF_ANSWER]).len() <= KEPT_OF_ANSWER);
    }
}
