//! What mail needs to be told, and the reading of it.

use std::fmt;
use std::path::PathBuf;

use lettre::message::Mailbox;
use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use reqwest::Url;

/// How mail is sent.
#[derive(Clone)]
pub struct MailSettings {
    /// `smtp://user:password@host:587?tls=required` (STARTTLS), `?tls=opportunistic`, `smtps://…` (TLS from the start) or
    /// `smtp://host:25` (no encryption); none means files in `dir`. A password is never sent unencrypted over a
    /// network: without `?tls=`, a URL with a password means `tls=required`, except to this machine.
    pub url: Option<String>,
    /// The sender, e.g. `nbhook <nbhook@example.org>`.
    pub from: String,
    /// Where mails go as `.eml` files when there is no `url`.
    pub dir: PathBuf,
}

/// A mail setting that cannot be used. Names neither the user nor the password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    #[error("`{0}` is not a sender: use an address such as `nbhook@example.org` or `nbhook <nbhook@example.org>`")]
    From(String),
    #[error(
        "the SMTP URL is not valid ({0}): use smtp://user:password@host:port?tls=required or smtps://user:password@host:port, with special characters of the password percent-encoded"
    )]
    Url(&'static str),
}

impl MailSettings {
    /// The transport that `url` describes, to be finished.
    pub(super) fn smtp(&self) -> Result<Option<AsyncSmtpTransportBuilder>, SettingsError> {
        let Some(text) = &self.url else { return Ok(None) };
        let url = checked(text)?;
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str());
        builder.map(Some).map_err(|_| SettingsError::Url("it names a server that TLS cannot be used with"))
    }

    pub(super) fn sender(&self) -> Result<Mailbox, SettingsError> {
        sender(&self.from)
    }
}

pub(super) fn sender(text: &str) -> Result<Mailbox, SettingsError> {
    text.parse().map_err(|_| SettingsError::From(text.to_owned()))
}

/// The URL, of a kind that lettre knows, with encryption when it holds a password.
fn checked(text: &str) -> Result<Url, SettingsError> {
    let mut url = Url::parse(text).map_err(|_| SettingsError::Url("it is not a URL"))?;
    if !matches!(url.scheme(), "smtp" | "smtps") {
        return Err(SettingsError::Url("its scheme is neither smtp nor smtps"));
    }
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err(SettingsError::Url("it has no host"));
    };
    let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    if url.username().is_empty() != url.password().is_none() {
        return Err(SettingsError::Url("it has a user without a password or a password without a user"));
    }
    let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    match tls.as_deref() {
        None if url.scheme() == "smtp" && url.password().is_some() && !local => url.set_query(Some("tls=required")),
        None | Some("required" | "opportunistic") => {}
        Some(_) => return Err(SettingsError::Url("its tls= is neither required nor opportunistic")),
    }
    Ok(url)
}

/// An international domain name in its ASCII form (RFC 5891); anything else as it is.
pub(super) fn ascii_domain(domain: &str) -> String {
    let url = Url::parse(&format!("https://{domain}/")).ok().filter(|_| !domain.is_ascii());
    url.as_ref().and_then(Url::host_str).unwrap_or(domain).to_owned()
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL that is not understood may hold the password anywhere.
        let server = self.url.as_deref().map(|text| match checked(text) {
            Ok(url) => format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default()),
            Err(_) => "not valid".to_owned(),
        });
        f.debug_struct("MailSettings").field("url", &server).field("from", &self.from).field("dir", &self.dir).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> MailSettings {
        MailSettings {
            url: Some(url.to_owned()),
            from: "nbhook <n@example.org>".to_owned(),
            dir: PathBuf::from("mail"),
        }
    }

    #[test]
    fn neither_debug_nor_an_error_shows_the_password() {
        for url in [
            "smtp://bob:hunter2@mail.example.org:25",
            "bob:hunter2@mail.example.org:25",
            "smtp://bob:hunter2@",
            "http://bob:hunter2@mail.example.org",
            "smtp://bob:hunter2@mail.example.org?tls=hunter2",
            "smtp://:hunter2@mail.example.org",
            "smtp://hunter2@mail.example.org",
        ] {
            let settings = settings(url);
            let error = settings.smtp().err().map(|error| error.to_string());
            let shown = format!("{settings:?} {error:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("bob"), "{shown}");
            assert_eq!(error.is_some(), url != "smtp://bob:hunter2@mail.example.org:25", "{url}");
        }
    }

    #[test]
    fn a_password_leaves_this_machine_only_encrypted() {
        let query = |url: &str| checked(url).unwrap().query().map(str::to_owned);
        assert_eq!(query("smtp://a:b@mail.example.org").as_deref(), Some("tls=required"));
        assert_eq!(query("smtp://a:b@mail.example.org?tls=opportunistic").as_deref(), Some("tls=opportunistic"));
        assert_eq!(query("smtp://a:b@127.0.0.1:1025"), None);
        assert_eq!(query("smtp://mail.example.org"), None);
        assert_eq!(query("smtps://a:b@mail.example.org"), None);
    }

    #[test]
    fn international_domains_become_ascii() {
        assert_eq!(ascii_domain("bücher.example"), "xn--bcher-kva.example");
        assert_eq!(ascii_domain("Example.org"), "Example.org");
    }

    #[test]
    fn senders_are_read() {
        assert!(sender("nbhook <nbhook@example.org>").is_ok() && sender("nbhook@localhost").is_ok());
        assert!(sender("nbhook").is_err() && sender("a@b.c\r\nBcc: d@e.f").is_err());
    }
}
