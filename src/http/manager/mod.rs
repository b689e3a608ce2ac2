//! `/manager`: the pages for people. This file is their route table; every other file is one page or a few of one kind.
//!
//! A page is rendered here from what the use cases give, and changes nothing. What a page lets its reader do, its scripts do through
//! the API: `/manager/v1/…` is `/v1/…` for whoever is signed in (`session.rs`). The cookie's path is `/manager`, so no notebook
//! and no inbox ever gets it. Scripts and styles are in `static/`, embedded; `static/manager.js` tells what attributes a
//! template may use (`data-send`, `data-copy`, …).
//!
//! `once.js` shows what the API tells once only, `rows.js` makes lists of a form's rows, `live.js` looks again at what goes on.
//!
//! To add a page: a template `templates/manager/<name>.html` that extends `layout.html`, a handler that ends in
//! [`page::Page::render`], and a line in [`pages`].

mod callbacks;
mod cells;
mod deliveries;
mod files;
mod frame;
mod happened;
mod hook;
mod hooks;
mod inboxes;
mod load;
mod overview;
mod page;
mod part;
mod personal;
mod run;
mod runs;
mod schedules;
mod session;
mod spark;
mod stored;
mod subscriptions;
mod users;

use actix_web::middleware::from_fn;
use actix_web::web;

pub(super) use session::{COOKIE as SESSION_COOKIE, SessionCookie, to_api};

/// The route table of the pages.
pub(super) fn pages(config: &mut web::ServiceConfig) {
    let get = |path: &str| web::resource(path);
    config.service(
        web::scope("/manager")
            .wrap(from_fn(frame::around))
            .service(get("/static/{name}").route(web::get().to(files::file)))
            .service(get("/login").route(web::get().to(session::form)).route(web::post().to(session::sign_in)))
            .service(get("/logout").route(web::post().to(session::sign_out)))
            .service(get("").route(web::get().to(overview::show)))
            .service(get("/schedules").route(web::get().to(schedules::list)))
            .service(get("/hooks").route(web::get().to(hooks::list)))
            .service(get("/secrets").route(web::get().to(personal::secrets)))
            .service(get("/notifications").route(web::get().to(personal::mails)))
            .service(get("/assets").route(web::get().to(stored::assets)))
            .service(get("/assets/{id}").route(web::get().to(stored::asset)))
            .service(get("/dependencies").route(web::get().to(stored::dependencies)))
            .service(get("/dependencies/{id}").route(web::get().to(stored::dependency)))
            .service(get("/runs").route(web::get().to(runs::list)))
            .service(get("/runs/{id}").route(web::get().to(run::show)))
            .service(get("/runs/{id}/frame").route(web::get().to(run::frame)))
            .configure(events)
            .configure(access)
            .service(get("/hooks/{id}").route(web::get().to(hook::show)))
            .service(get("/hooks/{id}/diff").route(web::get().to(hook::diff)))
            .default_service(web::to(super::nothing_here)),
    );
}

/// What happens, and whom it is told.
fn events(config: &mut web::ServiceConfig) {
    let get = |path: &str| web::resource(path);
    config
        .service(get("/events").route(web::get().to(happened::list)))
        .service(get("/events/{id}").route(web::get().to(happened::show)))
        .service(get("/inboxes").route(web::get().to(inboxes::list)))
        .service(get("/inboxes/+new").route(web::get().to(inboxes::form))) // `new` may be an inbox
        .service(get("/inboxes/{uuid}").route(web::get().to(inboxes::show)))
        .service(get("/callbacks").route(web::get().to(callbacks::list)))
        .service(get("/callbacks/new").route(web::get().to(callbacks::form)))
        .service(get("/callbacks/{id}").route(web::get().to(callbacks::show)))
        .service(get("/callbacks/{id}/edit").route(web::get().to(callbacks::edit)))
        .service(get("/subscriptions").route(web::get().to(subscriptions::list)))
        .service(get("/subscriptions/new").route(web::get().to(subscriptions::form)))
        .service(get("/subscriptions/{id}").route(web::get().to(subscriptions::show)))
        .service(get("/deliveries").route(web::get().to(deliveries::list)))
        .service(get("/deliveries/{id}").route(web::get().to(deliveries::show)));
}

/// Who may do what.
fn access(config: &mut web::ServiceConfig) {
    let get = |path: &str| web::resource(path);
    config
        .service(get("/users").route(web::get().to(users::list)))
        .service(get("/tokens").route(web::get().to(users::tokens)));
}
