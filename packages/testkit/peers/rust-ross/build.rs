// Generates the Rust of Ross's services from the repository's own protos, without protoc.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../proto");
    println!("cargo:rerun-if-changed={root}/ross");
    let files = protox::compile(["ross/container.proto", "ross/image.proto"], [root])?;
    // Methods without a handler answer UNIMPLEMENTED.
    tonic_prost_build::configure().generate_default_stubs(true).compile_fds(files)?;
    Ok(())
}
