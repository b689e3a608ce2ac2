//! Which part of a list is asked for.

/// `limit` items from the `offset`th on, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub limit: u32,
    pub offset: u32,
}
