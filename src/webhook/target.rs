//! Where a request goes: a user's URL, parsed, and held against the policy as far as it says itself where that is.

use std::net::{IpAddr, Ipv6Addr};

use reqwest::Url;

use super::Outcome;
use super::policy::OutboundPolicy;

const LONGEST: usize = 2_048;

/// Why nothing can be sent to a URL. The texts repeat at most its host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{0}")]
    Malformed(String),
    /// The server's policy is against it.
    #[error("{0}")]
    Forbidden(String),
    /// The host's name leads nowhere, now.
    #[error("{0}")]
    Unresolvable(String),
}

impl From<Refused> for Outcome {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Malformed(text) | Refused::Unresolvable(text) => Self::Failed(text),
            Refused::Forbidden(text) => Self::Refused(text),
        }
    }
}

impl Refused {
    pub(super) fn address(host: &str) -> Self {
        Self::Forbidden(format!(
            "`{host}` is on an internal or special network, which this server sends nothing to unless its setting outbound.allow says so"
        ))
    }
}

/// An absolute http or https URL without credentials.
#[derive(Debug)]
pub(super) struct Target(Url);

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, Refused> {
        let malformed = |why: &str| Refused::Malformed(why.to_owned());
        if text.len() > LONGEST {
            return Err(Refused::Malformed(format!("the URL has more than {LONGEST} bytes")));
        }
        // The parser would drop or replace these, and go where a reader does not see it go.
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(malformed("the URL has spaces, control characters or backslashes"));
        }
        let authority = authority(text).ok_or_else(|| malformed("it must be an absolute http or https URL"))?;
        if authority.contains('@') {
            return Err(malformed("the URL must not hold a user or password: send them in a header"));
        }
        let mut url = Url::parse(text).map_err(|error| Refused::Malformed(format!("it is not a URL: {error}")))?;
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// Holds the scheme, and an address in place of a name, against the policy.
    pub(super) fn check(&self, policy: &OutboundPolicy) -> Result<(), Refused> {
        if self.0.scheme() != "https" && !policy.allow_http {
            return Err(Refused::Forbidden("this server sends to https URLs only".to_owned()));
        }
        match self.address() {
            Some(address) if !policy.permits(address) => Err(Refused::address(self.host())),
            _ => Ok(()),
        }
    }

    /// The host's name, unless it is an address.
    pub(super) fn name(&self) -> Option<&str> {
        self.address().is_none().then(|| self.host())
    }

    pub(super) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    pub(super) fn into_url(self) -> Url {
        self.0
    }

    fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The address that stands in place of a name. The parser has written each of its forms (`0x7f.1`, `2130706433`) as
    /// the connector, which does the same as here, will read it.
    fn address(&self) -> Option<IpAddr> {
        let host = self.host();
        match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(host) => host.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => host.parse().ok(),
        }
    }
}

/// What stands between `http(s)://` and the path, if there is anything.
fn authority(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, allow: &[&str]) -> Result<(), Refused> {
        let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
        Target::parse(url)?.check(&OutboundPolicy { allow, allow_http: false })
    }

    #[test]
    fn an_address_is_seen_in_every_spelling() {
        for (host, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0177.0.0.01", "127.0.0.1"),
            ("%31%32%37.0.0.1", "127.0.0.1"),
            ("１２７.0.0.1", "127.0.0.1"),
            ("127。0。0。1", "127.0.0.1"),
            ("0", "0.0.0.0"),
            ("169.254.169.254", "169.254.169.254"),
            ("0xa9fea9fe", "169.254.169.254"),
            ("[::1]", "::1"),
            ("[0:0::0:1]", "::1"),
            ("[::]", "::"),
            ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
            ("[::ffff:7f00:1]", "::ffff:127.0.0.1"),
            ("[::127.0.0.1]", "::127.0.0.1"),
            ("[64:ff9b::a9fe:a9fe]", "64:ff9b::a9fe:a9fe"),
            ("[fd00:ec2::254]", "fd00:ec2::254"),
            ("[fe80::1]", "fe80::1"),
        ] {
            for (url, address) in [(format!("https://{host}/a"), address), (format!("HTTPS://{host}:8443?q"), address)]
            {
                let target = Target::parse(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
                assert_eq!(target.address(), Some(address.parse().unwrap()), "{url}");
                assert!(matches!(check(&url, &[]), Err(Refused::Forbidden(_))), "{url}");
            }
        }
        assert_eq!(check("https://2130706433/", &["127.0.0.1"]), Ok(()));
        assert_eq!(check("https://[::ffff:127.0.0.1]/", &["127.0.0.0/8"]), Ok(()));
        assert_eq!(check("https://8.8.8.8:1/", &[]), Ok(()));
    }

    #[test]
    fn only_whole_web_urls_without_credentials_are_taken() {
        for bad in [
            "",
            "example.org",
            "/path",
            "//example.org/",
            "ftp://example.org/",
            "file:///etc/passwd",
            "https:example.org",
            "https:///example.org",
            "https://",
            "https://?q",
            "https://exa mple.org/",
            "https://exa\tmple.org/",
            " https://example.org/",
            "https://example.org\\@127.0.0.1/",
            "https://user@example.org/",
            "https://user:hush@example.org/",
            "https://@example.org/",
            "https://8.8.8.8@127.0.0.1/",
            "https://[::1/",
            "https://[fe80::1%25eth0]/",
            "https://1.2.3.4.5/",
            "https://example.org:65536/",
            "https://:443/",
            &format!("https://example.org/{}", "a".repeat(LONGEST)),
        ] {
            let Err(Refused::Malformed(text)) = check(bad, &[]) else { panic!("{bad} is not malformed") };
            assert!(!text.contains("hush"), "{text}");
        }
        for good in ["https://example.org", "https://bücher.example:444/a?b=c@d#e", "HTTPS://a:1"] {
            assert_eq!(check(good, &[]), Ok(()), "{good}");
        }
        assert!(matches!(check("http://example.org/", &[]), Err(Refused::Forbidden(_))));
        assert_eq!(Target::parse("http://a/b#c").unwrap().into_url().as_str(), "http://a/b");
    }
}
