//! What callers of a hook have to prove.

use serde_json::{Value, json};

use crate::model::{Hook, Scheme, Signature};

/// The security scheme of a hook that wants its calls signed, by its name. A header is as much as OpenAPI can say of a signature.
pub(super) fn scheme(hook: &Hook) -> Option<(String, Value)> {
    let signature = hook.params.signature.as_ref()?;
    let (header, description) = header(signature);
    let illegal = |c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c);
    let name = format!("signed-{}", header.to_ascii_lowercase().replace(illegal, "_"));
    Some((name, json!({"type": "apiKey", "in": "header", "name": header, "description": description})))
}

fn header(signature: &Signature) -> (String, &'static str) {
    let (header, description) = match signature.scheme() {
        Scheme::Github => ("X-Hub-Signature-256", "The body, signed as GitHub does it."),
        Scheme::Stripe => ("Stripe-Signature", "The time and the body, signed as Stripe does it."),
        Scheme::Slack => {
            ("X-Slack-Signature", "The time in `X-Slack-Request-Timestamp` and the body, signed as Slack does it.")
        }
        Scheme::Standard => {
            ("webhook-signature", "`webhook-id`, `webhook-timestamp` and the body, signed as Standard Webhooks has it.")
        }
        Scheme::Header => return (signature.secret_header().unwrap_or_default(), "The secret of the hook."),
    };
    (header.to_owned(), description)
}
