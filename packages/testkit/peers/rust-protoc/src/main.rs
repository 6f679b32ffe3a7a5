// Stands in for protoc where a crate's build script wants it: compiles protos to a descriptor set, and nothing else.
use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut includes = Vec::new();
    let mut files = Vec::new();
    let mut out = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-o" => out = arguments.next(),
            "-I" => includes.extend(arguments.next()),
            // Imports and comments are always included; the rest is of no meaning here.
            other if other.starts_with("--") => {}
            _ => files.push(argument),
        }
    }
    let out = out.ok_or("-o is missing: where the descriptor set goes")?;
    let set = protox::Compiler::new(includes)?
        .include_imports(true)
        .include_source_info(true)
        .open_files(&files)?
        .file_descriptor_set();
    std::fs::write(out, set.encode_to_vec())?;
    Ok(())
}
