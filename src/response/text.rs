//! Textual answers.

use super::{Accept, Content};

/// Text of a type that has a `charset` parameter; ours is always UTF-8.
pub(super) fn of(media_type: &str, text: &str) -> Content {
    Content::Bytes { media_type: format!("{media_type}; charset=utf-8"), body: text.as_bytes().to_vec() }
}

pub(super) fn plain(text: &str) -> Content {
    of("text/plain", text)
}

/// Markdown as it is, or as sanitised HTML for a caller that prefers that.
pub(super) fn markdown(source: &str, accept: &Accept) -> Content {
    if !accept.prefers("text/html", "text/markdown") {
        return of("text/markdown", source);
    }
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.render.r#unsafe = true; // inline HTML such as <br /> is Markdown too; ammonia takes out what is harmful
    let html = ammonia::clean(&comrak::markdown_to_html(source, &options));
    of("text/html", &html)
}
