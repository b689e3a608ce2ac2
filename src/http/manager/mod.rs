//! `/manager`: the pages for people. This file is their route table; every other file is one page or a few of one kind.
//!
//! A page is rendered here from what the use cases give, and changes nothing. What a page lets its reader do, its scripts do through
//! the API: `/manager/v1/…` is `/v1/…` for whoever is signed in (`session.rs`). The cookie's path is `/manager`, so no notebook
//! and no inbox ever gets it. Scripts and styles are in `static/`, embedded; `static/manager.js` tells what attributes a
//! template may use (`data-send`, `data-copy`, …).
//!
//! To add a page: a template `templates/manager/<name>.html` that extends `layout.html`, a handler that ends in
//! [`page::Page::render`], and a line in [`pages`].

mod files;
mod frame;
mod hook;
mod hooks;
mod page;
mod session;
mod spark;

use actix_web::middleware::from_fn;
use actix_web::web;

pub(super) use session::{SessionCookie, to_api};

/// The route table of the pages.
pub(super) fn pages(config: &mut web::ServiceConfig) {
    let get = |path: &str| web::resource(path);
    config.service(
        web::scope("/manager")
            .wrap(from_fn(frame::around))
            .service(get("/static/{name}").route(web::get().to(files::file)))
            .service(get("/login").route(web::get().to(session::form)).route(web::post().to(session::sign_in)))
            .service(get("/logout").route(web::post().to(session::sign_out)))
            .service(get("").route(web::get().to(hooks::list)))
            .service(get("/hooks").route(web::get().to(hooks::list)))
            .service(get("/hooks/{id}").route(web::get().to(hook::show)))
            .service(get("/hooks/{id}/diff").route(web::get().to(hook::diff)))
            .default_service(web::to(super::nothing_here)),
    );
}
