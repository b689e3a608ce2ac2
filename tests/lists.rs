//! What all lists of the API have in common.

use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, notebook, problem};

#[tokio::test(flavor = "multi_thread")]
async fn every_list_has_the_one_envelope_and_refuses_what_it_cannot_do() {
    let app = TestApp::start().await;
    let hook = app.deploy("a.ipynb", &notebook(&["1"]), json!({})).await;
    let of_hook = |list: &str| format!("/v1/hooks/{}/{list}", hook["id"].as_str().unwrap());
    let names = [
        "hooks",
        "runs",
        "tasks",
        "inboxes",
        "callbacks",
        "profiles",
        "subscriptions",
        "events",
        "deliveries",
        "users",
        "tokens",
    ];
    let lists = names.iter().map(|name| format!("/v1/{name}"));
    for list in lists.chain([of_hook("versions"), of_hook("outputs")]) {
        let told = app.get(&list).await;
        let members: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["filters", "sort", "limit", "offset", "items"], "{list}");
        assert_eq!((&told["filters"], &told["limit"], &told["offset"]), (&json!({}), &json!(25), &json!(0)), "{list}");
        let page = app.get(&format!("{list}/?limit=250&offset=7")).await;
        assert_eq!((&page["limit"], &page["offset"], &page["items"]), (&json!(250), &json!(7), &json!([])));
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=251", "limit"),
            ("offset=x", "offset"),
            ("filters[nonsense]=1", "filters[nonsense]"),
        ] {
            let refused = app.api(Method::GET, &format!("{list}?{query}")).send().await.unwrap();
            assert_eq!(problem(refused, 422).await["field"], field, "{list}?{query}");
        }
    }
}
