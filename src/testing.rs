//! What unit tests of several modules share.

use std::path::{Path, PathBuf};

/// The interpreter that has ipykernel, nbclient, aiosmtpd and what the fixtures import; `./test` makes it.
pub(crate) fn python() -> PathBuf {
    let made = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-venv/bin/python");
    let python = std::env::var_os("NBHOOK_TEST_PYTHON").map_or_else(made, PathBuf::from);
    assert!(python.exists(), "{} is missing: run ./test, which makes it", python.display());
    python
}
