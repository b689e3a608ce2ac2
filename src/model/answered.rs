//! What a hook was seen to answer.

/// The status and the media type of answers that a hook's successful runs gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// None when the notebook answered nothing: its caller got the server's own answer.
    pub media_type: Option<String>,
}
