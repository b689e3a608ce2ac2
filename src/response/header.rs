//! Which headers the answers that users make may have: those of notebooks and of inboxes.

/// Whether a header may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderRule {
    Allowed,
    /// It is the server's own to set.
    Reserved,
    /// Its name or value would break the answer.
    Illegal,
}

impl HeaderRule {
    #[must_use]
    pub fn of(name: &str, value: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        if !is_token(name) || !is_header_value(value) {
            Self::Illegal
        } else if RESERVED.contains(&lower.as_str()) || lower == "upgrade" || lower.starts_with("x-nbhook-") {
            Self::Reserved
        } else {
            Self::Allowed
        }
    }
}

/// Headers that a user may not set: those of the connection and the framing (RFC 9110, section 7.6.1), and those that keep
/// notebook-made pages apart from the manager.
const RESERVED: [&str; 16] = [
    "connection",
    "content-length",
    "content-security-policy",
    "content-security-policy-report-only",
    "clear-site-data",
    "date",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "server",
    "service-worker-allowed",
    "set-cookie",
    "strict-transport-security",
    "trailer",
    "transfer-encoding",
    "x-content-type-options",
];

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

pub(super) fn is_header_value(text: &str) -> bool {
    text.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b))
}
