//! The declared callbacks of one call: where they go, found out before its run costs anything.

use std::fmt;

use serde_json::{Map, Value};

use crate::expression::{Origin, Request, Template, Unresolved};
use crate::model::{Contract, DeclaredCallback, DeclaredCallbacks, Invalid, InvalidParameter, Place, object_of};
use crate::notebook::Parameters;
use crate::service::request::{Body, Call};
use crate::service::{Error, Result, Service};
use crate::webhook::Refused;

/// A callback that the caller wants.
pub(in crate::service) struct Wanted {
    pub(super) declared: DeclaredCallback,
    /// What the request says is in it.
    pub(super) to: Template,
    /// Where the parameter that is its base comes from.
    from: Place,
}

/// Shows no URL: it may hold a secret of the caller's.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wanted({})", self.declared.name)
    }
}

/// What expressions may ask of a call that the notebook is not given in the same form.
pub(in crate::service) struct Asked {
    url: String,
    path: Vec<(String, String)>,
    method: String,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: Option<Value>,
}

impl Asked {
    /// Copied before the notebook gets it. `path` are the variable parts of the URL's path.
    pub(in crate::service) fn of(call: &Call, (url, path): (String, Vec<(String, String)>)) -> Self {
        let query = serde_urlencoded::to_string(&call.query).unwrap_or_default();
        Self {
            url: if query.is_empty() { url } else { format!("{url}?{query}") },
            path,
            method: call.method.clone(),
            headers: call.headers.clone(),
            query: call.query.clone(),
            body: body(&call.body),
        }
    }
}

/// A form is an object of texts. What is neither that nor JSON nor text has nothing to point at.
fn body(body: &Body) -> Option<Value> {
    match body {
        Body::Empty => Some(Value::Null),
        Body::Json(value) => Some(value.clone()),
        Body::Form(pairs) | Body::Multipart { fields: pairs, .. } => {
            let texts = pairs.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            Some(object_of(texts.collect()).into())
        }
        Body::Text(text) => Some(Value::from(text.as_str())),
        Body::Bytes(_) => None,
    }
}

/// The callbacks that a call wants. `parameters` are what its notebook is given.
///
/// # Errors
/// Names the part of the call without which a callback cannot be sent.
pub(in crate::service) fn wanted(
    callbacks: &DeclaredCallbacks,
    asked: &Asked,
    parameters: &Parameters,
    contract: Option<&Contract>,
) -> Result<Vec<Wanted>> {
    let given: Map<String, Value> =
        parameters.named().into_iter().map(|(name, value)| (name.to_owned(), value.json())).collect();
    let defaults = contract.iter().flat_map(|contract| contract.parameters());
    let defaults = defaults.filter_map(|one| Some((one.name.to_owned(), one.schema.get("default")?.clone()))).collect();
    let request = Request {
        url: &asked.url,
        method: &asked.method,
        headers: &asked.headers,
        query: &asked.query,
        path: &asked.path,
        body: asked.body.as_ref(),
        parameters: &given,
        defaults: &defaults,
    };
    let mut wanted = Vec::new();
    for declared in callbacks.iter() {
        // Another server may have read what this one does not know.
        let template =
            Template::parse(&declared.key).map_err(|error| Error::Internal(format!("a callback: {error}")))?;
        let place_of = |name: &str| {
            let in_body = parameters.body_pairs().iter().any(|(known, _)| known == name);
            if in_body { Place::Body } else { Place::Query }
        };
        match template.bind(&request) {
            Ok(Some(to)) => {
                let from = to.base().map_or(Place::Query, |base| place_of(&base.field()));
                wanted.push(Wanted { declared: declared.clone(), to, from });
            }
            Ok(None) => {}
            Err(unresolved) => {
                let from = place_of(&unresolved.field);
                return Err(refusal(&declared.name, unresolved, from));
            }
        }
    }
    Ok(wanted)
}

/// The field that a caller has to change. `from`: where it has it, if it is a parameter.
fn refusal(name: &str, unresolved: Unresolved, from: Place) -> Error {
    let Unresolved { origin, field, reason, .. } = unresolved;
    let message = format!("{reason} (the callback `{name}` needs it)");
    let place = match origin {
        Origin::Query => Place::Query,
        Origin::Body => Place::Body,
        Origin::Parameter => from,
        Origin::Header => return Error::Invalid(Invalid::new(format!("headers.{field}"), message)),
        Origin::Url | Origin::Method | Origin::Path | Origin::Response => {
            return Error::Invalid(Invalid::new(field, message));
        }
    };
    Error::Parameters(vec![InvalidParameter { place, name: field, message, expected: None, got: None }])
}

impl Service {
    /// Whether requests may be sent where a caller wants them.
    ///
    /// # Errors
    /// Names the part of the call that says where; [`Error::Forbidden`] if the policy is against it.
    pub(in crate::service) async fn check_wanted(&self, wanted: &[Wanted]) -> Result<()> {
        for one in wanted {
            let Some(base) = one.to.base() else { continue };
            match self.webhooks.check(base.url).await {
                // What leads nowhere now may be there when it is tried again.
                Ok(()) | Err(Refused::Unresolvable(_)) => {}
                Err(Refused::Malformed(why)) => {
                    return Err(refusal(&one.declared.name, base.refused(format!("is refused: {why}")), one.from));
                }
                Err(Refused::Forbidden(why)) => {
                    let (field, name) = (base.field(), &one.declared.name);
                    return Err(Error::Forbidden(format!("{field}: {why} (the callback `{name}` needs it)")));
                }
            }
        }
        Ok(())
    }

    /// Whether requests may be sent where the author of callbacks wants them.
    ///
    /// # Errors
    /// Names the callback.
    pub(in crate::service) async fn check_fixed(&self, callbacks: &DeclaredCallbacks) -> Result<()> {
        for one in callbacks.iter() {
            let template = Template::parse(&one.key).ok();
            let Some(url) = template.as_ref().and_then(Template::fixed) else { continue };
            match self.webhooks.check(url).await {
                Ok(()) | Err(Refused::Unresolvable(_)) => {}
                Err(refused) => {
                    let field = format!("callbacks.{}", one.name);
                    let message = |why| format!("has the URL `{}`, where nothing can be sent: {why}", one.key);
                    return Err(match refused {
                        Refused::Forbidden(why) => Error::Forbidden(format!("{field}: {}", message(why))),
                        Refused::Malformed(why) | Refused::Unresolvable(why) => {
                            Invalid::new(field, message(why)).into()
                        }
                    });
                }
            }
        }
        Ok(())
    }
}
