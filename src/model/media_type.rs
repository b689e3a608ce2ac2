//! What a media type says of its content.

/// Whether it is `application/json` or of its kin, as `application/problem+json` is (RFC 6839, section 3.1). Parameters and case do
/// not matter.
#[must_use]
pub fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_media_type() {
        for (media_type, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/json-ish", false),
            ("text/html", false),
        ] {
            assert_eq!(is_json(media_type), expected, "{media_type}");
        }
    }
}
