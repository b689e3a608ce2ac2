//! What an owner chooses of a callback, and how a request changes it: absent stays, null goes back to the default (RFC 7396).

use super::{Callback, CallbackConfig, CallbackHeader, CallbackId, CallbackMethod, CallbackScheme, Invalid, ProfileId};

/// What a request does to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    Keep,
    Clear,
    Set(T),
}

impl<T> Change<T> {
    /// What is there where nothing was stored.
    pub fn given(self) -> Option<T> {
        if let Self::Set(value) = self { Some(value) } else { None }
    }
}

impl<T: Clone> Change<T> {
    /// What is there then.
    fn over(&self, stored: Option<T>) -> Option<T> {
        match self {
            Self::Keep => stored,
            Self::Clear => None,
            Self::Set(value) => Some(value.clone()),
        }
    }
}

/// What an owner chooses of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackSetup {
    pub name: Option<String>,
    pub profile: Option<ProfileId>,
    pub fallback: Option<CallbackId>,
    pub enabled: bool,
    pub mode: CallbackScheme,
    pub config: CallbackConfig,
}

/// A header that a request sets. Its value shows nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderChange {
    pub name: String,
    /// None: the one that is stored.
    pub value: Option<String>,
}

impl std::fmt::Debug for HeaderChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ***", self.name)
    }
}

/// What a request sets of a callback. Its values are valid by themselves.
#[derive(Debug, Clone)]
pub struct CallbackChange {
    pub name: Change<String>,
    pub profile: Change<ProfileId>,
    pub fallback: Change<CallbackId>,
    pub enabled: Change<bool>,
    pub mode: Change<CallbackScheme>,
    pub config: Change<ConfigChange>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    pub url: Change<String>,
    pub method: Change<CallbackMethod>,
    pub headers: Change<Vec<HeaderChange>>,
    pub timeout: Change<u32>,
    pub rate_limit: Change<u32>,
}

impl CallbackChange {
    /// What the callback is then; without a stored one it is new.
    ///
    /// # Errors
    /// Names what is missing, or does not fit the rest.
    pub fn onto(&self, stored: Option<&CallbackSetup>) -> Result<CallbackSetup, Invalid> {
        let config = match (&self.config, stored) {
            (Change::Set(config), stored) => config.onto(stored.map(|stored| &stored.config))?,
            (Change::Keep, Some(stored)) => stored.config.clone(),
            (Change::Keep, None) => return Err(Invalid::new("config", "is missing")),
            (Change::Clear, _) => return Err(Invalid::new("config", "must be an object")),
        };
        let setup = CallbackSetup {
            name: self.name.over(stored.and_then(|stored| stored.name.clone())),
            profile: self.profile.over(stored.and_then(|stored| stored.profile)),
            fallback: self.fallback.over(stored.and_then(|stored| stored.fallback)),
            enabled: self.enabled.over(stored.map(|stored| stored.enabled)).unwrap_or(true),
            mode: self.mode.over(stored.map(|stored| stored.mode)).unwrap_or_else(|| CallbackScheme::of(&config.url)),
            config,
        };
        setup.mode.check(&setup.config.url)?;
        Ok(setup)
    }

    /// Whether it switches the callback on, whatever it was before.
    #[must_use]
    pub fn enables(&self) -> bool {
        matches!(self.enabled, Change::Set(true) | Change::Clear)
    }
}

impl ConfigChange {
    fn onto(&self, stored: Option<&CallbackConfig>) -> Result<CallbackConfig, Invalid> {
        let url = match (&self.url, stored) {
            (Change::Set(url), _) => url.clone(),
            (Change::Keep, Some(stored)) => stored.url.clone(),
            (Change::Keep, None) => return Err(Invalid::new("config.url", "is missing")),
            (Change::Clear, _) => return Err(Invalid::new("config.url", "must be a URL")),
        };
        let headers = match &self.headers {
            Change::Set(headers) => Some(self::headers(headers, stored)?),
            Change::Keep => stored.and_then(|stored| stored.headers.clone()),
            Change::Clear => None,
        };
        Ok(CallbackConfig {
            url,
            method: self.method.over(stored.map(|stored| stored.method)).unwrap_or_default(),
            headers,
            timeout: self.timeout.over(stored.and_then(|stored| stored.timeout)),
            rate_limit: self.rate_limit.over(stored.and_then(|stored| stored.rate_limit)),
        })
    }
}

/// The headers with their values: of several stored ones of a name, the first is kept first.
fn headers(changes: &[HeaderChange], stored: Option<&CallbackConfig>) -> Result<Vec<CallbackHeader>, Invalid> {
    let mut stored: Vec<&CallbackHeader> =
        stored.and_then(|stored| stored.headers.as_ref()).into_iter().flatten().collect();
    let mut headers = Vec::with_capacity(changes.len());
    for (number, HeaderChange { name, value }) in changes.iter().enumerate() {
        let value = if let Some(value) = value {
            value.clone()
        } else {
            let known = stored.iter().position(|header| header.name.eq_ignore_ascii_case(name));
            let known = known.ok_or_else(|| {
                let field = format!("config.headers[{number}].value");
                Invalid::new(field, "must be text: there is no value of a header of this name that could be kept")
            })?;
            stored.remove(known).value.clone()
        };
        headers.push(CallbackHeader { name: name.clone(), value });
    }
    Ok(headers)
}

impl CallbackScheme {
    /// Whether a URL is of this mode. What is no web URL at all is for others to tell.
    fn check(self, url: &str) -> Result<(), Invalid> {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match (self, scheme.as_deref()) {
            (Self::Https, Some("http")) => {
                Err(Invalid::new("config.url", "must be an https URL, as the callback's mode is HTTPS"))
            }
            (Self::Http, Some("https")) => {
                Err(Invalid::new("config.url", "must be an http URL, as the callback's mode is HTTP"))
            }
            _ => Ok(()),
        }
    }
}

impl Callback {
    /// What its owner has chosen of it.
    #[must_use]
    pub fn setup(&self) -> CallbackSetup {
        CallbackSetup {
            name: self.name.clone(),
            profile: self.profile,
            fallback: self.fallback,
            enabled: self.enabled,
            mode: self.mode,
            config: self.config.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unchanged() -> ConfigChange {
        ConfigChange {
            url: Change::Keep,
            method: Change::Keep,
            headers: Change::Keep,
            timeout: Change::Keep,
            rate_limit: Change::Keep,
        }
    }

    fn change(config: ConfigChange) -> CallbackChange {
        CallbackChange {
            name: Change::Keep,
            profile: Change::Keep,
            fallback: Change::Keep,
            enabled: Change::Keep,
            mode: Change::Keep,
            config: Change::Set(config),
        }
    }

    fn header(name: &str, value: Option<&str>) -> HeaderChange {
        HeaderChange { name: name.to_owned(), value: value.map(str::to_owned) }
    }

    fn stored() -> CallbackSetup {
        let headers = vec![header("Cookie", Some("a")), header("cookie", Some("b")), header("X-Kind", Some("c"))];
        let config = ConfigChange {
            url: Change::Set("https://example.org/".to_owned()),
            headers: Change::Set(headers),
            timeout: Change::Set(5),
            ..unchanged()
        };
        change(config).onto(None).unwrap()
    }

    #[test]
    fn what_is_absent_stays_and_null_goes_back_to_the_default() {
        let stored = stored();
        assert_eq!((stored.enabled, stored.mode), (true, CallbackScheme::Https));
        assert_eq!(change(unchanged()).onto(Some(&stored)).unwrap(), stored);
        let cleared = CallbackChange {
            name: Change::Set("n".to_owned()),
            enabled: Change::Set(false),
            ..change(ConfigChange { timeout: Change::Clear, headers: Change::Clear, ..unchanged() })
        };
        let now = cleared.onto(Some(&stored)).unwrap();
        assert_eq!((now.name.as_deref(), now.enabled, now.config.timeout), (Some("n"), false, None));
        assert_eq!((now.config.headers, &now.config.url), (None, &stored.config.url));
        let again = CallbackChange { enabled: Change::Clear, ..change(unchanged()) };
        assert!(again.enables() && again.onto(Some(&stored)).unwrap().enabled && !cleared.enables());
    }

    #[test]
    fn a_kept_header_is_the_one_of_its_name() {
        let kept = [header("COOKIE", None), header("X-New", Some("n")), header("Cookie", None), header("x-kind", None)];
        let kept = change(ConfigChange { headers: Change::Set(kept.into()), ..unchanged() });
        let now = kept.onto(Some(&stored())).unwrap().config.headers.unwrap();
        let values: Vec<_> = now.iter().map(|header| header.value.as_str()).collect();
        assert_eq!(values, ["a", "n", "b", "c"]);
        for unknown in [vec![header("X-Other", None)], vec![header("x-kind", None), header("X-Kind", None)]] {
            let number = unknown.len() - 1;
            let unknown = change(ConfigChange { headers: Change::Set(unknown), ..unchanged() });
            let refused = unknown.onto(Some(&stored())).unwrap_err();
            assert_eq!(refused.field, format!("config.headers[{number}].value"));
        }
    }

    #[test]
    fn what_is_missing_or_does_not_fit_is_named() {
        let field = |change: CallbackChange, stored: Option<&CallbackSetup>| change.onto(stored).unwrap_err().field;
        let stored = stored();
        assert_eq!(field(change(unchanged()), None), "config.url");
        assert_eq!(field(change(ConfigChange { url: Change::Clear, ..unchanged() }), Some(&stored)), "config.url");
        assert_eq!(field(CallbackChange { config: Change::Keep, ..change(unchanged()) }, None), "config");
        assert_eq!(field(CallbackChange { config: Change::Clear, ..change(unchanged()) }, Some(&stored)), "config");
        let plain = CallbackChange { mode: Change::Set(CallbackScheme::Http), ..change(unchanged()) };
        assert_eq!(field(plain.clone(), Some(&stored)), "config.url");
        let both = ConfigChange { url: Change::Set("HTTP://example.org/".to_owned()), ..unchanged() };
        assert_eq!(field(change(both.clone()), Some(&stored)), "config.url");
        assert!(CallbackChange { config: Change::Set(both), ..plain }.onto(Some(&stored)).is_ok());
    }
}
