//! nbhook turns a Jupyter notebook into a URL. This file is the map; `ARCHITECTURE.md` walks through it.

pub mod cli;
pub mod clock;
pub mod config;
pub mod kernel;
pub mod mail;
pub mod model;
pub mod notebook;
pub mod response;
pub mod store;
pub mod templates;
