//! Resources that are there as few media types only (RFC 9110, section 15.5.7).

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT;

use super::error::ApiError;
use crate::service::Accept;

pub(super) const HAL: &str = "application/hal+json";
pub(super) const JSON: &str = "application/json";

/// The first of the media types that the client takes best.
///
/// # Errors
/// Not acceptable, when it takes none of them.
pub(super) fn chosen<'a>(request: &HttpRequest, offered: &[&'a str]) -> Result<&'a str, ApiError> {
    let values = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    let accept = Accept::parse(&values.collect::<Vec<_>>().join(","));
    let mut best: Option<&'a str> = None;
    for media_type in offered.iter().copied().filter(|media_type| accept.quality(media_type) > 0.0) {
        if best.is_none_or(|best| accept.prefers(media_type, best)) {
            best = Some(media_type);
        }
    }
    best.ok_or_else(|| ApiError::not_acceptable(offered.first().copied().unwrap_or_default()))
}
