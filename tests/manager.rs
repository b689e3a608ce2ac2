//! The manager's pages, as a browser asks for them.

use reqwest::header::{COOKIE, LOCATION, ORIGIN, REFERER, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::json;

use crate::app::{ADMIN, TestApp, header, notebook, ok, url};

/// Somebody who is signed in.
pub(crate) struct Visitor<'a> {
    app: &'a TestApp,
    pub(crate) cookie: String,
    pub(crate) csrf: String,
}

/// Sends the form of the sign-in page.
async fn post_token(app: &TestApp, token: &str, next: &str) -> Response {
    let form = serde_urlencoded::to_string([("token", token), ("next", next)]).unwrap();
    let request = app.http.post(format!("{}/manager/login", app.url));
    request.header("content-type", "application/x-www-form-urlencoded").body(form).send().await.unwrap()
}

impl<'a> Visitor<'a> {
    pub(crate) async fn sign_in(app: &'a TestApp, token: &str) -> Self {
        let answer = post_token(app, token, "").await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let mut visitor = Self { app, cookie, csrf: String::new() };
        let page = visitor.page("/manager/hooks").await;
        let csrf = page.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap();
        csrf.clone_into(&mut visitor.csrf);
        visitor
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.app.http.get(format!("{}{path}", self.app.url)).header(COOKIE, &self.cookie)
    }

    /// A request of a page's script to the API.
    pub(crate) fn api(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.app.http.request(method, format!("{}/manager{path}", self.app.url));
        request.header(COOKIE, &self.cookie).header("x-csrf-token", &self.csrf)
    }

    /// The HTML of a page, which is bound to this server.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let html = answer.text().await.unwrap().replace("&#x2f;", "/"); // as templates escape it
        let nonce = policy.split("script-src 'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert!(policy.contains(&format!("script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}';")), "{policy}");
        let named = html.matches(&format!("nonce=\"{nonce}\"")).count();
        let own = html.matches("<script").count() + html.matches("rel=\"stylesheet\"").count();
        assert!(nonce.len() > 20 && named == own && own > 2, "{html}");
        html
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_pages_until_it_is_revoked() {
    let app = TestApp::start().await;
    let asked = app.http.get(format!("{}/manager/hooks?x=1", app.url)).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::SEE_OTHER);
    assert_eq!(asked.headers()[LOCATION], "/manager/login?next=%2Fmanager%2Fhooks%3Fx%3D1");
    let wrong = post_token(&app, "no-such-token-anywhere", "").await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.headers().get(SET_COOKIE).is_none());
    assert!(!wrong.text().await.unwrap().contains("no-such-token"), "a token is not repeated");

    let right = post_token(&app, ADMIN, "/manager/hooks?x=1").await;
    assert_eq!(right.headers()[LOCATION], "/manager/hooks?x=1");
    let cookie = right.headers()[SET_COOKIE].to_str().unwrap();
    for word in ["HttpOnly", "SameSite=Lax", "Path=/manager"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "not by TLS, so it would not be kept: {cookie}");
    for elsewhere in [
        "https://evil.example/",
        "//evil.example",
        "/manager.evil.example",
        "/manager\\..\\..",
        "javascript:1",
        "/manager/../hooks/x",
        "/manager/%2e%2E/hooks/x",
        "/manager/.%2E/x",
        "/manager/x/../../hooks",
        "/manager//evil.example",
        "/manager/.\t./x",
        "/manager/%5c..",
        "/manager/..%2fx",
    ] {
        assert_eq!(post_token(&app, ADMIN, elsewhere).await.headers()[LOCATION], "/manager", "{elsewhere}");
    }

    let token = app.api(Method::POST, "/v1/tokens").json(&json!({"name": "mine"}));
    let token = ok(token.send().await.unwrap()).await;
    let visitor = Visitor::sign_in(&app, token["token"].as_str().unwrap()).await;
    assert!(visitor.page("/manager/hooks").await.contains("No notebook is deployed yet"));
    let revoke = format!("/v1/tokens/{}", token["id"].as_str().unwrap());
    ok(visitor.api(Method::DELETE, &revoke).send().await.unwrap()).await;
    assert_eq!(visitor.get("/manager/hooks").send().await.unwrap().status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session() {
    let app = TestApp::start().await;
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    let sign_out = |csrf: &str| {
        let request = app.http.post(format!("{}/manager/logout", app.url)).header(COOKIE, &visitor.cookie);
        request.header("content-type", "application/x-www-form-urlencoded").body(format!("csrf={csrf}")).send()
    };
    assert_eq!(sign_out("guessed").await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(visitor.get("/manager/hooks").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(sign_out(&visitor.csrf).await.unwrap().status(), StatusCode::SEE_OTHER);
    assert_eq!(visitor.get("/manager/hooks").send().await.unwrap().status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_changes_nothing_for_other_sites() {
    let app = TestApp::start().await;
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    let create = |request: RequestBuilder| request.json(&json!({"name": "eve", "role": "admin"})).send();
    let bare = || app.http.post(format!("{}/manager/v1/users", app.url)).header(COOKIE, &visitor.cookie);
    let with_token = || visitor.api(Method::POST, "/v1/users");
    for (request, why) in [
        (bare(), "no CSRF token"),
        (bare().header("x-csrf-token", "0".repeat(64)), "another CSRF token"),
        (with_token().header("sec-fetch-site", "cross-site"), "another site"),
        (with_token().header("sec-fetch-site", "same-site"), "a neighbour"),
        (with_token().header(ORIGIN, "https://evil.example"), "another origin"),
        (app.http.post(format!("{}/v1/users", app.url)).header(COOKIE, &visitor.cookie), "not by way of the manager"),
    ] {
        assert_eq!(create(request).await.unwrap().status(), StatusCode::UNAUTHORIZED, "{why}");
    }
    let framed = visitor.get("/manager/v1/users").header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(framed.status(), StatusCode::UNAUTHORIZED, "nor are things read");
    ok(create(with_token().header("sec-fetch-site", "same-origin")).await.unwrap()).await;
    for own in ["same-origin", "none"] {
        ok(visitor.get("/manager/v1/users").header("sec-fetch-site", own).send().await.unwrap()).await;
    }
}

/// By plain HTTP browsers do not say what a request comes from; to read an inbox is to take away what is in it.
#[tokio::test(flavor = "multi_thread")]
async fn by_plain_http_a_link_elsewhere_takes_nothing_away() {
    let app = TestApp::start().await;
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    let inbox = ok(app.api(Method::POST, "/v1/inboxes").send().await.unwrap()).await;
    ok(app.http.post(url(&inbox)).body("kept").send().await.unwrap()).await;
    let place = format!("/manager/v1/inboxes/{}", inbox["uuid"].as_str().unwrap());
    let host = app.url.strip_prefix("http://").unwrap();
    for referrer in [
        None,
        Some("http://evil.example/".to_owned()),
        Some(format!("http://evil.example/{host}")),
        Some(format!("http://{host}.evil.example/")),
    ] {
        let request = visitor.get(&place);
        let request = referrer.iter().fold(request, |request, page| request.header(REFERER, page));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{referrer:?}");
    }
    let page = format!("{}/manager/inboxes", app.url);
    for request in [visitor.get("/manager/v1/users").header(REFERER, &page), visitor.api(Method::GET, "/v1/users")] {
        ok(request.send().await.unwrap()).await;
    }
    let read = ok(visitor.get(&place).header(REFERER, &page).send().await.unwrap()).await;
    assert_eq!(read["result"]["data"], "kept");
}

/// What is shown to whoever is signed in stays in no cache, and nothing is taken for what it is not.
#[tokio::test(flavor = "multi_thread")]
async fn answers_to_pages_are_not_stored_and_none_is_sniffed() {
    let app = TestApp::start().await;
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    let hook = app.deploy("a.ipynb", &notebook(&["1"]), json!({})).await;
    ok(app.call(&hook, &[]).await).await;
    let run = app.get("/v1/runs").await["items"][0]["id"].as_str().unwrap().to_owned();
    app.quiet().await;
    for path in
        ["/v1/users", "/v1/hooks", "/v1/no-such-thing", &format!("/v1/runs/{run}/output"), &format!("/v1/runs/{run}")]
    {
        let answer = visitor.api(Method::GET, path).send().await.unwrap();
        assert_eq!(
            (header(&answer, "cache-control"), header(&answer, "x-content-type-options")),
            ("no-store", "nosniff"),
            "{path}"
        );
        let answer = app.api(Method::GET, path).send().await.unwrap();
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
    }
    for path in [
        "/v1/users",
        "/healthz",
        "/metrics",
        "/openapi.json",
        "/nothing",
        "/hooks/x",
        "/assets/x",
        "/inbox/x",
        "/manager/static/manager.js",
    ] {
        let answer = app.http.get(format!("{}{path}", app.url)).send().await.unwrap();
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_for_tls_if_the_browser_speaks_it() {
    for (behind_proxy, forwarded, origin, secure) in [
        (true, Some("https"), None, true),
        (true, Some("HTTPS, http"), None, true),
        (true, Some("http"), None, false),
        (true, None, None, false),
        (true, None, Some("https"), true),
        (false, Some("https"), None, false),
        (false, None, Some("http"), false),
    ] {
        let app = TestApp::start_with(|settings| settings.behind_proxy = behind_proxy).await;
        let host = app.url.strip_prefix("http://").unwrap().to_owned();
        let mut request = app
            .http
            .post(format!("{}/manager/login", app.url))
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(scheme) = forwarded {
            request = request.header("x-forwarded-proto", scheme);
        }
        if let Some(scheme) = origin {
            request = request.header(ORIGIN, format!("{scheme}://{host}"));
        }
        let answer = request.body(format!("token={ADMIN}")).send().await.unwrap();
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
        assert_eq!(cookie.contains("Secure"), secure, "{behind_proxy} {forwarded:?} {origin:?}: {cookie}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_sees_their_own_and_errors_are_pages() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.member("alice").await, app.member("bob").await);
    let hook = app.deploy_as(&alice, "hers.ipynb", &notebook(&["1"]), json!({})).await;
    let visitor = Visitor::sign_in(&app, &bob).await;
    assert!(!visitor.page("/manager/hooks").await.contains("hers.ipynb"));
    let visitor = Visitor::sign_in(&app, &alice).await;
    let page = visitor.page("/manager/hooks").await;
    assert!(page.contains("hers.ipynb") && page.contains(url(&hook)));
    let missing = visitor.get("/manager/no/such/page").send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert!(missing.text().await.unwrap().contains("<h1>Not Found</h1>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_the_cookie_is_for_tls_and_for_its_path() {
    let app = TestApp::start_with(|settings| {
        settings.public_url = Some("https://example.org/notebooks/".to_owned());
        settings.behind_proxy = true;
    })
    .await;
    let answer = post_token(&app, ADMIN, "/notebooks/manager/runs").await;
    assert_eq!(answer.headers()[LOCATION], "/notebooks/manager/runs");
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.contains("Path=/notebooks/manager") && cookie.contains("Secure"), "{cookie}");
    let asked = app.http.get(format!("{}/manager/hooks", app.url)).send().await.unwrap();
    assert_eq!(asked.headers()[LOCATION], "/notebooks/manager/login?next=%2Fnotebooks%2Fmanager%2Fhooks");
    let login = app.http.get(format!("{}/manager/login", app.url)).send().await.unwrap().text().await.unwrap();
    assert!(login.contains("action=\"&#x2f;notebooks&#x2f;manager/login\""), "{login}");
}
