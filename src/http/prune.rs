//! `/v1/prune`: removing what exceeds its bounds, now.

use actix_web::{HttpRequest, HttpResponse, web};

use super::auth::Authenticated;
use super::body;
use super::error::ApiError;
use crate::service::Service;

pub(super) async fn prune(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let dry_run = body::flag(&request, "dry_run", false)?;
    Ok(HttpResponse::Ok().json(service.prune(&caller, dry_run).await?))
}
