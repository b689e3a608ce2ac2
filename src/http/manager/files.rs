//! The pages' scripts and styles.

use std::sync::OnceLock;

use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::embedded::Embedded;
use crate::http::error::ApiError;

const FILES: &[(&str, &[u8])] = &[
    ("deploy.js", include_bytes!("static/deploy.js")),
    ("dropping.js", include_bytes!("static/dropping.js")),
    ("files.js", include_bytes!("static/files.js")),
    ("hook.js", include_bytes!("static/hook.js")),
    ("hooks.css", include_bytes!("static/hooks.css")),
    ("manager.css", include_bytes!("static/manager.css")),
    ("manager.js", include_bytes!("static/manager.js")),
    ("run.js", include_bytes!("static/run.js")),
    ("once.js", include_bytes!("static/once.js")),
    ("rows.js", include_bytes!("static/rows.js")),
    ("live.js", include_bytes!("static/live.js")),
    ("theme.js", include_bytes!("static/theme.js")),
    ("icon.svg", include_bytes!("static/icon.svg")),
];

pub(super) async fn file(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    static READ: OnceLock<Vec<Embedded>> = OnceLock::new();
    let files = READ.get_or_init(|| {
        FILES.iter().map(|(name, bytes)| Embedded::new(name, web::Bytes::from_static(bytes))).collect()
    });
    let known = files.iter().find(|file| file.name == *name).ok_or_else(|| ApiError::not_found("resource"))?;
    Ok(known.answer(&request))
}
