//! The manager's pages, as a browser asks for them.

use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::json;

use crate::app::{ADMIN, TestApp, notebook, ok, url};

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
        answer.text().await.unwrap().replace("&#x2f;", "/") // as templates escape it
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
    for elsewhere in
        ["https://evil.example/", "//evil.example", "/manager.evil.example", "/manager\\..\\..", "javascript:1"]
    {
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
    ok(visitor.get("/manager/v1/users").send().await.unwrap()).await;
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
