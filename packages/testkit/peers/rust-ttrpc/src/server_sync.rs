// The blocking server: unary calls. Its handlers do what echo-handlers.ts does.
use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protobuf::Message;
use protobuf::well_known_types::empty::Empty;
use ttrpc::{Error, Result, Server, TtrpcContext};

use crate::Failure;
use crate::blocking::echo::{EchoRequest, EchoResponse, FailRequest, InspectResponse, inspect_response::Pair};
use crate::blocking::echo_ttrpc::{EchoService, create_echo_service};
use crate::shared::{Hanging, failure, pairs};

struct Echo {
    released: Arc<AtomicBool>,
}

pub fn serve(path: &str) -> std::result::Result<(), Failure> {
    let released = Arc::new(AtomicBool::new(false));
    let service = create_echo_service(Arc::new(Echo { released: released.clone() }));
    let mut server = Server::new().bind(&format!("unix://{path}"))?.register_service(service);
    server.start()?;
    println!("listening");
    let mut server = Some(server);
    for line in std::io::stdin().lock().lines() {
        match (line?.as_str(), server.take()) {
            ("shutdown", Some(taken)) => {
                std::thread::spawn(move || {
                    taken.shutdown();
                    println!("shut down");
                });
            }
            (_, kept) => {
                server = kept;
                released.store(true, Ordering::SeqCst);
            }
        }
    }
    std::process::exit(0);
}

impl EchoService for Echo {
    fn echo(&self, ctx: &TtrpcContext, request: EchoRequest) -> Result<EchoResponse> {
        assert!(!ctx.metadata.contains_key("panic"), "asked for");
        let EchoRequest { text, payload, number, .. } = request;
        Ok(EchoResponse { text, payload, number, ..Default::default() })
    }

    fn fail(&self, _: &TtrpcContext, request: FailRequest) -> Result<Empty> {
        if request.code == 0 {
            return Err(Error::Others(request.message));
        }
        let detail = EchoRequest { text: request.detail.clone(), ..Default::default() };
        let detail = (!request.detail.is_empty()).then(|| detail.write_to_bytes().unwrap_or_default());
        Err(failure(request.code, request.message, detail))
    }

    fn inspect(&self, ctx: &TtrpcContext, _: Empty) -> Result<InspectResponse> {
        let metadata =
            pairs(&ctx.metadata).into_iter().map(|(key, value)| Pair { key, value, ..Default::default() }).collect();
        let time_remaining_ms = if ctx.timeout_nano == 0 { -1.0 } else { ctx.timeout_nano as f64 / 1e6 };
        let path = "/guestwire.test.v1.EchoService/Inspect".into();
        Ok(InspectResponse { metadata, time_remaining_ms, peer_kind: "rust".into(), path, ..Default::default() })
    }

    fn hang(&self, ctx: &TtrpcContext, _: Empty) -> Result<Empty> {
        let _hanging = Hanging::begin();
        while !self.released.load(Ordering::SeqCst) {
            // The channel ends with the connection; until then nothing comes.
            if ctx.cancel_rx.recv_timeout(Duration::from_millis(10)).is_err_and(|error| error.is_disconnected()) {
                return Err(failure(1, "the client is gone".into(), None));
            }
        }
        Ok(Empty::new())
    }
}
