//! The `Prefer` header (RFC 7240): whether and how long a caller waits.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;

use crate::model::Invalid;
use crate::service::Prefer;

/// Longest wait, in seconds: proxies and clients give up on a silent connection after some time.
const LONGEST: u32 = 600;

/// What the header says; what it says that is not known here is passed over (RFC 7240, section 2).
///
/// # Errors
/// `Invalid` for a `wait` that is no number of seconds.
pub(super) fn of(header: &str) -> Result<Prefer, Invalid> {
    let mut prefer = Prefer::default();
    for preference in header.split(',') {
        let preference = preference.split(';').next().unwrap_or_default().trim();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        let value = value.trim().trim_matches('"');
        // Of one that is there twice the first counts.
        match name.trim().to_ascii_lowercase().as_str() {
            "respond-async" => prefer.respond_async = true,
            "wait" if prefer.wait.is_none() => {
                if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(Invalid::new("Prefer", "wait must be a whole number of seconds, e.g. wait=30"));
                }
                // What no number can hold is long enough.
                prefer.wait = Some(value.parse().unwrap_or(LONGEST).min(LONGEST));
            }
            _ => {}
        }
    }
    Ok(prefer)
}

/// `Preference-Applied` of an answer.
pub(super) fn applied(prefer: Prefer, status: StatusCode) -> Option<HeaderValue> {
    let accepted = prefer.respond_async && status == StatusCode::ACCEPTED;
    let applied = match (accepted, prefer.wait) {
        (true, Some(wait)) => format!("respond-async, wait={wait}"),
        (true, None) => "respond-async".to_owned(),
        (false, Some(wait)) => format!("wait={wait}"),
        (false, None) => return None,
    };
    HeaderValue::try_from(applied).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_as_rfc_7240_writes_them() {
        for (header, respond_async, wait) in [
            ("", false, None),
            ("respond-async", true, None),
            ("Respond-Async; foo, WAIT=10", true, Some(10)),
            ("wait=\"5\", wait=7", false, Some(5)),
            ("return=minimal, wait = 3", false, Some(3)),
            ("wait=100000", false, Some(LONGEST)),
            ("wait=99999999999999999999", false, Some(LONGEST)),
        ] {
            assert_eq!(of(header).unwrap(), Prefer { respond_async, wait }, "{header:?}");
        }
        for header in ["wait", "wait=", "wait=-1", "wait=1.5", "wait=+1", "wait=soon"] {
            assert_eq!(of(header).unwrap_err().field, "Prefer", "{header:?}");
        }
    }
}
