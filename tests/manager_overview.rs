//! The manager's overview: how busy the server is and was, what is on its disk, and for whom.

use chrono::TimeDelta;
use serde_json::json;

use crate::app::{ADMIN, TestApp, eventually, notebook, spawns};
use crate::deliveries::noon;
use crate::manager::Visitor;
use crate::tasks::{Signs, WAITS, ended, start};

/// The table of queue and kernels, from its latest row on.
fn table(page: &str) -> &str {
    page.split("The most at once, the latest first").nth(1).unwrap().split("<tbody>").nth(1).unwrap()
}

/// When the latest row begins.
fn begins(page: &str) -> &str {
    table(page).split("datetime=\"").nth(1).unwrap_or_default().split('"').next().unwrap()
}

/// The numbers of the latest row of the table of queue and kernels: calls waiting, runs going on, warm kernels.
fn latest(page: &str) -> Vec<usize> {
    let row = table(page).split("</tr>").next().unwrap();
    row.split("<td class=\"num\">").skip(1).map(|cell| cell.split('<').next().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn queue_and_kernels_are_shown_over_time_and_names_are_text() {
    let signs = Signs::new();
    let app = TestApp::start_at(noon(), |settings| settings.kernel.limit = 1).await;
    let clock = app.clock.as_ref().unwrap();
    let visitor = Visitor::sign_in(&app, ADMIN).await;
    assert!(visitor.page("/manager").await.contains("No notebook is deployed yet"));
    let hook = app.deploy("<script>alert(1)<.ipynb", &notebook(&[WAITS, "1/0"]), json!({})).await;
    let tasks = [
        start(&app, &hook, &signs.query("a")).await,
        start(&app, &hook, &signs.query("b")).await,
        start(&app, &hook, &signs.query("c")).await,
    ];
    let is_there = async || ["a", "b", "c"].iter().any(|name| signs.path(name).exists());
    eventually("one runs", is_there).await;
    clock.advance(TimeDelta::minutes(10));
    eventually("two wait", async || latest(&visitor.page("/manager").await).starts_with(&[2, 1])).await;
    let page = visitor.page("/manager").await;
    assert!(page.contains("Calls waiting: <strong>2</strong>") && page.contains("the last 10 minutes"), "{page}");
    let lines: Vec<_> = page.split("<polyline class=\"line ").skip(1).collect();
    let depth = |line: &str| -> u32 {
        line.split('"').nth(2).unwrap().rsplit(',').next().unwrap().parse().unwrap() // from the top, at the right end
    };
    assert!(lines.len() == 3 && depth(lines[0]) < depth(lines[1]) && depth(lines[1]) < 60, "{lines:?}");
    assert!(page.contains("<p class=\"figure\">3</p>") && !page.contains("<script>alert"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;.ipynb"));

    signs.give("gate");
    for task in &tasks {
        ended(&app, task).await;
    }
    app.quiet().await;
    let sampled = async |time: &str| {
        eventually("a sample is taken", async || begins(&visitor.page("/manager").await).contains(time)).await;
    };
    clock.advance(TimeDelta::minutes(20)); // a row of the table is for five minutes now, later for half an hour
    sampled("T12:30:00").await; // has the most since the one before
    clock.advance(TimeDelta::hours(3));
    sampled("T15:30:00").await;
    let page = visitor.page("/manager").await;
    assert!(latest(&page).starts_with(&[0, 0]));
    let dashes: Vec<_> = page.split("<path class=\"line ").skip(1).map(|path| path.matches("h8").count()).collect();
    assert_eq!(dashes, [1, 1, 1], "the three runs ended within one hour: {page}");
    eventually("a kernel waits", async || {
        clock.advance(TimeDelta::seconds(10));
        spawns() || latest(&visitor.page("/manager").await).last().is_some_and(|warm| *warm > 0)
    })
    .await;
    let page = visitor.page("/manager").await;
    assert!(page.contains("the last 6 hours") && page.contains("Hooks whose runs failed"), "{page}");
    assert!(!page.contains("<script>alert"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_shown_to_admins_only() {
    let app = TestApp::start_with(|settings| settings.keep.total = 2_048).await;
    let member = app.member("olga").await;
    let hook = app.deploy_as(&member, "prints.ipynb", &notebook(&["print('x' * 300_000)"]), json!({})).await;
    app.call(&hook, &[]).await;
    let page = Visitor::sign_in(&app, ADMIN).await.page("/manager").await;
    let row = |name: &str| -> Vec<String> {
        let row = page.split(&format!("<td>{name}</td>")).nth(1).unwrap_or_else(|| panic!("{name}: {page}"));
        let row = row.split("</tr>").next().unwrap();
        row.split("<td class=\"num nowrap\">").skip(1).map(|cell| cell.split('<').next().unwrap().to_owned()).collect()
    };
    let outputs = row("Outputs of runs");
    assert!(outputs[0].starts_with("29") && outputs[0].ends_with(" KiB") && outputs[1] == "2.0 GiB", "{outputs:?}");
    assert_ne!(row("Database")[0], "0 B");
    assert!(page.contains("% of the disk are taken") && page.contains("are free"), "{page}");
    let page = Visitor::sign_in(&app, &member).await.page("/manager").await;
    assert!(page.contains("Queue and kernels") && !page.contains("Outputs of runs") && !page.contains("are free"));
}
