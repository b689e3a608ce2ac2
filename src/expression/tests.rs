use serde_json::{Map, Value, json};

use super::{Request, Response, Template, Unresolved};

/// The request of the invoice example, and more than it needs.
struct Asked {
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    path: Vec<(String, String)>,
    body: Option<Value>,
    parameters: Map<String, Value>,
    defaults: Map<String, Value>,
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn asked(base: &str, body: Value) -> Asked {
    let mut parameters = object(&json!({"callback_url": base}));
    if let Value::Object(members) = &body {
        parameters.extend(members.clone());
    }
    Asked {
        headers: pairs(&[("x-id", "h 1"), ("content-type", "application/json")]),
        query: pairs(&[("callback_url", base), ("tag", "a"), ("tag", "b"), ("Tag", "c/d"), ("none", "")]),
        path: pairs(&[("histo", "2025")]),
        body: Some(body),
        parameters,
        defaults: object(&json!({"region": "North Sea", "other_url": "https://default.example"})),
    }
}

impl Asked {
    fn request(&self) -> Request<'_> {
        Request {
            url: "https://nb.example/hooks/t?a=1",
            method: "POST",
            headers: &self.headers,
            query: &self.query,
            path: &self.path,
            body: self.body.as_ref(),
            parameters: &self.parameters,
            defaults: &self.defaults,
        }
    }

    fn render(&self, template: &str) -> Result<Option<String>, Unresolved> {
        Template::parse(template).unwrap_or_else(|error| panic!("{template}: {error}")).render(&self.request(), None)
    }
}

fn invoice() -> Value {
    json!({
        "id": "2expen51ve", "customer": "Mr. Richie Rich", "total": "9999", "n": 12_345_678_901_234_567_890_u64, "paid": true,
        "half": 0.5, "null": null, "empty": "", "a": {"b": "deep", "c/d": "slash", "e~f": "tilde", "": "nameless", "~1": "x"},
        "items": [{"id": 7}, "second", ["nested"]], "0": "zero", "url": "https://in.body/cb?x=1", "Id": "capital", "ünï": "é/€",
    })
}

#[test]
fn the_documents_example() {
    let asked = asked("https://www.external.org/events", invoice());
    let url = asked.render("{$callback_url}/invoices/{$request.body.id}").unwrap().unwrap();
    assert_eq!(url, "https://www.external.org/events/invoices/2expen51ve");
}

#[test]
fn every_expression_of_the_grammar() {
    let asked = asked("https://h.example/cb", invoice());
    for (expression, value) in [
        ("$url", "https%3A%2F%2Fnb.example%2Fhooks%2Ft%3Fa%3D1"),
        ("$method", "POST"),
        ("$request.header.X-Id", "h%201"),
        ("$request.header.content-TYPE", "application%2Fjson"),
        ("$request.query.Tag", "c%2Fd"),
        ("$request.path.histo", "2025"),
        ("$request.body#/id", "2expen51ve"),
        ("$request.body#/Id", "capital"),
        ("$request.body#/total", "9999"),
        ("$request.body#/n", "12345678901234567890"),
        ("$request.body#/paid", "true"),
        ("$request.body#/half", "0.5"),
        ("$request.body#/a/b", "deep"),
        ("$request.body#/a/c~1d", "slash"),
        ("$request.body#/a/e~0f", "tilde"),
        ("$request.body#/a/~01", "x"),
        ("$request.body#/a/", "nameless"),
        ("$request.body#/items/0/id", "7"),
        ("$request.body#/items/1", "second"),
        ("$request.body#/items/2/0", "nested"),
        ("$request.body#/0", "zero"),
        ("$request.body#/ünï", "%C3%A9%2F%E2%82%AC"),
        ("$request.body.a.b", "deep"),
        ("$request.body.items.0.id", "7"),
        ("$customer", "Mr.%20Richie%20Rich"),
        ("$region", "North%20Sea"),
    ] {
        let template = format!("{{$callback_url}}/{{{expression}}}");
        let parsed = Template::parse(&template).unwrap();
        assert!(!parsed.needs_response(), "{expression}");
        assert_eq!(asked.render(&template).unwrap().unwrap(), format!("https://h.example/cb/{value}"), "{expression}");
    }
}

#[test]
fn the_base_is_taken_as_it_is_and_only_at_the_beginning() {
    for (base, template, url) in [
        ("https://h/cb", "{$callback_url}", "https://h/cb"),
        ("https://h/cb", "$request.query.callback_url", "https://h/cb"),
        ("https://u:p@h:8443/a%2Fb?x=1&y=%20", "{$request.query.callback_url}", "https://u:p@h:8443/a%2Fb?x=1&y=%20"),
        ("https://h", "$request.body#/url", "https://in.body/cb?x=1"),
        ("https://h", "$url", "https://nb.example/hooks/t?a=1"),
        // No `//` where two parts meet.
        ("https://h/cb/", "{$callback_url}/i", "https://h/cb/i"),
        ("https://h/cb//", "{$callback_url}/i/", "https://h/cb/i/"),
        ("https://h", "{$callback_url}/i", "https://h/i"),
        ("https://h/", "{$callback_url}?id={$id}", "https://h/?id=2expen51ve"),
        // The base's own query goes behind what is added to its path.
        ("https://h/cb?tenant=1", "{$callback_url}/i", "https://h/cb/i?tenant=1"),
        ("https://h/cb/?tenant=1", "{$callback_url}/i?p={$paid}", "https://h/cb/i?tenant=1&p=true"),
        ("https://h?tenant=1", "{$callback_url}?p={$paid}", "https://h?tenant=1&p=true"),
        ("https://h/cb?", "{$callback_url}/i", "https://h/cb/i"),
        // A value is a value there too.
        (
            "https://h",
            "https://fixed.example/i?to={$request.body#/url}",
            "https://fixed.example/i?to=https%3A%2F%2Fin.body%2Fcb%3Fx%3D1",
        ),
        (
            "https://h",
            "https://fixed.example/{$id}-{$total}.json?e={$empty}",
            "https://fixed.example/2expen51ve-9999.json?e=",
        ),
        ("https://h", "http://fixed.example", "http://fixed.example"),
        ("https://h", "https://fixed.example?a", "https://fixed.example?a"),
    ] {
        assert_eq!(asked(base, invoice()).render(template).unwrap().unwrap(), url, "{base} in {template}");
    }
}

#[test]
fn a_value_stays_one_segment_of_the_same_host() {
    for (id, segment) in [
        ("../../x?y", "..%2F..%2Fx%3Fy"),
        ("a/b#c", "a%2Fb%23c"),
        ("@evil.example/", "%40evil.example%2F"),
        ("%2e%2e", "%252e%252e"),
        (" \r\nHost: evil", "%20%0D%0AHost%3A%20evil"),
        ("a&b=c;d", "a%26b%3Dc%3Bd"),
        ("{$url}", "%7B%24url%7D"),
        ("\\..\\", "%5C..%5C"),
        ("...", "..."),
    ] {
        let asked = asked("https://h/cb", json!({ "id": id }));
        let url = asked.render("{$callback_url}/invoices/{$request.body.id}").unwrap().unwrap();
        assert_eq!(url, format!("https://h/cb/invoices/{segment}"));
        let url = asked.render("{$callback_url}?id={$id}&z=1").unwrap().unwrap();
        assert_eq!(url, format!("https://h/cb?id={segment}&z=1"));
    }
    // What a URL has no spelling for.
    for (template, id) in
        [("/{$id}", ".."), ("/{$id}/x", "."), ("/{$id}{$id}", "."), ("/.{$id}?q", "."), ("/%2e{$id}", ".")]
    {
        let error =
            asked("https://h", json!({ "id": id })).render(&format!("{{$callback_url}}{template}")).unwrap_err();
        assert_eq!((error.field.as_str(), error.expression.as_str()), ("id", "$id"), "{template}");
        assert!(error.reason.contains("`..`"), "{error}");
    }
}

#[test]
fn what_cannot_be_resolved_is_named() {
    let asked = asked("https://h", invoice());
    for (expression, field, reason) in [
        ("$request.body#/none", "none", "is missing"),
        ("$request.body#/null", "null", "is missing"),
        ("$request.body#/empty", "empty", "is empty, and a segment of a path cannot be"),
        ("$request.body#/a", "a", "is an object; it must be a string, a number or a boolean"),
        ("$request.body", "body", "is an object; it must be a string, a number or a boolean"),
        ("$request.body#", "body", "is an object; it must be a string, a number or a boolean"),
        ("$request.body#/items", "items", "is a list; it must be a string, a number or a boolean"),
        ("$request.body#/items/3", "items[3]", "is missing"),
        ("$request.body#/items/-", "items.-", "is missing"),
        ("$request.body#/items/01", "items[1]", "is missing"),
        ("$request.body#/id/0", "id[0]", "is missing"),
        ("$request.query.tag", "tag", "is there more than once"),
        ("$request.query.TAG", "TAG", "is missing"),
        ("$request.path.token", "token", "is missing"),
        ("$request.header.x-none", "x-none", "is missing"),
        ("$Customer", "Customer", "is missing"),
    ] {
        let error = asked.render(&format!("{{$callback_url}}/{{{expression}}}")).unwrap_err();
        assert_eq!((&*error.expression, &*error.field, &*error.reason), (expression, field, reason));
    }
    let without = Asked { body: None, ..asked };
    let error = without.render("{$callback_url}/{$request.body#/id}").unwrap_err();
    assert!(error.to_string().starts_with("`$request.body#/id` cannot be read"), "{error}");
    let long = Asked { parameters: object(&json!({"callback_url": "https://h", "id": "x".repeat(2_100)})), ..without };
    assert_eq!(long.render("{$callback_url}/{$id}").unwrap_err().field, "id");
}

#[test]
fn without_a_base_there_is_no_callback_and_a_bad_one_is_refused() {
    let asked_with = |base: Value| {
        let mut asked = asked("https://h", invoice());
        asked.parameters.insert("callback_url".to_owned(), base.clone());
        asked.body = Some(json!({ "to": base }));
        asked
    };
    for template in ["{$other_url}/x", "{$request.query.none_such}/{$request.body#/missing}", "$request.body#/nothing"]
    {
        assert_eq!(asked_with(json!("https://h")).render(template), Ok(None), "{template}");
    }
    assert_eq!(asked_with(Value::Null).render("{$callback_url}/x"), Ok(None));
    for base in [
        "",
        "h.example/cb",
        "//h/cb",
        "/cb",
        "ftp://h/cb",
        "https:/h",
        "https://",
        "https:///cb",
        "https://:80",
        "https://u@/x",
        "javascript://h/%0aalert(1)",
        "https://h/a b",
        "https://h/\n",
        "https://h/#x",
        "https://h\\x",
        "https://hé",
        "file:///etc",
    ] {
        let asked = asked_with(json!(base));
        assert_eq!(asked.render("{$callback_url}/x").unwrap_err().field, "callback_url", "{base}");
        assert_eq!(asked.render("$request.body#/to").unwrap_err().field, "to", "{base}");
    }
    for base in [json!(["https://a", "https://b"]), json!({"url": "https://a"}), json!(7), json!(true)] {
        assert_eq!(asked_with(base.clone()).render("{$callback_url}/x").unwrap_err().field, "callback_url", "{base}");
    }
}

#[test]
fn what_needs_the_response_waits_for_it() {
    let asked = asked("https://h/cb", invoice());
    let template = Template::parse(
        "{$callback_url}/{$request.body.id}/{$response.body#/n}-{$statusCode}?l={$response.header.Location}",
    );
    let template = template.unwrap();
    assert!(template.needs_response());
    let bound = template.bind(&asked.request()).unwrap().unwrap();
    assert!(bound.needs_response());
    assert_eq!(bound.url_now().unwrap_err().field, "n");
    let (headers, body) = (pairs(&[("location", "/x")]), json!({"n": 5, "to": "https://r", "list": []}));
    let response = Response { status: 201, headers: &headers, body: Some(&body) };
    assert_eq!(bound.url(&response).unwrap().unwrap(), "https://h/cb/2expen51ve/5-201?l=%2Fx");
    assert_eq!(
        template.render(&asked.request(), Some(&response)).unwrap().unwrap(),
        "https://h/cb/2expen51ve/5-201?l=%2Fx"
    );

    // What the request has to say is asked for first.
    let early = Template::parse("{$callback_url}/{$request.body.none}/{$statusCode}").unwrap();
    assert_eq!(early.bind(&asked.request()).unwrap_err().field, "none");
    let of_response = |text: &str, response: &Response<'_>| {
        Template::parse(text).unwrap().bind(&asked.request()).unwrap().unwrap().url(response)
    };
    assert_eq!(of_response("$response.body#/to", &response).unwrap().unwrap(), "https://r");
    assert_eq!(of_response("$response.body#/from", &response), Ok(None));
    assert_eq!(of_response("$response.body.n", &response).unwrap_err().field, "n");
    assert_eq!(of_response("{$callback_url}/{$response.body.list}", &response).unwrap_err().field, "list");
    let image = Response { body: None, ..response };
    assert!(of_response("{$callback_url}/{$response.body.n}", &image).unwrap_err().reason.contains("not JSON"));
}

#[test]
fn what_is_no_template_is_refused_where_it_goes_wrong() {
    for (text, at, reason) in [
        ("", 0, "is empty"),
        ("{$callback_url}/{$request.body#/id", 16, "not closed"),
        ("{$callback_url}/}", 16, "without a `{`"),
        ("{$callback_url}/{}", 17, "begins with `$`"),
        ("{$callback_url}/{id}", 17, "begins with `$`"),
        ("{$callback_url}/{ $id}", 17, "begins with `$`"),
        ("{$callback_url}/{$}", 17, "expected $url"),
        ("{$callback_url}/{$1}", 17, "expected $url"),
        ("{$callback_url}/{$a.b}", 17, "expected $url"),
        ("{$callback_url}/{$a-b}", 17, "expected $url"),
        ("{$callback_url}/{$Request.body}", 17, "expected $url"),
        ("{$callback_url}/{$request}", 25, "what of the request"),
        ("{$callback_url}/{$response}", 26, "what of the response"),
        ("{$callback_url}/{$request.}", 26, "expected `header.`"),
        ("{$callback_url}/{$request.Body}", 26, "expected `header.`"),
        ("{$callback_url}/{$request.cookie.a}", 26, "expected `header.`"),
        ("{$callback_url}/{$request.header.}", 33, "needs a name"),
        ("{$callback_url}/{$request.header.x y}", 34, "name of a header"),
        ("{$callback_url}/{$request.query.}", 32, "needs a name"),
        ("{$callback_url}/{$request.body/id}", 30, "expected the end"),
        ("{$callback_url}/{$request.body#id}", 31, "begins with `/`"),
        ("{$callback_url}/{$request.body#/a~2}", 32, "followed by 0 or 1"),
        ("{$callback_url}/{$request.body#/ok/a~}", 35, "followed by 0 or 1"),
        ("{$callback_url}/{$request.body.}", 30, "a name is empty"),
        ("{$callback_url}/{$request.body.a..b}", 30, "a name is empty"),
        ("{$callback_url}/{$response.query.a}", 17, "no query"),
        ("{$callback_url}/é/x", 16, "cannot stand in a URL"),
        ("{$callback_url}/{$request.body#/é}/ x", 35, "` ` cannot stand in a URL"),
        ("{$callback_url}/a\\b", 17, "cannot stand in a URL"),
        ("{$callback_url}/#x", 16, "fragment"),
        ("$request.body#/url/{$id}", 0, "braces"),
        // Nothing but the first part says where it leads.
        ("/invoices/{$id}", 0, "absolute http or https URL"),
        ("invoices", 0, "absolute http or https URL"),
        ("ftp://h/{$id}", 0, "absolute http or https URL"),
        ("https://{$host}/x", 0, "absolute http or https URL"),
        ("https://h{$id}/x", 9, "the host cannot"),
        ("https://h:{$port}/x", 10, "the host cannot"),
        ("{$callback_url}{$id}", 15, "begins with `/` or `?`"),
        ("{$callback_url}.evil.example/", 15, "begins with `/` or `?`"),
        ("{$callback_url}@evil.example/", 15, "begins with `/` or `?`"),
        ("{$callback_url}:8080/", 15, "begins with `/` or `?`"),
        ("{$method}://x", 0, "is no URL"),
        ("$statusCode", 0, "is no URL"),
        ("{$callback_url}/../x", 0, "`..`"),
        ("https://h/a/%2E./x", 0, "`..`"),
    ] {
        let error = Template::parse(text).expect_err(text);
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
    for good in ["{$callback_url}/a...b/..c", "https://h/?x=../..", "$request.body#/a}b", "$request.query.a{b}"] {
        assert!(Template::parse(good).is_ok(), "{good}");
    }
}
