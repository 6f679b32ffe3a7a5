// An ArcBox agent and a host's client of one, on the messages of the crate arcbox-protocol: `arcbox-peer serve PATH` prints PATH
// and answers until its standard input ends; `arcbox-peer drive PATH` makes calls and prints a line for whatever comes back.
mod client;
mod frame;
mod server;

pub type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", path] => server::serve(path),
        ["drive", path] => client::drive(path),
        _ => Err("usage: arcbox-peer serve PATH | arcbox-peer drive PATH".into()),
    }
}
