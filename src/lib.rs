//! nbhook turns a Jupyter notebook into a URL. This file is the map; `ARCHITECTURE.md` walks through it.

pub mod cli;
pub mod clock;
pub mod kernel;
pub mod model;
pub mod notebook;
