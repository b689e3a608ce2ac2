//! `/v1/notifications`: mails that users and their runs have the server send.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use super::auth::{Authenticated, OrRun};
use super::body;
use super::error::ApiError;
use super::fields::Fields;
use super::hooks::Id;
use super::list::ListQuery;
use super::multipart::{self, Part};
use super::reply;
use crate::model::{Caller, EmailAddress, Invalid, MailRecord, MailState, NotificationId, Owner, Role};
use crate::service::{LARGEST_MAIL, NewNotification, Service};

/// Longest subject, in characters.
const LONGEST_SUBJECT: usize = 300;
/// What a form needs around the mail, in bytes.
const AROUND: usize = 64 << 10;

/// What is on record of a mail; admins, who see everyone's, are told whose it is.
pub(super) fn view(caller: &Caller, mail: &MailRecord) -> Value {
    let mut view = json!({
        "id": mail.id,
        "state": mail.state,
        "email_to": mail.to,
        "subject": mail.subject,
        "files": mail.files,
        "size": mail.size,
        "run": mail.run,
        "attempts": mail.attempts,
        "error": mail.error,
        "created_at": reply::time(mail.created_at),
        "finished_at": mail.finished_at.map(reply::time),
    });
    if caller.role == Role::Admin {
        view["user"] = json!(mail.owner_name);
    }
    view
}

pub(super) async fn send(
    OrRun(caller, run): OrRun,
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let limit = service.body_limit().min(LARGEST_MAIL + AROUND);
    let new = if body::media_type(&request) == "multipart/form-data" {
        from_parts(multipart::parts_up_to(&request, payload, &service, limit).await?)?
    } else {
        let bytes = body::up_to(&request, payload, &service, limit).await?;
        wished(super::json::parse("body", &bytes)?, Vec::new())?
    };
    let mail = service.notify(&caller, run, new).await?;
    let location = format!("/v1/notifications/{}", mail.id);
    Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).json(view(&caller, &mail)))
}

fn from_parts(parts: Vec<Part>) -> Result<NewNotification, Invalid> {
    let (mut meta, mut files) = (None, Vec::new());
    for part in parts {
        match part.name.as_str() {
            "meta" if meta.is_none() => meta = Some(super::json::parse("meta", &part.content)?),
            "meta" => return Err(Invalid::new("meta", "is there twice")),
            "file" => {
                let name = part.filename.ok_or_else(|| Invalid::new("file", "must have a file name"))?;
                files.push((name, part.content));
            }
            other => {
                let why = "is not a part of a notification: send meta and file";
                return Err(Invalid::new(super::fields::told(other), why));
            }
        }
    }
    wished(meta.ok_or_else(|| Invalid::new("meta", "is missing"))?, files)
}

/// What the fields of a notification say.
fn wished(map: Map<String, Value>, files: Vec<(String, Vec<u8>)>) -> Result<NewNotification, Invalid> {
    let mut fields = Fields::of_map(map);
    let one = |value: &Value| EmailAddress::try_from(value.as_str()?.to_owned()).ok();
    let many = |value: &Value| match value {
        Value::Array(all) => all.iter().map(one).collect(),
        one_only => one(one_only).map(|address| vec![address]),
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let to = fields.take("email_to", "must be an e-mail address or a list of them", many)?.given();
    let new = NewNotification {
        to: to.ok_or_else(|| Invalid::new("email_to", "is missing"))?,
        subject: fields
            .line("subject", LONGEST_SUBJECT)?
            .given()
            .ok_or_else(|| Invalid::new("subject", "is missing"))?,
        html: fields.take("html", "must be text", text)?.given(),
        text: fields.take("text", "must be text", text)?.given(),
        from: fields.take("email_from", "must be an e-mail address", one)?.given(),
        files,
    };
    fields.end()?;
    Ok(new)
}

pub(super) async fn list(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut query = ListQuery::of(&request)?;
    let user = query.filter::<Owner>("user", "must be the name of a user")?;
    let state = query.filter::<MailState>("state", "must be queued, sent or failed")?;
    let mails = service.notifications(&caller, user.as_ref(), state, query.page).await?;
    let items: Vec<_> = mails.iter().map(|mail| view(&caller, mail)).collect();
    query.answer("id", &items)
}

pub(super) async fn show(
    Authenticated(caller): Authenticated,
    service: web::Data<Service>,
    id: Id<NotificationId>,
) -> Result<HttpResponse, ApiError> {
    let mail = service.notification(&caller, id.0).await?;
    Ok(HttpResponse::Ok().json(view(&caller, &mail)))
}
