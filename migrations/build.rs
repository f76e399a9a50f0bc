//! Says when the embedded SQL has to be embedded again: the compiler does not see a file that was added to a folder.

fn main() {
    for folder in ["backbone", "cdc", "commerce", "identity", "inventory", "invoice", "seeds"] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
