//! `/assets/{token}`: files for everyone who has their URL.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue,
};
use actix_web::{HttpRequest, HttpResponse, web};

use super::error::ApiError;
use super::{reply, send_file, versions};
use crate::model::{AssetToken, Histo};
use crate::service::{Error, Service};

/// Caches ask before they give it again: it may have a new version, or be deleted.
const CACHE: HeaderValue = HeaderValue::from_static("public, no-cache");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

pub(super) async fn live(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&service, &request, None).await
}

pub(super) async fn pinned(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let histo = versions::histo(&request).map_err(|_| ApiError::not_found("asset"))?;
    answer(&service, &request, Some(&histo)).await
}

/// Pages of all origins may read it: whoever has the URL has the file.
pub(super) async fn options() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ALLOW, METHODS))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, "Range, If-Range, If-None-Match, If-Modified-Since"))
        .finish()
}

async fn answer(service: &Service, request: &HttpRequest, histo: Option<&Histo>) -> Result<HttpResponse, ApiError> {
    let token = request.match_info().get("token").and_then(|token| token.parse::<AssetToken>().ok());
    let token = token.ok_or_else(|| ApiError::not_found("asset"))?;
    let (asset, content) = service.asset(&token, histo).await?;
    let mut response = send_file::send(request, content.file, &content.digest, StatusCode::OK).map_err(Error::from)?;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, CACHE);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = "ETag, Content-Length, Content-Range, Accept-Ranges, Content-Disposition";
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    describe(&mut response, asset.path.file_name(), asset.inline);
    Ok(response)
}

/// What a file is, and what browsers may do with it.
pub(super) fn describe(response: &mut HttpResponse, name: &str, inline: bool) {
    let media_type = mime_guess::from_path(name).first_or_octet_stream();
    let text = media_type.type_() == "text" && media_type.get_param("charset").is_none();
    let media_type = if text { format!("{media_type}; charset=utf-8") } else { media_type.to_string() };
    if let Ok(media_type) = HeaderValue::from_str(&media_type) {
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    reply::dispose(response.headers_mut(), inline, name);
    reply::protect(response.headers_mut());
}
