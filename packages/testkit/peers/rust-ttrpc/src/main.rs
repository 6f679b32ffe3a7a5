// The echo service on the crate ttrpc, by its async API or its blocking one, as server and as client, for the matrix of peers:
//   ttrpc-peer async|threads|sync server SOCKET      serves until its standard input ends; the line "shutdown" there ends it in
//                                                    the gentle way. threads is async with several workers.
//   ttrpc-peer async|sync client SOCKET CASE         makes the calls of one case, and fails with what was otherwise than expected
mod client_async;
mod client_sync;
mod server_async;
mod server_sync;
mod shared;

pub mod blocking {
    include!(concat!(env!("OUT_DIR"), "/blocking/mod.rs"));
}
pub mod tasks {
    include!(concat!(env!("OUT_DIR"), "/tasks/mod.rs"));
}

pub type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["async", "server", path] => one_thread()?.block_on(server_async::serve(path)),
        ["threads", "server", path] => threads()?.block_on(server_async::serve(path)),
        ["sync", "server", path] => server_sync::serve(path),
        ["async", "client", path, case] => threads()?.block_on(client_async::run(path, case)),
        ["sync", "client", path, case] => client_sync::run(path, case),
        _ => Err("usage: ttrpc-peer async|threads|sync server SOCKET | async|sync client SOCKET CASE".into()),
    }
}

// Four workers, however few cores there are: what depends on the order of tasks shall show.
fn threads() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()
}

// Tasks run in the order in which they were spawned.
fn one_thread() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
