//! Compiles the protos to Rust and to the descriptor set that reflection serves, without protoc.
//!
//! Everything goes to `OUT_DIR`: no generated code is kept in the repository.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message as _;

/// The folder of the protos, and the root of their packages beside it.
const PROTOS: &str = "duban";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={PROTOS}");
    let mut files = Vec::new();
    collect(Path::new(PROTOS), &mut files)?;
    files.sort();

    let descriptors = protox::compile(&files, ["."])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run by cargo only")?);
    fs::write(out.join("duban.bin"), descriptors.encode_to_vec())?;

    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        // A body is copied from the log to every reader: shared, not cloned.
        .bytes(".duban.audit.v1.Event.body")
        .compile_fds(descriptors)?;
    Ok(())
}

/// Every `.proto` below a folder.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
