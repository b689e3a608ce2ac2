//! The `Accept` header (RFC 9110, section 12.5.1).

/// What a caller would like to get.
#[derive(Debug, Clone, Default)]
pub struct Accept(Vec<Range>);

#[derive(Debug, Clone)]
struct Range {
    kind: String,
    subtype: String,
    quality: f32,
}

impl Accept {
    /// Reads the header tolerantly: what cannot be understood is passed over; nothing means anything.
    #[must_use]
    pub fn parse(header: &str) -> Self {
        Self(header.split(',').filter_map(Range::parse).collect())
    }

    /// How much `media_type` is wanted, 0 to 1: the quality of the most specific range that holds it.
    #[must_use]
    pub fn quality(&self, media_type: &str) -> f32 {
        if self.0.is_empty() {
            return 1.0;
        }
        let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
        self.0
            .iter()
            .filter_map(|range| range.specificity(kind, subtype).map(|specificity| (specificity, range.quality)))
            .max_by_key(|(specificity, _)| *specificity)
            .map_or(0.0, |(_, quality)| quality)
    }

    /// Whether the caller wants `media_type` more than `other`.
    #[must_use]
    pub fn prefers(&self, media_type: &str, other: &str) -> bool {
        self.quality(media_type) > self.quality(other)
    }
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(Some(1.0), |q| q.parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q)))?;
        Some(Self { kind: kind.to_ascii_lowercase(), subtype: subtype.to_ascii_lowercase(), quality })
    }

    fn specificity(&self, kind: &str, subtype: &str) -> Option<u8> {
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", "*") => Some(0),
            (mine, "*") if mine == kind => Some(1),
            (mine, sub) if mine == kind && sub == subtype => Some(2),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_range_counts() {
        let accept = Accept::parse("text/*;q=0.5, text/html, */*;q=0.1, application/json;q=0");
        for (media_type, quality) in
            [("text/html", 1.0), ("text/plain", 0.5), ("image/png", 0.1), ("application/json", 0.0)]
        {
            assert!((accept.quality(media_type) - quality).abs() < 1e-6, "{media_type}");
        }
    }

    #[test]
    fn browsers_prefer_html_and_curl_does_not() {
        let browser = Accept::parse("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        assert!(browser.prefers("text/html", "text/markdown"));
        for header in ["", "*/*", "nonsense", "text/markdown, text/html;q=0.5", "text/html;q=7"] {
            assert!(!Accept::parse(header).prefers("text/html", "text/markdown"), "{header:?}");
        }
    }
}
