//! Notebooks as data: reading, checking, injecting parameters, and writing back.
//!
//! Pure: no file, process or clock. The original JSON is kept and patched, so what this module does not know survives.

mod about;
mod check;
pub mod contract;
mod diff;
mod document;
mod identifier;
mod inject;
mod language;
mod literal;
mod masking;
mod pairs;
mod parameters;
mod redact;
mod shown;
mod spellings;
#[cfg(test)]
mod tests;
mod upgrade;

pub use about::About;
pub use diff::{CellDiff, Diff, Kind, Line, LineKind};
pub use document::{CellOutputs, Notebook};
pub use inject::{Injected, inject};
pub use language::Language;
pub use masking::{Secrets, mask, mask_value};
pub use parameters::{ParamValue, Parameters};
pub use redact::is_secret_header;
pub use shown::{Excerpt, ShownCell, ShownNotebook, ShownOutput};
pub use spellings::spellings;
