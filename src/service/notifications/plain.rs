//! Plain text of HTML, for those who read mail without it; and the other way round. Pure.

/// Elements whose content nobody reads.
const SILENT: [&str; 4] = ["script", "style", "head", "title"];
/// Elements that stand on lines of their own.
const BLOCKS: [&str; 20] = [
    "p",
    "div",
    "br",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "tr",
    "table",
    "section",
    "header",
    "footer",
    "pre",
    "blockquote",
    "hr",
];

/// The words of a document, a paragraph, an item or a row of a table in each line; links with where they lead.
pub(super) fn of_html(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let (mut rest, mut link) = (html, None);
    while let Some(at) = rest.find('<') {
        push_words(&mut text, &rest[..at]);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let Some(end) = rest.find('>') else { break };
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        if SILENT.contains(&name.as_str()) && !tag.starts_with('/') {
            rest = behind(rest, &name);
        } else if BLOCKS.contains(&name.as_str()) {
            new_line(&mut text);
            if name == "li" && !tag.starts_with('/') {
                text.push_str("- ");
            }
        } else if (name == "td" || name == "th") && !tag.starts_with('/') && !text.is_empty() && !text.ends_with('\n') {
            text.push_str("  ");
        } else if name == "a" && tag.starts_with('/') {
            text.extend(link.take().map(|href| format!(" ({href})")));
        } else if name == "a" {
            link = href(tag);
        }
    }
    push_words(&mut text, rest);
    text.trim().to_owned()
}

/// A document that shows a text as it is.
pub(super) fn to_html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<!doctype html>\n<div style=\"white-space: pre-wrap\">{text}</div>\n")
}

fn behind<'a>(rest: &'a str, name: &str) -> &'a str {
    let end = rest.to_ascii_lowercase().find(&format!("</{name}"));
    end.and_then(|end| rest[end..].find('>').map(|close| &rest[end + close + 1..])).unwrap_or_default()
}

fn href(tag: &str) -> Option<String> {
    let value = tag[tag.to_ascii_lowercase().find("href=")? + 5..].trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value = value[1..].split(quote).next()?;
    let leads_somewhere = ["http://", "https://", "mailto:"].iter().any(|scheme| value.starts_with(scheme));
    leads_somewhere.then(|| entities(value))
}

/// White space is one space, as browsers have it.
fn push_words(text: &mut String, html: &str) {
    let begins = html.starts_with(char::is_whitespace);
    let ends = html.ends_with(char::is_whitespace);
    let words = html.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_open = |text: &str| !text.is_empty() && !text.ends_with(char::is_whitespace);
    if begins && is_open(text) {
        text.push(' ');
    }
    text.push_str(&entities(&words));
    if ends && is_open(text) {
        text.push(' ');
    }
}

fn new_line(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

fn entities(text: &str) -> String {
    let mut pieces = text.split('&');
    let mut written = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let meant = piece.split_once(';').and_then(|(name, rest)| Some((character(name)?, rest)));
        let (c, rest) = meant.unwrap_or(('&', piece));
        written.push(c);
        written.push_str(rest);
    }
    written
}

fn character(name: &str) -> Option<char> {
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        "euro" => Some('€'),
        "ndash" => Some('–'),
        "mdash" => Some('—'),
        "hellip" => Some('…'),
        _ => match name.strip_prefix('#')?.strip_prefix(['x', 'X']) {
            Some(hex) => number(hex, 16),
            None => number(&name[1..], 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_of_a_document_is_its_words() {
        let html = "<!doctype html><head><title>x</title><style>p { color: red }</style></head>\n<h1>Sales  of\n May</h1>\
            <!-- not <b>this</b> --><p>Up by <b>5&#8239;%</b>, see <a class=x href='https://a.org/?a=1&amp;b=2'>here</a>.</p>\
            <SCRIPT>if (a < b) {}</SCRIPT><ul><li>one<li>two &lt;3</ul><table><tr><th>a<th>b<tr><td>1<td>2 &nope; &amp</table>";
        let text = "Sales of May\nUp by 5\u{202f}%, see here (https://a.org/?a=1&b=2).\n- one\n- two <3\na  b\n1  2 &nope; &amp";
        assert_eq!(of_html(html), text);
        for odd in ["", "<", "a <", "<!--", "<script>", "<a href=>x</a>", "&#xffffffff; &#; &;", "<é>ü</é>"] {
            of_html(odd);
        }
        assert_eq!(of_html(&to_html("1 < 2 & 3")), "1 < 2 & 3");
    }
}
