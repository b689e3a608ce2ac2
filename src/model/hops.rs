//! How many deliveries of this server's have led to something: what a delivery brings about may have deliveries itself, and might go
//! round for ever.

/// The header that says so.
pub const HOPS_HEADER: &str = "nbhook-hops";

/// Deliveries one behind another.
const MOST: u32 = 5;

/// How many led to a request, by its headers; none if they are too many.
#[must_use]
pub fn hops<'a>(mut headers: impl Iterator<Item = (&'a str, &'a str)>) -> Option<u32> {
    let told = headers.find(|(name, _)| name.eq_ignore_ascii_case(HOPS_HEADER));
    let hops = told.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default();
    (hops <= MOST).then_some(hops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_how_many() {
        for (headers, expected) in [
            (vec![], Some(0)),
            (vec![("a", "7"), ("Nbhook-Hops", "5")], Some(5)),
            (vec![("nbhook-hops", "6")], None),
            (vec![("nbhook-hops", "x")], Some(0)),
        ] {
            assert_eq!(hops(headers.clone().into_iter()), expected, "{headers:?}");
        }
    }
}
