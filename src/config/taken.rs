//! Secret settings from the environment, which do not stay there.
//!
//! What reads the process's variables later, a library or a program that is started with them, does not find these. Linux goes on
//! showing the variables that the process began with; who may look at those is another matter (`kernel::process::hide`).

use std::sync::OnceLock;

/// By their names as variables, in capitals.
const SECRET: [&str; 3] = ["NBHOOK_ADMIN_TOKEN", "NBHOOK_SECRET_KEY", "NBHOOK_SMTP__URL"];

static TAKEN: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// Takes them out of the environment; [`super::Settings::load`] knows them nevertheless.
///
/// # Safety
/// No other thread may be running yet.
#[expect(unsafe_code, reason = "std says that nobody else may be reading the environment while it is changed")]
pub unsafe fn take_secrets() {
    let is_secret = |name: &str| SECRET.contains(&name.to_ascii_uppercase().as_str());
    let of_text =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let taken: Vec<_> = of_text.filter(|(name, _)| is_secret(name)).collect();
    for (name, _) in &taken {
        // SAFETY: the caller says that this is the only thread.
        unsafe { std::env::remove_var(name) };
    }
    let _ = TAKEN.set(taken); // a second time there is nothing to take
}

/// The process's variables, and those that were taken out.
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars().chain(TAKEN.get().into_iter().flatten().cloned())
}
