// A Ross daemon and a Ross client on tonic, which the real daemon is made with: `ross-peer serve` prints its address and runs
// until its standard input ends; `ross-peer drive ADDRESS FOLLOWED INTERACTIVE IMAGE` makes calls for two containers and an image
// and prints a line for whatever comes back.
mod client;
mod server;

pub mod ross {
    tonic::include_proto!("ross");
}

pub type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => server::serve().await,
        ["drive", address, followed, interactive, image] => client::drive(address, followed, interactive, image).await,
        _ => Err("usage: ross-peer serve | ross-peer drive ADDRESS FOLLOWED INTERACTIVE IMAGE".into()),
    }
}
