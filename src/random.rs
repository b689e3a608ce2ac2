//! The randomness seam: where tokens come from.

use std::sync::Arc;

/// A source of random bits.
pub trait Random: Send + Sync + std::fmt::Debug {
    /// # Errors
    /// When the operating system has no randomness to give.
    fn bits160(&self) -> std::io::Result<[u8; 20]>;

    /// # Errors
    /// As [`Self::bits160`].
    fn bits256(&self) -> std::io::Result<[u8; 32]>;
}

pub type SharedRandom = Arc<dyn Random>;

/// The operating system's generator.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bits160(&self) -> std::io::Result<[u8; 20]> {
        fill()
    }

    fn bits256(&self) -> std::io::Result<[u8; 32]> {
        fill()
    }
}

fn fill<const SIZE: usize>() -> std::io::Result<[u8; SIZE]> {
    let mut bytes = [0; SIZE];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}
