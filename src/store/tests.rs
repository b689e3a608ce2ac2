//! A full disk, as its errors come: what is recognised, and that nothing is half-done.

use std::io;

use chrono::{DateTime, Utc};

use super::{Database, Files, NewDeploy, StoreError, VersionFiles};
use crate::model::{Histo, HookParams, HookPath, HookToken, Owner, Page, Role, SigningSecret, User, UserId};

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).unwrap()
}

fn error(code: i32) -> StoreError {
    StoreError::File { path: "/somewhere".into(), source: io::Error::from_raw_os_error(code) }
}

async fn database(folder: &std::path::Path) -> (Database, User) {
    let db = Database::open(&folder.join("test.db")).await.unwrap();
    let bob = User { id: UserId::new(), name: "bob".parse().unwrap(), role: Role::Member, created_at: noon() };
    db.create_user(&bob).await.unwrap();
    (db, bob)
}

#[tokio::test]
async fn a_full_disk_is_told_from_other_trouble() {
    assert!(error(libc::ENOSPC).is_for_want_of_room() && error(libc::EDQUOT).is_for_want_of_room());
    assert!(!error(libc::EIO).is_for_want_of_room() && !StoreError::Exists("hook").is_for_want_of_room());
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = database(folder.path()).await;
    let full = StoreError::from(db.fill_up().await.unwrap_err());
    assert!(full.is_for_want_of_room(), "{full}");
    let wrong = StoreError::from(sqlx::Error::RowNotFound);
    assert!(!wrong.is_for_want_of_room());
}

#[tokio::test]
async fn a_deploy_whose_files_find_no_room_is_not_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let (db, bob) = database(folder.path()).await;
    let path = HookPath::parse("a.ipynb").unwrap();
    let new = NewDeploy {
        owner: bob.id,
        owner_name: &bob.name,
        path: &path,
        token: HookToken::from_random([7; 20]),
        params: &HookParams::default(),
        size: 2,
        python: None,
        imports: None,
        contract: None,
        callbacks: None,
        callback_secret: &SigningSecret::from_random([7; 32]),
        now: noon(),
    };
    let failed = db.deploy(new, |_| async { Err(error(libc::ENOSPC)) }).await.unwrap_err();
    assert!(failed.is_for_want_of_room());
    assert!(db.hooks(None, None, Page { limit: 10, offset: 0 }).await.unwrap().is_empty());
    assert!(db.on_record(bob.id, &path).await.unwrap().versions.is_empty());
}

#[test]
fn a_version_that_finds_no_place_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _lock) = Files::open(folder.path()).unwrap();
    let (bob, histo): (Owner, Histo) = ("bob".parse().unwrap(), Histo::next(noon(), None));
    let place = |path: &str| {
        let staged = files.stage(&VersionFiles { notebook: b"{}", dependencies: &[] }).unwrap();
        staged.place(&bob, &HookPath::parse(path).unwrap(), &histo)
    };
    place("a.ipynb").unwrap();
    // Its place is taken, by a folder that is not empty.
    place("a.ipynb").unwrap_err();
    // A folder of its path cannot be made: the name is a file's.
    std::os::unix::fs::symlink("/dev/null", folder.path().join("bob/null")).unwrap();
    place("null/b.ipynb").unwrap_err();
    place("new/x/y.ipynb").unwrap();
    files.remove_version(&bob, &HookPath::parse("new/x/y.ipynb").unwrap(), &histo).unwrap();
    let mut left: Vec<_> =
        std::fs::read_dir(folder.path().join("bob")).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.ipynb", "null"]);
    assert_eq!(std::fs::read_dir(folder.path().join(".nbhook/scratch")).unwrap().count(), 0);
}

#[test]
fn the_reserve_is_given_back_once() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _lock) = Files::open(folder.path()).unwrap();
    assert!(!files.release_reserve().unwrap());
    files.fill_reserve().unwrap();
    files.fill_reserve().unwrap();
    assert!(files.own("reserve").metadata().unwrap().len() >= 4 << 20);
    assert!(files.release_reserve().unwrap() && !files.release_reserve().unwrap());
}
