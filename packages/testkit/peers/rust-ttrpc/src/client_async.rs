// The async client: makes the calls of one case, and fails with what was otherwise than expected.
use std::time::Duration;

use protobuf::Message;
use protobuf::well_known_types::empty::Empty;
use ttrpc::Request;
use ttrpc::r#async::Client;
use ttrpc::context::{self, Context};

use crate::Failure;
use crate::shared::{LARGEST, expect, expect_code, expect_failed};
use crate::tasks::echo::{EchoRequest, EchoResponse, FailRequest, SplitRequest};
use crate::tasks::echo_ttrpc::EchoServiceClient;

const TIMEOUT: &str = "Request deadline elapsed";
const LOST: &str = "socket err";
const HALF_CLOSED: &str = "";

fn none() -> Context {
    Context::default()
}

fn split(count: u32, payload: usize) -> SplitRequest {
    SplitRequest { count, payload: vec![7; payload], ..Default::default() }
}

fn numbered(text: &str, number: i64) -> EchoRequest {
    EchoRequest { text: text.into(), number, ..Default::default() }
}

/// Makes one plain call, to see that the connection is as it should be.
async fn works(client: &EchoServiceClient) -> Result<(), Failure> {
    expect("a call afterwards", client.echo(none(), &numbered("after", 0)).await?.text, "after".into())
}

/// Reads a stream to its end: how many messages came, in order.
async fn count(client: &EchoServiceClient, request: &SplitRequest) -> Result<i64, (i64, ttrpc::Error)> {
    let mut stream = client.split(none(), request).await.map_err(|error| (0, error))?;
    let mut count = 0;
    while let Some(message) = stream.recv().await.map_err(|error| (count, error))? {
        if message.number != count || message.payload.len() != request.payload.len() {
            return Err((count, ttrpc::Error::Others(format!("number {} came", message.number))));
        }
        count += 1;
    }
    Ok(count)
}

pub async fn run(path: &str, case: &str) -> Result<(), Failure> {
    let address = format!("unix://{path}");
    let connection = Client::connect(&address).await?;
    let client = EchoServiceClient::new(connection.clone());
    match case {
        "unary" => {
            let sent =
                EchoRequest { text: "☺ text".into(), payload: vec![0, 1, 255], number: -5, ..Default::default() };
            let got = client.echo(none(), &sent).await?;
            expect("answer", (got.text, got.payload, got.number), (sent.text, sent.payload, sent.number))
        }
        "empty" => expect("answer", client.echo(none(), &EchoRequest::new()).await?, EchoResponse::new()),
        "metadata" => {
            let mut context = none();
            context.add("X-Number".into(), "1".into());
            context.add("x-number".into(), "2".into());
            context.add("y".into(), "".into());
            let seen = client.inspect(context, &Empty::new()).await?;
            let mut pairs: Vec<_> = seen.metadata.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
            // The library sends its keys in the order of a hash table; the values of a key stay in order.
            pairs.sort_by_key(|pair| pair.0);
            expect("metadata", pairs, vec![("x-number", "1"), ("x-number", "2"), ("y", "")])
        }
        "timeout" => {
            let left = client
                .inspect(context::with_duration(Duration::from_secs(600)), &Empty::new())
                .await?
                .time_remaining_ms;
            expect("time left", left > 500_000.0 && left <= 600_000.0, true)?;
            expect("without a deadline", client.inspect(none(), &Empty::new()).await?.time_remaining_ms, -1.0)
        }
        "deadline" => {
            let ended = client.hang(context::with_duration(Duration::from_millis(50)), &Empty::new()).await;
            if !matches!(&ended, Err(ttrpc::Error::RpcStatus(status)) if status.code.value() == 4) {
                expect_failed("after the deadline", ended, TIMEOUT)?;
            }
            works(&client).await
        }
        "status" => {
            for code in 1..=16 {
                let message = format!("code {code}\t\n☺ 😈");
                let request = FailRequest { code, message: message.clone(), detail: "d".into(), ..Default::default() };
                let Err(ttrpc::Error::RpcStatus(status)) = client.fail(none(), &request).await else {
                    return Err(format!("no status for {code}").into());
                };
                let detail = status.details.first().ok_or("no detail")?;
                let text = EchoRequest::parse_from_bytes(&detail.value)?.text;
                expect("status", (status.code.value(), status.message, text), (code, message, "d".into()))?;
            }
            let plain = FailRequest { message: "plain".into(), ..Default::default() };
            expect_code("a plain error", client.fail(none(), &plain).await, 2)
        }
        "unknown" => {
            for (service, method) in [("no.Such", "Echo"), ("guestwire.test.v1.EchoService", "Nope")] {
                let request = Request { service: service.into(), method: method.into(), ..Default::default() };
                expect_code(service, connection.request(request).await, 12)?;
            }
            works(&client).await
        }
        "size_below" => {
            let request = EchoRequest { payload: vec![3; LARGEST], ..Default::default() };
            expect("bytes", client.echo(none(), &request).await?.payload.len(), LARGEST)?;
            works(&client).await
        }
        "size_above" => {
            let request = EchoRequest { payload: vec![3; LARGEST + 1], ..Default::default() };
            expect_failed("one byte more", client.echo(none(), &request).await, "exceed maximum message size")?;
            works(&client).await
        }
        "shutdown" => {
            expect_failed("the running call", client.hang(none(), &Empty::new()).await, LOST)?;
            let second = context::with_duration(Duration::from_millis(500));
            expect("a call afterwards", client.echo(second, &EchoRequest::new()).await.is_err(), true)
        }
        // The server ends its side and goes on reading.
        "half_closed" => {
            expect_failed("the running call", client.hang(none(), &Empty::new()).await, LOST)?;
            let second = context::with_duration(Duration::from_millis(500));
            expect_failed("a call afterwards", client.echo(second, &EchoRequest::new()).await, HALF_CLOSED)
        }
        "server_stream" => {
            for size in [0, 1, 5000, 100_000] {
                expect("messages", count(&client, &split(30, size)).await, Ok(30))?;
            }
            Ok(())
        }
        "client_stream" => {
            let mut stream = client.join(none()).await?;
            stream.send(&EchoRequest::new()).await?;
            for number in 0..200 {
                stream.send(&numbered("x", number)).await?;
            }
            stream.send(&EchoRequest::new()).await?;
            let sum = stream.close_and_recv().await?;
            expect("sum", (sum.number, sum.text.len()), (19_900, 200))
        }
        "bidi" => {
            let mut stream = client.chat(none()).await?;
            for number in 0..100 {
                stream.send(&numbered("", number)).await?;
                expect("number", stream.recv().await?.number, number)?;
            }
            stream.close_send().await?;
            expect("end", stream.recv().await, Err(ttrpc::Error::Eof))
        }
        "empty_stream" => {
            expect("a stream of nothing", count(&client, &split(0, 0)).await, Ok(0))?;
            expect("the sum of nothing", client.join(none()).await?.close_and_recv().await?, EchoResponse::new())?;
            let (sender, mut receiver) = client.chat(none()).await?.split();
            let sending = tokio::spawn(async move {
                for _ in 0..1000 {
                    sender.send(&EchoRequest::new()).await?;
                }
                sender.close_send().await
            });
            for _ in 0..1000 {
                expect("message", receiver.recv().await?, EchoResponse::new())?;
            }
            sending.await??;
            expect("end", receiver.recv().await, Err(ttrpc::Error::Eof))
        }
        "stream_error" => {
            match count(&client, &SplitRequest { count: 10, fail_after: 3, ..Default::default() }).await {
                Err((3, error)) => expect_code("in the middle", Err::<(), _>(error), 15)?,
                other => return Err(format!("the stream ended with {other:?}").into()),
            }
            works(&client).await
        }
        "early_end" => {
            let mut chat = client.chat(none()).await?;
            for number in 0..50 {
                chat.send(&numbered(if number == 1 { "refuse" } else { "" }, number)).await?;
            }
            expect("first", chat.recv().await?.number, 0)?;
            expect_code("refused", chat.recv().await, 10)?;
            works(&client).await
        }
        "reply_above" => {
            let mut stream = client.join(none()).await?;
            for _ in 0..2 {
                stream.send(&EchoRequest { payload: vec![0; 5 << 19], ..Default::default() }).await?;
            }
            expect_code("an answer of 5 MiB", stream.close_and_recv().await, 8)?;
            works(&client).await
        }
        "cancel_unary" => {
            let other = client.clone();
            let hanging = tokio::spawn(async move { other.hang(none(), &Empty::new()).await });
            works(&client).await?;
            hanging.abort();
            expect("aborted", hanging.await.is_err_and(|error| error.is_cancelled()), true)?;
            works(&client).await
        }
        // The library tells the server nothing.
        "cancel_stream" => {
            let mut chat = client.chat(none()).await?;
            chat.send(&numbered("a", 1)).await?;
            expect("answer", chat.recv().await?.text, "a".into())?;
            drop(chat);
            for _ in 0..20 {
                let mut stream = client.split(none(), &split(200, 100)).await?;
                stream.recv().await?;
            }
            works(&client).await
        }
        "unread" => {
            let mut unread = client.split(none(), &split(1000, 100)).await?;
            for _ in 0..1000 {
                works(&client).await?;
            }
            for number in 0..1000 {
                expect("number", unread.recv().await?.map(|message| message.number), Some(number))?;
            }
            Ok(())
        }
        "concurrent" | "crowd" => {
            let calls = if case == "crowd" { 20_000 } else { 1000 };
            let call = |number: i64| {
                let client = client.clone();
                tokio::spawn(async move {
                    if number % 10 == 0 {
                        return count(&client, &split(5, 100)).await.map_err(|(_, error)| error);
                    }
                    Ok(client.echo(none(), &numbered("", number)).await?.number)
                })
            };
            let calls: Vec<_> = (0..calls).map(call).collect();
            for (number, call) in (0..).zip(calls) {
                expect("answer", call.await??, if number % 10 == 0 { 5 } else { number })?;
            }
            Ok(())
        }
        "reset" => {
            let mut chat = client.chat(none()).await?;
            expect_failed("the call", client.hang(none(), &Empty::new()).await, LOST)?;
            expect_failed("the stream", chat.recv().await, LOST)?;
            works(&EchoServiceClient::new(Client::connect(&address).await?)).await
        }
        _ => Err(format!("no case is named {case}").into()),
    }
}
