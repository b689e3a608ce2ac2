//! Headers that users add to their requests.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::model::HOPS_HEADER;

/// Headers that are the sender's own, as they say where a message begins and ends and whom it is for.
const OWN: [&str; 15] = [
    "host",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-authenticate",
    "proxy-connection",
    "http2-settings",
    HOPS_HEADER,
];
const OWN_PREFIX: &str = "webhook-";
const LONGEST_NAME: usize = 200;
const LONGEST_VALUE: usize = 8_000;

/// What is wrong with a header that a user wants to be sent, if anything is. Holds nothing of its value.
#[must_use]
pub fn header_problem(name: &str, value: &str) -> Option<String> {
    parse(name, value).err()
}

/// Those that can be sent; others, which creation would have refused, are left out.
pub(super) fn read(headers: &[(String, String)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter().filter_map(|(name, value)| parse(name, value).ok()) {
        map.append(name, value);
    }
    map
}

fn parse(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).ok().filter(|_| name.len() <= LONGEST_NAME);
    let Some(parsed) = parsed else {
        return Err(format!("the name of a header must be 1 to {LONGEST_NAME} letters, digits or !#$%&'*+-.^_`|~"));
    };
    if OWN.contains(&parsed.as_str()) || parsed.as_str().starts_with(OWN_PREFIX) {
        return Err(format!("the header `{parsed}` is set by the server itself"));
    }
    let fits = value.len() <= LONGEST_VALUE && value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    match HeaderValue::from_str(value).ok().filter(|_| fits) {
        Some(mut value) => {
            value.set_sensitive(true);
            Ok((parsed, value))
        }
        None => {
            Err(format!("the value of `{parsed}` must be up to {LONGEST_VALUE} visible ASCII characters or spaces"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_the_message_or_its_signature_is_refused() {
        for (name, value) in [("X-Api-Key", "hush"), ("authorization", "Bearer a b"), ("Content-Type", "text/plain")] {
            assert_eq!(header_problem(name, value), None, "{name}");
        }
        let long = "hush".repeat(2_001);
        for (name, value) in [
            ("Webhook-Signature", "hush"),
            ("webhook-anything", "hush"),
            ("Nbhook-Hops", "hush"),
            ("HOST", "hush"),
            ("Content-Length", "5"),
            ("transfer-encoding", "chunked"),
            ("Connection", "keep-alive"),
            ("", "hush"),
            ("X Key", "hush"),
            ("X-Key:", "hush"),
            ("X-Key\r\nHost", "hush"),
            ("X-Key", "hush\r\nHost: hush"),
            ("X-Key", "hush\0"),
            ("X-Key", "hüsh"),
            ("X-Key", &long),
        ] {
            let problem = header_problem(name, value).unwrap_or_else(|| panic!("{name:?} is accepted"));
            assert!(!problem.contains("hush"), "{problem}");
        }
    }
}
