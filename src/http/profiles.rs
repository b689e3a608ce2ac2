//! `/v1/profiles`: make, list, show, change, delete.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::auth::Authenticated;
use super::error::ApiError;
use super::fields::Fields;
use super::hooks::Id;
use super::list::ListQuery;
use super::reply;
use crate::model::{Caller, Change, EmailAddress, Invalid, Owner, Profile, ProfileId, Role};
use crate::service::{NewProfile, Service};

/// Longest name of a profile, in characters.
const LONGEST_NAME: usize = 200;

/// What a change may have as it was read, and not otherwise.
const READ_ONLY: &[&str] = &["id", "created_at", "user"];

/// A profile; admins, who see everyone's, are told whose it is.
pub(super) fn view(caller: &Caller, (profile, user): &(Profile, Owner)) -> Value {
    let mut view = json!({
        "id": profile.id,
        "name": profile.name,
        "support_email": profile.support_email,
        "created_at": reply::time(profile.created_at),
    });
    if caller.role == Role::Admin {
        view["user"] = json!(user);
    }
    view
}

/// Name and address, where they are given.
struct Wanted {
    name: Option<String>,
    support_email: Option<EmailAddress>,
}

impl Wanted {
    fn take(fields: &mut Fields) -> Result<Self, Invalid> {
        let name = given("name", fields.line("name", LONGEST_NAME)?)?;
        if name.as_ref().is_some_and(String::is_empty) {
            return Err(Invalid::new("name", "must not be empty"));
        }
        let email = fields.take("support_email", "must be an e-mail address", |value| {
            EmailAddress::try_from(value.as_str()?.to_owned()).ok()
        });
        Ok(Self { name, support_email: given("support_email", email?)? })
    }
}

/// A field that a profile cannot be without.
fn given<T>(field: &str, change: Change<T>) -> Result<Option<T>, Invalid> {
    match change {
        Change::Keep => Ok(None),
        Change::Set(value) => Ok(Some(value)),
        Change::Clear => Err(Invalid::new(field, "must not be null")),
    }
}

pub(super) async fn create(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let mut fields = Fields::of_body(payload, &service).await?;
    let Wanted { name, support_email } = Wanted::take(&mut fields)?;
    let user = fields.user()?;
    fields.end()?;
    let name = name.ok_or_else(|| Invalid::new("name", "is missing"))?;
    let support_email = support_email.ok_or_else(|| Invalid::new("support_email", "is missing"))?;
    let made = service.create_profile(&caller, NewProfile { name, support_email, user }).await?;
    let location = format!("/v1/profiles/{}", made.0.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(view(&caller, &made)))
}

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut query = ListQuery::of(&request)?;
    let user = query.filter::<Owner>("user", "must be the name of a user")?;
    let name = query.filter::<String>("filters[name]", "must be text")?;
    let profiles = service.profiles(&caller, user.as_ref(), name.as_deref(), query.page).await?;
    let items: Vec<_> = profiles.iter().map(|profile| view(&caller, profile)).collect();
    query.answer("id", &items)
}

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<ProfileId>,
) -> Result<HttpResponse, ApiError> {
    let found = service.profile(&caller, id.0).await?;
    Ok(HttpResponse::Ok().json(view(&caller, &found)))
}

pub(super) async fn change(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<ProfileId>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let mut fields = Fields::of_body(payload, &service).await?;
    fields.pass_over(READ_ONLY, &view(&caller, &service.profile(&caller, id.0).await?))?;
    let Wanted { name, support_email } = Wanted::take(&mut fields)?;
    fields.end()?;
    let changed = service.change_profile(&caller, id.0, name.as_deref(), support_email.as_ref()).await?;
    Ok(HttpResponse::Ok().json(view(&caller, &changed)))
}

pub(super) async fn delete(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<ProfileId>,
) -> Result<HttpResponse, ApiError> {
    service.delete_profile(&caller, id.0).await?;
    Ok(HttpResponse::Ok().json(json!({"success": true})))
}
