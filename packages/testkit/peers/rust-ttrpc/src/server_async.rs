// The async server. Its handlers do what echo-handlers.ts does.
use std::sync::Arc;

use async_trait::async_trait;
use protobuf::Message;
use protobuf::well_known_types::empty::Empty;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Notify;
use ttrpc::r#async::{Server, ServerStream, ServerStreamReceiver, ServerStreamSender, TtrpcContext};
use ttrpc::{Error, Result};

use crate::Failure;
use crate::shared::{Hanging, Watch, failure, pairs};
use crate::tasks::echo::{
    EchoRequest, EchoResponse, FailRequest, InspectResponse, SplitRequest, inspect_response::Pair,
};
use crate::tasks::echo_ttrpc::{EchoService, create_echo_service};

struct Echo {
    release: Arc<Notify>,
}

pub async fn serve(path: &str) -> std::result::Result<(), Failure> {
    let release = Arc::new(Notify::new());
    let service = create_echo_service(Arc::new(Echo { release: release.clone() }));
    let mut server = Server::new().bind(&format!("unix://{path}"))?.register_service(service);
    server.start().await?;
    println!("listening");
    let mut server = Some(server);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match (line.as_str(), server.take()) {
            ("shutdown", Some(mut taken)) => {
                tokio::spawn(async move {
                    let _ = taken.shutdown().await;
                    println!("shut down");
                });
            }
            (_, kept) => {
                server = kept;
                release.notify_waiters();
            }
        }
    }
    std::process::exit(0);
}

#[async_trait]
impl EchoService for Echo {
    async fn echo(&self, ctx: &TtrpcContext, request: EchoRequest) -> Result<EchoResponse> {
        assert!(!ctx.metadata.contains_key("panic"), "asked for");
        let EchoRequest { text, payload, number, .. } = request;
        Ok(EchoResponse { text, payload, number, ..Default::default() })
    }

    async fn split(
        &self,
        ctx: &TtrpcContext,
        request: SplitRequest,
        out: ServerStreamSender<EchoResponse>,
    ) -> Result<()> {
        let watch = ctx.metadata.contains_key("watch").then(|| Watch::begin("split"));
        for number in 0..request.count {
            if request.fail_after > 0 && number == request.fail_after {
                return Err(failure(15, format!("failed after {number}"), None));
            }
            let (payload, number) = (request.payload.clone(), number.into());
            if let Err(error) = out.send(&EchoResponse { payload, number, ..Default::default() }).await {
                if let Some(watch) = watch {
                    watch.end(&format!("{error:?}"));
                }
                return Err(error);
            }
        }
        if let Some(watch) = watch {
            watch.end("all sent");
        }
        Ok(())
    }

    async fn join(&self, ctx: &TtrpcContext, mut requests: ServerStreamReceiver<EchoRequest>) -> Result<EchoResponse> {
        let watch = ctx.metadata.contains_key("watch").then(|| Watch::begin("join"));
        let mut sum = EchoResponse::new();
        let mut last = -1;
        loop {
            match requests.recv().await {
                Ok(Some(request)) => {
                    if let Some(watch) = &watch {
                        watch.got((&request.text, request.payload.len(), request.number));
                    }
                    if ctx.metadata.contains_key("ordered") && request.number != last + 1 {
                        return Err(Error::Others(format!("{} came after {last}", request.number)));
                    }
                    last = request.number;
                    sum.number += request.number;
                    sum.text += &request.text;
                    sum.payload.extend(request.payload);
                }
                Ok(None) => {
                    if let Some(watch) = watch {
                        watch.end("all requests came");
                    }
                    return Ok(sum);
                }
                Err(error) => {
                    if let Some(watch) = watch {
                        watch.end(&format!("{error:?}"));
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn chat(&self, ctx: &TtrpcContext, mut stream: ServerStream<EchoResponse, EchoRequest>) -> Result<()> {
        let watch = ctx.metadata.contains_key("watch").then(|| Watch::begin("chat"));
        loop {
            match stream.recv().await {
                Ok(Some(EchoRequest { text, payload, number, .. })) => {
                    if let Some(watch) = &watch {
                        watch.got((&text, payload.len(), number));
                    }
                    if text == "refuse" {
                        return Err(failure(10, "refused".into(), None));
                    }
                    stream.send(&EchoResponse { text, payload, number, ..Default::default() }).await?;
                }
                other => {
                    if let Some(watch) = watch {
                        watch.end(
                            &other.as_ref().map_or_else(|error| format!("{error:?}"), |_| "all requests came".into()),
                        );
                    }
                    return other.map(|_| ());
                }
            }
        }
    }

    async fn fail(&self, _: &TtrpcContext, request: FailRequest) -> Result<Empty> {
        if request.code == 0 {
            return Err(Error::Others(request.message));
        }
        let detail = EchoRequest { text: request.detail.clone(), ..Default::default() };
        let detail = (!request.detail.is_empty()).then(|| detail.write_to_bytes().unwrap_or_default());
        Err(failure(request.code, request.message, detail))
    }

    async fn inspect(&self, ctx: &TtrpcContext, _: Empty) -> Result<InspectResponse> {
        let metadata =
            pairs(&ctx.metadata).into_iter().map(|(key, value)| Pair { key, value, ..Default::default() }).collect();
        let time_remaining_ms = if ctx.timeout_nano == 0 { -1.0 } else { ctx.timeout_nano as f64 / 1e6 };
        let path = "/guestwire.test.v1.EchoService/Inspect".into();
        Ok(InspectResponse { metadata, time_remaining_ms, peer_kind: "rust".into(), path, ..Default::default() })
    }

    async fn hang(&self, _: &TtrpcContext, _: Empty) -> Result<Empty> {
        let released = self.release.notified();
        let _hanging = Hanging::begin();
        released.await;
        Ok(Empty::new())
    }
}
