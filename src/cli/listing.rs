//! What the longer lists may be told: how much of them, and in which form.

use clap::Args;

/// How much of a list is shown, and how.
#[derive(Debug, Args)]
pub(super) struct Listing {
    /// At most this many
    #[arg(long, default_value_t = 100, conflicts_with = "all")]
    limit: usize,
    /// All there are
    #[arg(long)]
    all: bool,
    /// Print the server's JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Listing {
    /// How many are asked for; none: all.
    pub(super) fn most(&self) -> Option<usize> {
        (!self.all).then_some(self.limit)
    }
}
