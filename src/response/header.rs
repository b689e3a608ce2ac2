//! Which headers the answers that users make may have: those of notebooks and of inboxes.
//!
//! Any header may be set but those that do more than speak of their own answer: what a browser takes as the word of the whole
//! origin, where the manager and other people's hooks are, and what a proxy in front takes as an order. A list of those that may be set would
//! leave out what only the callers of a hook know of; so the list here has the others, by families where new ones are to be expected.

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
        } else if is_reserved(&lower) || (lower == "content-type" && !is_media_type(value)) {
            Self::Reserved
        } else {
            Self::Allowed
        }
    }

    #[must_use]
    pub fn allows(name: &str, value: &str) -> bool {
        Self::of(name, value) == Self::Allowed
    }
}

fn is_reserved(lower: &str) -> bool {
    [&CONNECTION[..], &SERVER, &ORIGIN].iter().any(|names| names.contains(&lower))
        || RESERVED_FAMILIES.iter().any(|family| lower.starts_with(family))
}

/// Of the connection and the framing (RFC 9110, section 7.6.1).
const CONNECTION: [&str; 7] =
    ["connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// What the server says itself.
const SERVER: [&str; 6] =
    ["authentication-control", "authentication-info", "date", "server", "www-authenticate", "x-content-type-options"];

/// What browsers take as the word of the whole origin, or of what comes next: whom to tell its URLs (which are secrets here),
/// where else to find it, what it wants to know of the browser, and who is signed in.
const ORIGIN: [&str; 18] = [
    "accept-ch",
    "accept-ch-lifetime",
    "activate-storage-access",
    "alt-svc",
    "clear-site-data",
    "critical-ch",
    "document-policy",
    "document-policy-report-only",
    "expect-ct",
    "nel",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "require-document-policy",
    "service-worker-allowed",
    "speculation-rules",
    "strict-transport-security",
    "use-as-dictionary",
];

/// Beginnings of names of which none may be set.
const RESERVED_FAMILIES: [&str; 23] = [
    // browsers, for the whole origin
    "ad-auction-",
    "attribution-reporting-",
    "content-security-policy",
    "x-content-security-policy",
    "x-webkit-csp",
    "optional-www-",
    "origin-", // Origin-Agent-Cluster, Origin-Trial
    "public-key-pins",
    "sec-",
    "secure-session-",
    "set-", // Set-Cookie, Set-Cookie2, Set-Login
    "shared-storage-",
    // proxies, as orders: to answer with a file of theirs or another URL, to hold back the next calls
    "proxy-",
    "x-accel-",
    "x-appengine-",
    "x-envoy-",
    "x-lighttpd-",
    "x-litespeed-",
    "x-lsadc-",
    "x-proxy-",
    "x-reproxy-",
    "x-sendfile",
    // this server
    "x-nbhook-",
];

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn is_header_value(text: &str) -> bool {
    text.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b))
}

/// Media types of bodies whose parts have headers of their own that browsers go by, `Set-Cookie` among them.
const WITH_HEADERS_INSIDE: [&str; 3] = ["multipart/x-mixed-replace", "multipart/mixed", "multipart/byteranges"];

/// Whether an answer may be of this type. Browsers go by the last of several; so no such type may stand anywhere.
pub(super) fn is_media_type(text: &str) -> bool {
    let lower: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>().to_ascii_lowercase();
    is_header_value(text) && !WITH_HEADERS_INSIDE.iter().any(|kind| lower.contains(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a list")]
    fn what_speaks_for_the_origin_or_orders_a_proxy_may_not_be_set_and_all_else_may() {
        for reserved in [
            // whom browsers tell the origin's URLs, and where else they look for it
            "NEL",
            "Report-To",
            "Reporting-Endpoints",
            "Alt-Svc",
            "Expect-CT",
            "Use-As-Dictionary",
            "Speculation-Rules",
            // sessions, sign-in and state of the origin
            "Set-Cookie",
            "Set-Cookie2",
            "Set-Login",
            "Sec-Session-Registration",
            "Secure-Session-Registration",
            "Secure-Session-Challenge",
            "WWW-Authenticate",
            "Optional-WWW-Authenticate",
            "Authentication-Info",
            "Clear-Site-Data",
            "Activate-Storage-Access",
            "Shared-Storage-Write",
            "Attribution-Reporting-Register-Source",
            "Accept-CH",
            "Accept-CH-Lifetime",
            "Critical-CH",
            "Origin-Agent-Cluster",
            "Origin-Trial",
            "Strict-Transport-Security",
            "Public-Key-Pins",
            "Public-Key-Pins-Report-Only",
            "Service-Worker-Allowed",
            // what keeps an answer apart
            "Content-Security-Policy",
            "Content-Security-Policy-Report-Only",
            "X-Content-Security-Policy",
            "X-WebKit-CSP",
            "X-Content-Type-Options",
            "Document-Policy",
            "Document-Policy-Report-Only",
            "Refresh",
            // orders for proxies
            "X-Accel-Redirect",
            "X-Accel-Expires",
            "X-Accel-Buffering",
            "X-Accel-Charset",
            "X-Accel-Limit-Rate",
            "X-Sendfile",
            "X-Sendfile-Temporary",
            "X-Lighttpd-Send-File",
            "X-LiteSpeed-Location",
            "X-Reproxy-URL",
            "X-Envoy-Immediate-Health-Check-Fail",
            "Proxy-Authenticate",
            "Proxy-Connection",
            "Proxy-Status",
            // the connection
            "Connection",
            "Content-Length",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "Date",
            "Server",
            "X-Nbhook-Run",
        ] {
            for name in [reserved.to_owned(), reserved.to_ascii_lowercase(), reserved.to_ascii_uppercase()] {
                assert_eq!(HeaderRule::of(&name, "x"), HeaderRule::Reserved, "{name}");
            }
        }
        for allowed in [
            "X-Total",
            "X-Acceleration",
            "X-Send",
            "toto",
            "Access-Control-Allow-Origin",
            "Cache-Control",
            "Content-Disposition",
            "Content-Language",
            "Content-Location",
            "Cross-Origin-Embedder-Policy",
            "Cross-Origin-Opener-Policy",
            "Cross-Origin-Resource-Policy",
            "Deprecation",
            "ETag",
            "Expires",
            "Last-Modified",
            "Link",
            "Location",
            "Permissions-Policy",
            "RateLimit-Limit",
            "Referrer-Policy",
            "Retry-After",
            "Server-Timing",
            "Settled",
            "Sunset",
            "Timing-Allow-Origin",
            "Vary",
            "WebHook-Allowed-Origin",
            "X-Frame-Options",
            "X-Robots-Tag",
        ] {
            assert_eq!(HeaderRule::of(allowed, "x"), HeaderRule::Allowed, "{allowed}");
        }
        for (name, value) in
            [("", "x"), ("X A", "x"), ("X-A:", "x"), ("X-A", "a\r\nb"), ("X-A", "\u{e9}"), ("X-A", "\0")]
        {
            assert_eq!(HeaderRule::of(name, value), HeaderRule::Illegal, "{name:?}: {value:?}");
        }
    }

    #[test]
    fn a_body_whose_parts_have_headers_may_not_be_set_as_a_type() {
        for bad in [
            "multipart/x-mixed-replace; boundary=x",
            " Multipart/X-Mixed-Replace;boundary=x",
            "text/html, multipart/x-mixed-replace; boundary=x",
            "multipart/ x-mixed-replace",
            "multipart/mixed; boundary=x",
            "multipart/byteranges; boundary=x",
        ] {
            assert!(!is_media_type(bad), "{bad}");
            assert_eq!(HeaderRule::of("Content-Type", bad), HeaderRule::Reserved, "{bad}");
        }
        for good in ["text/html", "application/vnd.api+json; ext=\"x\"", "multipart/form-data; boundary=x"] {
            assert_eq!(HeaderRule::of("content-type", good), HeaderRule::Allowed, "{good}");
        }
        assert_eq!(HeaderRule::of("Content-Type", "text/\nhtml"), HeaderRule::Illegal);
    }
}
