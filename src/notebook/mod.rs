//! Notebooks as data: reading, checking, injecting parameters, and writing back.
//!
//! Pure: no file, process or clock. The original JSON is kept and patched, so what this module does not know survives.
