//! Tells cargo to build again when a file appears in a folder that is embedded in the binary: `include_dir!` sees changed
//! files, but not new ones.

fn main() {
    for folder in ["templates", "python/src", "python/alias", "python/requirements", "src/store/migrations"] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
