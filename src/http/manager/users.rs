//! Users, and the tokens that they call the API with.

use actix_web::HttpResponse;
use serde_json::json;

use super::page::Page;
use crate::http::error::ApiError;
use crate::http::users::{show_token, show_user};
use crate::model::Role;

/// The users whom the reader may act for: everyone for an admin, else nobody.
pub(super) async fn names(page: &Page) -> Result<Vec<String>, ApiError> {
    if page.caller.role != Role::Admin {
        return Ok(Vec::new());
    }
    let users = page.service.users(&page.caller).await?;
    Ok(users.into_iter().map(|user| user.name.to_string()).collect())
}

/// For admins only.
pub(super) async fn list(page: Page) -> Result<HttpResponse, ApiError> {
    let users: Vec<_> = page.service.users(&page.caller).await?.iter().map(show_user).collect();
    page.render("users", json!({"users": users}))
}

/// What there is of tokens, but not the tokens: those are told once, when they are made.
pub(super) async fn tokens(page: Page) -> Result<HttpResponse, ApiError> {
    let tokens: Vec<_> = page.service.tokens(&page.caller, None).await?.iter().map(show_token).collect();
    page.render("tokens", json!({"tokens": tokens, "users": names(&page).await?}))
}
