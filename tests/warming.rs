//! Modules that a hook's kernels have imported before their run.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, eventually, notebook, ok, spawns};
use crate::responses::answer_with;

const PANDAS: &str =
    "import sys\nthere = 'pandas' in sys.modules\ntry:\n    import pandas\nexcept ImportError:\n    import csv";

async fn warm(app: &TestApp, hook: &Value) -> Value {
    app.get(&format!("/v1/hooks/{}", hook["id"].as_str().unwrap())).await["warm"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_notebook_imports_is_there_when_its_runs_begin() {
    if spawns() {
        return;
    }
    let app = TestApp::start().await;
    let cells = [PANDAS, &answer_with("respond_json(there)")];
    let hook = app.deploy("warm.ipynb", &notebook(&cells), json!({})).await;
    assert_eq!(hook["warm"]["modules"], json!(["pandas"]), "{hook}");
    eventually("the template is ready", async || warm(&app, &hook).await["state"] == "ready").await;
    assert_eq!(warm(&app, &hook).await["left_out"], json!([]));
    assert_eq!(ok(app.call(&hook, &[]).await).await, json!(true));

    let off = app.deploy("off.ipynb", &notebook(&cells), json!({"warm": "none"})).await;
    assert_eq!(off["warm"], json!({"state": "off", "reason": "it is switched off (warm)"}));
    assert_eq!(ok(app.call(&off, &[]).await).await, json!(false));
    let on = json!({"params": {"warm": "imports"}});
    let path = format!("/v1/hooks/{}", off["id"].as_str().unwrap());
    let changed = ok(app.api(Method::PATCH, &path).json(&on).send().await.unwrap()).await;
    assert_eq!(changed["warm"]["state"], "ready", "the other hook's template serves it: {changed}");
    assert_eq!(ok(app.call(&off, &[]).await).await, json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_an_import_may_depend_on_the_run_nothing_is_imported_before() {
    if spawns() {
        return;
    }
    let app = TestApp::start().await;
    let reason = async |name: &str, cells: &[&str], params: Value| {
        let hook = app.deploy(name, &notebook(cells), params).await;
        (
            hook["warm"]["state"].as_str().unwrap().to_owned(),
            hook["warm"]["reason"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let sets = ["import os\nos.environ['OMP_NUM_THREADS'] = '1'", "import numpy"];
    let (state, why) = reason("sets.ipynb", &sets, json!({})).await;
    assert_eq!((state.as_str(), why.contains("os.environ")), ("off", true), "{why}");
    assert_eq!(reason("forced.ipynb", &sets, json!({"warm": "imports"})).await.0, "preparing");
    assert_eq!(reason("path.ipynb", &["import sys\nsys.path.insert(0, 'x')\nimport numpy"], json!({})).await.0, "off");
    assert_eq!(reason("magic.ipynb", &["%env A=b", "import numpy"], json!({})).await.0, "off");
    assert_eq!(reason("env.ipynb", &["import numpy"], json!({"env": {"A": "b"}})).await.0, "off");
    assert_eq!(reason("shared.ipynb", &["import numpy"], json!({"workdir": "persistent"})).await.0, "off");
    assert_eq!(reason("nothing.ipynb", &["def f():\n    import numpy", "%%bash\nimport x"], json!({})).await.0, "off");

    // A file beside the notebook takes the place of a module, for this hook.
    let own = notebook(&["import own, numpy", &answer_with("respond_json(own.NAME)")]);
    let meta = json!({"path": "own.ipynb"});
    let deployed = ok(app.upload(&meta, own.to_string().as_bytes(), &[("own.py", b"NAME = 'mine'")]).await).await;
    assert_eq!(deployed["warm"]["modules"], json!(["numpy"]));
    eventually("the template is ready", async || warm(&app, &deployed).await["state"] == "ready").await;
    assert_eq!(ok(app.call(&deployed, &[]).await).await, json!("mine"));
    let other = notebook(&["import numpy, pandas", &answer_with("respond_json(numpy.NAME)")]);
    let files: [(&str, &[u8]); 2] = [("numpy.py", b"NAME = 'mine'"), ("pandas/__init__.py", b"")];
    let deployed = ok(app.upload(&json!({"path": "other.ipynb"}), other.to_string().as_bytes(), &files).await).await;
    assert_eq!(deployed["warm"]["state"], "off", "{deployed}");
    assert_eq!(ok(app.call(&deployed, &[]).await).await, json!("mine"));
}
