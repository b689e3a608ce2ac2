//! Identifiers.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Invalid;

/// Defines an id, a UUID version 7: sortable by the time it was made.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// A hook: a notebook deployed as a URL.
    HookId
);
uuid_id!(
    /// One execution of a hook.
    RunId
);
uuid_id!(
    /// A person or program that owns hooks.
    UserId
);
uuid_id!(
    /// An API token (its id, never its value).
    TokenId
);

uuid_id!(
    /// Something that happened. Ids are given in the order in which events are committed.
    EventId
);
uuid_id!(
    /// What binds events to a callback.
    SubscriptionId
);
uuid_id!(
    /// When a hook runs by itself.
    ScheduleId
);
uuid_id!(
    /// A dependency or an asset.
    StoredId
);
uuid_id!(
    /// An event on its way to a callback.
    DeliveryId
);

uuid_id!(
    /// A mail that a user had the server send.
    NotificationId
);

impl EventId {
    /// Reads the id of an event as a place among events, whether or not it is kept. Ids of another kind have no place.
    #[must_use]
    pub fn from_position(text: &str) -> Option<Self> {
        text.parse().ok().filter(|Self(id)| id.get_version_num() == 7)
    }
}

/// Defines an id that counts from 1.
macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            #[must_use]
            pub fn from_number(number: i64) -> Self {
                Self(number)
            }

            #[must_use]
            pub fn number(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse::<u32>().map(|number| Self(number.into()))
            }
        }
    };
}

number_id!(
    /// A URL that is called when something happens.
    CallbackId
);
number_id!(
    /// Those who look after callbacks.
    ProfileId
);

/// Names one version or one output of a hook: `%Y%m%d%H%M%S%f` in UTC, 20 digits.
///
/// Strictly increasing per hook, so its order is the order of time even when two come within a microsecond.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Histo(String);

const HISTO_FORMAT: &str = "%Y%m%d%H%M%S%6f";

impl Histo {
    /// The histo for `now`, pushed to just behind `last` when the clock has not moved past it.
    #[must_use]
    pub fn next(now: DateTime<Utc>, last: Option<&Self>) -> Self {
        let now = now.naive_utc();
        let at = match last.and_then(Self::time) {
            Some(last) if last >= truncate_to_micros(now) => last + Duration::microseconds(1),
            _ => now,
        };
        Self(at.format(HISTO_FORMAT).to_string())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn time(&self) -> Option<NaiveDateTime> {
        // chrono cannot parse digits that run on without a separator, so the fraction is split off first.
        let (seconds, micros) = self.0.split_at_checked(14)?;
        let time = NaiveDateTime::parse_from_str(seconds, "%Y%m%d%H%M%S").ok()?;
        Some(time + Duration::microseconds(micros.parse().ok()?))
    }
}

fn truncate_to_micros(time: NaiveDateTime) -> NaiveDateTime {
    time - Duration::nanoseconds(i64::from(time.and_utc().timestamp_subsec_nanos() % 1000))
}

impl FromStr for Histo {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let histo = Self(text.to_owned());
        let digits = text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit());
        if digits && histo.time().is_some() {
            Ok(histo)
        } else {
            Err(Invalid::new("histo", "expected 20 digits: %Y%m%d%H%M%S%f in UTC"))
        }
    }
}

impl fmt::Display for Histo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn histo_has_twenty_digits_and_increases_when_the_clock_stands_still() {
        let now = Utc.with_ymd_and_hms(2025, 3, 9, 1, 2, 3).unwrap() + Duration::nanoseconds(45_678_901);
        let first = Histo::next(now, None);
        assert_eq!(first.as_str(), "20250309010203045678");
        let second = Histo::next(now, Some(&first));
        let third = Histo::next(now - Duration::hours(1), Some(&second));
        assert_eq!([second.as_str(), third.as_str()], ["20250309010203045679", "20250309010203045680"]);
        assert_eq!(first.as_str().parse::<Histo>().unwrap(), first);
    }

    #[test]
    fn histo_refuses_what_is_no_time() {
        for text in [
            "",
            "2025",
            "20251309010203045678",
            "2025030901020304567x",
            "202503090102030456789",
            "../../etc/passwd12345",
        ] {
            assert!(text.parse::<Histo>().is_err(), "{text:?}");
        }
    }
}
