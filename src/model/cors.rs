//! Which web pages' scripts may call a hook and read its answers: the CORS protocol's side of a hook.

use serde::{Serialize, Serializer};
use serde_json::Value;

const MOST_ORIGINS: usize = 100;

/// The origins whose pages may read a hook's answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Cors {
    /// None: browsers keep the answers from the scripts of other origins' pages.
    #[default]
    Off,
    Any,
    Origins(Vec<Origin>),
}

/// `scheme://host[:port]`, as browsers write it in the `Origin` header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Origin(String);

impl Cors {
    pub fn is_off(&self) -> bool {
        *self == Self::Off
    }

    /// Whether a page of this origin may read the answers.
    pub fn allows(&self, origin: &str) -> bool {
        match self {
            Self::Off => false,
            Self::Any => true,
            Self::Origins(origins) => origins.iter().any(|Origin(allowed)| allowed == origin),
        }
    }

    /// Reads a list of origins, one of them, or `*`; null is none.
    pub(super) fn read(value: Value) -> Result<Self, String> {
        const SHAPE: &str = "must be \"*\" or a list of origins like https://app.example.org";
        let texts = match value {
            Value::Null => Vec::new(),
            Value::String(one) => vec![one],
            many => serde_json::from_value::<Vec<String>>(many).map_err(|_| SHAPE.to_owned())?,
        };
        if texts.iter().any(|text| text == "*") {
            return if texts.len() == 1 { Ok(Self::Any) } else { Err(format!("{SHAPE}, not both")) };
        }
        let mut origins = texts.into_iter().map(Origin::try_from).collect::<Result<Vec<_>, _>>()?;
        origins.dedup();
        match origins.len() {
            0 => Ok(Self::Off),
            1..=MOST_ORIGINS => Ok(Self::Origins(origins)),
            _ => Err(format!("must not have more than {MOST_ORIGINS} origins")),
        }
    }
}

/// What the API shows and the database keeps: `"*"`, or the list.
impl Serialize for Cors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.collect_seq(std::iter::empty::<&Origin>()),
            Self::Any => serializer.serialize_str("*"),
            Self::Origins(origins) => serializer.collect_seq(origins),
        }
    }
}

impl TryFrom<String> for Origin {
    type Error = String;

    /// Browsers write scheme and host in lowercase and leave out the scheme's own port (WHATWG URL, "origin"): so does this.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let lower = text.to_ascii_lowercase();
        let split = lower.split_once("://").filter(|(scheme, _)| is_scheme(scheme));
        let parsed = split.and_then(|(scheme, authority)| Some((scheme, host_and_port(authority)?)));
        let Some((scheme, (host, port))) = parsed else {
            let text = text.escape_debug();
            return Err(format!(
                "`{text}` is not an origin: write scheme://host or scheme://host:port, without a path"
            ));
        };
        let usual = match scheme {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        };
        let port = port.filter(|port| Some(*port) != usual).map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self(format!("{scheme}://{host}{port}")))
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The parts of `host[:port]`; an international name must be in its ASCII form, as it is in the header.
fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_address = |address: &str| {
        address.contains(':') && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.')
    };
    let legal = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(is_address),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    let port = match port {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse::<u16>().ok()?),
        Some(_) => return None,
        None => None,
    };
    (legal && port != Some(0)).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (given, shown) in [
            (json!(null), json!([])),
            (json!([]), json!([])),
            (json!("*"), json!("*")),
            (json!(["*"]), json!("*")),
            (json!("HTTPS://App.Example.org:443"), json!(["https://app.example.org"])),
            (json!(["http://127.0.0.1:80", "http://[::1]:8080"]), json!(["http://127.0.0.1", "http://[::1]:8080"])),
            (
                json!(["https://a.org:80", "capacitor://localhost"]),
                json!(["https://a.org:80", "capacitor://localhost"]),
            ),
        ] {
            let cors = Cors::read(given).unwrap();
            assert_eq!(serde_json::to_value(&cors).unwrap(), shown);
            assert_eq!(Cors::read(shown).unwrap(), cors);
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for bad in [
            "app.example.org",
            "https://",
            "https://a.org/",
            "https://a.org/path",
            "https://user@a.org",
            "https://a.org:",
            "https://a.org:0",
            "https://a.org:70000",
            "https://a.org:+80",
            "https://*.a.org",
            "https://bücher.example",
            "https://a.org\r\nX: y",
            "https://[::1",
            "https://[x]",
            "//a.org",
            "null",
            "",
        ] {
            assert!(Cors::read(json!([bad])).is_err(), "{bad:?}");
        }
        assert!(Cors::read(json!(["*", "https://a.org"])).is_err());
        assert!(Cors::read(json!(7)).is_err());
    }

    #[test]
    fn an_origin_is_allowed_as_a_whole() {
        let cors = Cors::read(json!(["https://a.org"])).unwrap();
        assert!(cors.allows("https://a.org"));
        for other in ["https://a.org.evil.net", "http://a.org", "https://a.org:8443", "https://evil-a.org", "null", ""]
        {
            assert!(!cors.allows(other), "{other}");
        }
        assert!(!Cors::Off.allows("https://a.org"));
    }
}
