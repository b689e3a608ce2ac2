//! Addresses that a hook is given: where its callers go next, and who is told of its runs.

use std::fmt;

use serde::Serialize;

/// An absolute http or https URL that callers are sent to after a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct NextUrl(String);

impl NextUrl {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NextUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_web_url(&text) { Ok(Self(text)) } else { Err("must be an absolute http or https URL".to_owned()) }
    }
}

/// Whether `text` is an absolute http(s) URL with a host, in visible ASCII only (RFC 3986), so it can stand in a header as it is.
fn is_web_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && text.bytes().all(|b| b.is_ascii_graphic())
        && !host.is_empty()
        && !host.starts_with(':')
}

/// An e-mail address of the shape `local@domain`, checked fully by the mailer when it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EmailAddress(String);

impl EmailAddress {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = String;

    /// Accepts RFC 5321's dot-string local part and a domain of letter-digit-hyphen labels: what a mail server will take.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let atext = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        let label = |part: &str| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let valid = text.rsplit_once('@').is_some_and(|(local, domain)| {
            local.len() <= 64
                && domain.len() <= 255
                && local.split('.').all(|part| !part.is_empty() && part.chars().all(atext))
                && domain.split('.').all(label)
        });
        if valid { Ok(Self(text)) } else { Err(format!("`{}` is not an e-mail address", text.escape_debug())) }
    }
}

impl fmt::Display for NextUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
