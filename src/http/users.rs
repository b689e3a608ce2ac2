//! `/v1/users` and `/v1/tokens`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::auth::Authenticated;
use super::error::ApiError;
use super::hooks::Id;
use super::list::ListQuery;
use super::{body, reply};
use crate::model::{Invalid, Owner, Page, Role, TokenId, TokenInfo, User};
use crate::service::Service;

pub(super) fn show_user(user: &User) -> serde_json::Value {
    json!({"id": user.id, "name": user.name, "role": user.role, "created_at": reply::time(user.created_at)})
}

pub(super) fn show_token(token: &TokenInfo) -> serde_json::Value {
    json!({"id": token.id, "name": token.name, "user": token.user, "created_at": reply::time(token.created_at)})
}

/// The part of a short list that was asked for.
fn page<T>(items: Vec<T>, page: Page) -> impl Iterator<Item = T> {
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    items.into_iter().skip(size(page.offset)).take(size(page.limit))
}

pub(super) async fn me(Authenticated(caller): Authenticated) -> HttpResponse {
    HttpResponse::Ok().json(json!({"name": caller.name, "role": caller.role}))
}

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = ListQuery::of(&request)?;
    let users = service.users(&caller).await?;
    let items: Vec<_> = page(users, query.page).map(|user| show_user(&user)).collect();
    query.answer_in("name", "asc", &items)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    name: String,
    role: Role,
}

pub(super) async fn create(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let new: NewUser = body::json(payload, &service).await?;
    let user = service.create_user(&caller, new.name.parse()?, new.role).await?;
    Ok(HttpResponse::Created().json(show_user(&user)))
}

pub(super) async fn tokens(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut query = ListQuery::of(&request)?;
    let user = query.filter::<Owner>("user", "must be the name of a user")?;
    let tokens = service.tokens(&caller, user.as_ref()).await?;
    let items: Vec<_> = page(tokens, query.page).map(|token| show_token(&token)).collect();
    query.answer("id", &items)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
    user: Option<String>,
}

pub(super) async fn issue(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let new: NewToken = body::json(payload, &service).await?;
    let user = new.user.map(|user| user.parse::<Owner>()).transpose();
    let user = user.map_err(|error| Invalid::new("user", error.message))?;
    let issued = service.issue_token(&caller, new.name, user.as_ref()).await?;
    let mut view = show_token(&issued.info);
    view["token"] = issued.token.expose().into();
    Ok(HttpResponse::Created().json(view))
}

pub(super) async fn revoke(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<TokenId>,
) -> Result<HttpResponse, ApiError> {
    service.revoke_token(&caller, id.0).await?;
    Ok(HttpResponse::Ok().json(json!({"success": true})))
}
