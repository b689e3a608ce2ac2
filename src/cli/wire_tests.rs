use super::*;
use serde_json::json;

#[test]
fn an_error_in_one_line() {
    let summary = |value: Value| read::<RunError>(&value).unwrap().summary();
    let raised = json!({"kind": "cell-error", "cell": 3, "ename": "KeyError", "evalue": "'a'", "traceback": []});
    assert_eq!(summary(raised), "KeyError: 'a'");
    assert_eq!(summary(json!({"kind": "cell-error", "ename": "KeyboardInterrupt", "evalue": ""})), "KeyboardInterrupt");
    assert_eq!(
        summary(json!({"kind": "timeout", "detail": "took more than 5 s", "ename": null})),
        "timeout: took more than 5 s"
    );
    assert_eq!(summary(json!({"kind": "kernel-died"})), "kernel-died");
}

#[test]
fn progress_in_one_line_and_as_a_part() {
    let progress = |value: Value| {
        let progress: Progress = read(&value).unwrap();
        (progress.to_string(), progress.part())
    };
    assert_eq!(progress(json!({"done": 3, "total": 4, "message": "on it"})), ("3/4 on it".to_owned(), Some(0.75)));
    assert_eq!(progress(json!({"done": 0.5})), ("0.5".to_owned(), None));
    assert_eq!(progress(json!({"done": 9, "total": 4, "message": null})).1, Some(1.0));
    assert_eq!(progress(json!({"done": 0, "total": 0})).1, None);
}

#[test]
fn debug_shows_no_secret() {
    let token = json!({"id": "1", "name": "ci", "user": "bob", "token": "nbh_secret", "created_at": ""});
    let url: HookUrl = read(&json!("http://x/hooks/secret")).unwrap();
    let task = json!({"UUID": "1", "state": "queued", "_links": {"self": {"href": "/v1/tasks/1?key=secret"}}});
    let shown = format!("{:?} {url:?} {:?}", read::<NewToken>(&token).unwrap(), read::<Task>(&task).unwrap());
    assert!(!shown.contains("secret"), "{shown}");
}
