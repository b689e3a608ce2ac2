//! Server-sent events as nbhook's server writes them (WHATWG HTML, section 9.2).

use super::error::CliError;

/// Longest event that is read, in bytes.
const LARGEST: usize = 16 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: String,
    /// Its kind.
    pub(super) name: String,
    pub(super) data: String,
}

/// Puts the pieces that come together again.
#[derive(Debug, Default)]
pub(super) struct Parser(Vec<u8>);

impl Parser {
    /// The events that this piece completes.
    ///
    /// # Errors
    /// When what comes is no text, or has no end.
    pub(super) fn read(&mut self, piece: &[u8]) -> Result<Vec<Told>, CliError> {
        self.0.extend_from_slice(piece);
        let mut told = Vec::new();
        while let Some(end) = self.0.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.0.drain(..end + 2).collect();
            let block = String::from_utf8(block).map_err(|_| CliError::Answer("events are no text".to_owned()))?;
            told.extend(event(&block));
        }
        if self.0.len() > LARGEST {
            return Err(CliError::Answer("an event has no end".to_owned()));
        }
        Ok(told)
    }
}

/// None for a comment, which keeps the connection alive.
fn event(block: &str) -> Option<Told> {
    let field =
        |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_start);
    let name = field("event").unwrap_or("message").to_owned();
    Some(Told { id: field("id")?.to_owned(), name, data: field("data")?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_put_together() {
        let text = ": reading\n\nid: 1\nevent: a\ndata: {\"ü\": 1}\n\n: still there\n\nid: 2\nevent: b\ndata: {}\n\n";
        let expected = [("1", "{\"ü\": 1}"), ("2", "{}")];
        for size in [1, 7, 1_000] {
            let mut parser = Parser::default();
            let told: Vec<Told> = text.as_bytes().chunks(size).flat_map(|piece| parser.read(piece).unwrap()).collect();
            let told: Vec<_> = told.iter().map(|told| (told.id.as_str(), told.data.as_str())).collect();
            assert_eq!(told, expected);
        }
        assert!(Parser::default().read(b"\xff\n\n").is_err());
    }
}
