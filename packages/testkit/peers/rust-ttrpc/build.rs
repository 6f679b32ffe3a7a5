// Generates the echo service from the repository's own proto, without protoc: all of it for the async API, and what the
// blocking API can do, which has no streams.
use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

fn main() -> std::io::Result<()> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    let echo = format!("{root}/guestwire/test/v1/echo.proto");
    println!("cargo:rerun-if-changed={echo}");
    let out = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    let unary = format!("{out}/unary");
    std::fs::create_dir_all(&unary)?;
    let text = std::fs::read_to_string(&echo)?;
    let lines = text.lines().filter(|line| !line.contains("rpc ") || !line.contains("(stream "));
    std::fs::write(format!("{unary}/echo.proto"), lines.collect::<Vec<_>>().join("\n"))?;

    generate(&format!("{out}/blocking"), &unary, &format!("{unary}/echo.proto"), false)?;
    generate(&format!("{out}/tasks"), root, &echo, true)
}

fn generate(folder: &str, include: &str, input: &str, async_all: bool) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    Codegen::new()
        .out_dir(folder)
        .input(input)
        .include(include)
        .rust_protobuf()
        .customize(Customize { async_all, ..Default::default() })
        .rust_protobuf_customize(ProtobufCustomize::default().gen_mod_rs(false))
        .run()?;
    // Not the generator's own: it begins with an attribute that include! does not allow.
    std::fs::write(format!("{folder}/mod.rs"), "pub mod echo;\npub mod echo_ttrpc;\n")
}
