//! The HTTP interface. This file is the route table; every other file is one resource.
//!
//! It parses requests into the model's types, calls one use case, and writes what comes of it. It decides nothing.

mod accept;
mod assets;
mod auth;
mod body;
mod call;
mod callbacks;
mod captured;
mod compression;
mod cors;
mod declared;
mod deliveries;
mod documents;
mod embedded;
mod error;
mod events;
mod fields;
mod happened;
mod hooks;
mod inbox;
mod inboxes;
mod json;
mod list;
mod manager;
mod multipart;
mod notifications;
mod operations;
mod outputs;
mod prefer;
mod profiles;
mod prune;
mod received;
mod reply;
mod runs;
mod schedules;
mod secrets;
mod send_file;
mod server;
mod stored;
mod subscribe;
mod subscriptions;
mod tasks;
mod topics;
mod unrun;
mod users;
mod versions;

use actix_web::body::{BoxBody, EitherBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, CONTENT_TYPE};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpResponse, Resource, ResponseError as _, web};

pub use server::{Server, start};

use error::ApiError;

fn routes(config: &mut web::ServiceConfig) {
    for group in [public, hooks, runs, more, beside, personal, files, manager::pages] {
        group(config);
    }
    config.default_service(web::to(nothing_here));
}

/// For whoever knows the URL.
fn public(config: &mut web::ServiceConfig) {
    config
        .service(
            on("/hooks/{token}")
                .route(web::get().to(call::live))
                .route(web::post().to(call::live))
                .route(web::put().to(call::live))
                .route(web::patch().to(call::live))
                .route(web::delete().to(call::live))
                .route(web::head().to(unrun::head))
                .route(web::method(Method::OPTIONS).to(unrun::options)),
        )
        .service(
            on("/hooks/{token}/versions/{histo}")
                .route(web::get().to(call::pinned))
                .route(web::post().to(call::pinned))
                .route(web::put().to(call::pinned))
                .route(web::patch().to(call::pinned))
                .route(web::delete().to(call::pinned))
                .route(web::head().to(unrun::head))
                .route(web::method(Method::OPTIONS).to(unrun::options)),
        )
        .service(on("/hooks/{token}/openapi.json").route(web::get().to(documents::of_hook)))
        .service(on("/hooks/{token}/docs").route(web::get().to(documents::page_of_hook)))
        .service(
            on("/inbox/{uuid}")
                .route(web::get().to(inbox::capture))
                .route(web::post().to(inbox::capture))
                .route(web::put().to(inbox::capture))
                .route(web::patch().to(inbox::capture))
                .route(web::delete().to(inbox::capture))
                .default_service(web::to(inbox::capture)), // HEAD, OPTIONS, and whatever else there is
        )
        .service(on("/openapi.json").route(web::get().to(documents::of_api)))
        .service(on("/asyncapi.json").route(web::get().to(documents::of_events)))
        .service(on("/docs").route(web::get().to(documents::page_of_api)))
        .service(on("/docs/assets/{name}").route(web::get().to(documents::asset)))
        .service(on("/healthz").route(web::get().to(operations::health)).route(web::head().to(operations::health)))
        .service(on("/readyz").route(web::get().to(operations::ready)).route(web::head().to(operations::ready)))
        .service(on("/metrics").route(web::get().to(operations::metrics)));
}

/// With an API token, as all below.
fn hooks(config: &mut web::ServiceConfig) {
    config
        .service(on("/v1/hooks").route(web::get().to(hooks::list)).route(web::post().to(hooks::deploy)))
        .service(
            on("/v1/hooks/{id}")
                .route(web::get().to(hooks::show))
                .route(web::patch().to(hooks::change))
                .route(web::delete().to(hooks::delete)),
        )
        .service(on("/v1/hooks/{id}/callbacks").route(web::get().to(declared::show)))
        .service(on("/v1/hooks/{id}/callbacks/rotate-secret").route(web::post().to(declared::rotate_secret)))
        .service(
            on("/v1/hooks/{id}/versions")
                .route(web::get().to(versions::list))
                .route(web::delete().to(versions::clear_previous)),
        )
        .service(
            on("/v1/hooks/{id}/versions/{histo}")
                .route(web::get().to(versions::show))
                .route(web::delete().to(versions::clear)),
        )
        .service(on("/v1/hooks/{id}/versions/{histo}/notebook").route(web::get().to(versions::notebook)))
        .service(on("/v1/hooks/{id}/versions/{histo}/promote").route(web::post().to(versions::promote)))
        .service(
            on("/v1/hooks/{id}/outputs")
                .route(web::get().to(outputs::list))
                .route(web::delete().to(outputs::clear_all)),
        )
        .service(
            on("/v1/hooks/{id}/outputs/{histo}")
                .route(web::get().to(outputs::show))
                .route(web::delete().to(outputs::clear)),
        );
}

/// Some of these also for the caller of an asynchronous run.
fn runs(config: &mut web::ServiceConfig) {
    config
        .service(on("/v1/runs").route(web::get().to(runs::list)))
        .service(on("/v1/runs/{id}").route(web::get().to(runs::show)))
        .service(on("/v1/runs/{id}/output").route(web::get().to(runs::output)))
        .service(on("/v1/runs/{id}/cancel").route(web::post().to(runs::cancel)))
        .service(on("/v1/runs/{id}/rerun").route(web::post().to(runs::rerun)))
        .service(on("/v1/tasks").route(web::get().to(tasks::list)))
        // with an API token, or by the caller of an asynchronous run
        .service(on("/v1/tasks/{id}").route(web::get().to(tasks::one)).wrap(from_fn(cors::of_run)))
        .service(on("/v1/runs/{id}/result").route(web::get().to(tasks::result)).wrap(from_fn(cors::of_run)))
        .service(on("/v1/runs/{id}/events").route(web::get().to(events::of_run)).wrap(from_fn(cors::of_run)))
        .service(
            on("/v1/subscriptions/{id}")
                .route(web::get().to(subscriptions::show))
                .route(web::put().to(subscriptions::cancel)),
        )
        .service(
            on("/v1/subscriptions")
                .route(web::get().to(subscriptions::list))
                .route(web::post().to(subscriptions::create)),
        )
        .service(on("/v1/events").route(web::get().to(happened::list)))
        .service(on("/v1/events/{id}").route(web::get().to(happened::show)))
        .service(on("/v1/topics/{name}/events").route(web::get().to(topics::read)));
}

/// Inboxes, users, and what is done to the whole server.
fn more(config: &mut web::ServiceConfig) {
    config
        .service(on("/v1/inboxes").route(web::get().to(inboxes::list)).route(web::post().to(inboxes::create)))
        .service(on("/v1/inboxes/{uuid}").route(web::get().to(inboxes::show)).route(web::delete().to(inboxes::delete)))
        .service(on("/v1/callbacks").route(web::get().to(callbacks::list)).route(web::post().to(callbacks::create)))
        .service(
            on("/v1/callbacks/{id}")
                .route(web::get().to(callbacks::show))
                .route(web::patch().to(callbacks::change))
                .route(web::delete().to(callbacks::delete)),
        )
        .service(on("/v1/callbacks/{id}/rotate-secret").route(web::post().to(callbacks::rotate_secret)))
        .service(on("/v1/callbacks/{id}/recover").route(web::post().to(deliveries::recover)))
        .service(on("/v1/deliveries").route(web::get().to(deliveries::list)))
        .service(on("/v1/deliveries/{id}").route(web::get().to(deliveries::show)))
        .service(on("/v1/deliveries/{id}/retry").route(web::post().to(deliveries::retry)))
        .service(on("/v1/profiles").route(web::get().to(profiles::list)).route(web::post().to(profiles::create)))
        .service(
            on("/v1/profiles/{id}")
                .route(web::get().to(profiles::show))
                .route(web::patch().to(profiles::change))
                .route(web::delete().to(profiles::delete)),
        )
        .service(on("/v1/prune").route(web::post().to(prune::prune)))
        .service(on("/v1/users").route(web::get().to(users::list)).route(web::post().to(users::create)))
        .service(on("/v1/users/me").route(web::get().to(users::me)))
        .service(on("/v1/tokens").route(web::get().to(users::tokens)).route(web::post().to(users::issue)))
        .service(on("/v1/tokens/{id}").route(web::delete().to(users::revoke)));
}

/// What is beside the webhook: schedules.
fn beside(config: &mut web::ServiceConfig) {
    config
        .service(on("/v1/schedules").route(web::get().to(schedules::list)).route(web::post().to(schedules::create)))
        .service(
            on("/v1/schedules/{id}")
                .route(web::get().to(schedules::show))
                .route(web::patch().to(schedules::change))
                .route(web::delete().to(schedules::delete)),
        )
        .service(on("/v1/schedules/{id}/run").route(web::post().to(schedules::run)));
}

/// What users keep and send; runs may do some of it for their owner.
fn personal(config: &mut web::ServiceConfig) {
    config
        .service(on("/v1/secrets").route(web::get().to(secrets::list)))
        .service(
            on("/v1/secrets/{name}")
                .route(web::get().to(secrets::show))
                .route(web::put().to(secrets::put))
                .route(web::delete().to(secrets::delete)),
        )
        .service(
            on("/v1/notifications")
                .route(web::get().to(notifications::list))
                .route(web::post().to(notifications::send)),
        )
        .service(on("/v1/notifications/{id}").route(web::get().to(notifications::show)));
}

/// Dependencies and assets: the same behind two names.
fn files(config: &mut web::ServiceConfig) {
    config
        .service(
            on("/assets/{token}")
                .route(web::get().to(assets::live))
                .route(web::head().to(assets::live))
                .route(web::method(Method::OPTIONS).to(assets::options)),
        )
        .service(
            on("/assets/{token}/versions/{histo}")
                .route(web::get().to(assets::pinned))
                .route(web::head().to(assets::pinned))
                .route(web::method(Method::OPTIONS).to(assets::options)),
        )
        .service(on("/v1/assets").route(web::get().to(stored::list)).route(web::post().to(stored::add)))
        .service(
            on("/v1/assets/{id}")
                .route(web::get().to(stored::show))
                .route(web::patch().to(stored::change))
                .route(web::delete().to(stored::delete)),
        )
        .service(
            on("/v1/assets/{id}/versions")
                .route(web::get().to(stored::versions))
                .route(web::delete().to(stored::clear_previous)),
        )
        .service(
            on("/v1/assets/{id}/versions/{histo}")
                .route(web::get().to(stored::version))
                .route(web::delete().to(stored::clear)),
        )
        .service(on("/v1/assets/{id}/versions/{histo}/content").route(web::get().to(stored::content_of)))
        .service(on("/v1/assets/{id}/versions/{histo}/promote").route(web::post().to(stored::promote)))
        .service(on("/v1/dependencies").route(web::get().to(stored::list)).route(web::post().to(stored::add)))
        .service(on("/v1/dependencies/{id}").route(web::get().to(stored::show)).route(web::delete().to(stored::delete)))
        .service(
            on("/v1/dependencies/{id}/versions")
                .route(web::get().to(stored::versions))
                .route(web::delete().to(stored::clear_previous)),
        )
        .service(
            on("/v1/dependencies/{id}/versions/{histo}")
                .route(web::get().to(stored::version))
                .route(web::delete().to(stored::clear)),
        )
        .service(on("/v1/dependencies/{id}/versions/{histo}/content").route(web::get().to(stored::content_of)))
        .service(on("/v1/dependencies/{id}/versions/{histo}/promote").route(web::post().to(stored::promote)));
}

/// A resource; to a method it does not have it answers 405 with those that it has.
fn on(
    path: &str,
) -> Resource<impl ServiceFactory<ServiceRequest, Config = (), Response = Answered, Error = Error, InitError = ()>> {
    web::resource(path).wrap(from_fn(wrong_method))
}

type Answered = ServiceResponse<EitherBody<BoxBody>>;

async fn nothing_here() -> Result<HttpResponse, ApiError> {
    Err(ApiError::not_found("resource"))
}

/// Puts our problem document into actix's bare 405, which has the `Allow` header (RFC 9110, section 15.5.6).
async fn wrong_method(request: ServiceRequest, next: Next<BoxBody>) -> Result<Answered, Error> {
    let method = request.method().clone();
    let response = next.call(request).await?;
    // A notebook's own 405 has a media type.
    if response.status() != StatusCode::METHOD_NOT_ALLOWED || response.headers().contains_key(CONTENT_TYPE) {
        return Ok(response.map_into_left_body());
    }
    let allow = response.headers().get(ALLOW).cloned();
    let mut problem = ApiError::method_not_allowed(&method).error_response();
    if let Some(allow) = allow {
        problem.headers_mut().insert(ALLOW, allow);
    }
    Ok(response.into_response(problem).map_into_right_body())
}
