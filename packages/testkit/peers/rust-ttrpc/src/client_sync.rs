// The blocking client: makes the calls of one case, and fails with what was otherwise than expected.
use std::time::Duration;

use protobuf::Message;
use protobuf::well_known_types::empty::Empty;
use ttrpc::context::{self, Context};
use ttrpc::{Client, Request};

use crate::Failure;
use crate::blocking::echo::{EchoRequest, EchoResponse, FailRequest};
use crate::blocking::echo_ttrpc::EchoServiceClient;
use crate::shared::{LARGEST, expect, expect_code, expect_failed};

const TIMEOUT: &str = "timed out waiting on channel";
const LOST: &str = "socket err";
// It is not told that nobody reads answers any more: without a timeout it would wait for ever.
const HALF_CLOSED: &str = TIMEOUT;

fn none() -> Context {
    Context::default()
}

/// Makes one plain call, to see that the connection is as it should be.
fn works(client: &EchoServiceClient) -> Result<(), Failure> {
    let request = EchoRequest { text: "after".into(), ..Default::default() };
    expect("a call afterwards", client.echo(none(), &request)?.text, "after".into())
}

pub fn run(path: &str, case: &str) -> Result<(), Failure> {
    let address = format!("unix://{path}");
    let connection = Client::connect(&address)?;
    let client = EchoServiceClient::new(connection.clone());
    match case {
        "unary" => {
            let sent =
                EchoRequest { text: "☺ text".into(), payload: vec![0, 1, 255], number: -5, ..Default::default() };
            let got = client.echo(none(), &sent)?;
            expect("answer", (got.text, got.payload, got.number), (sent.text, sent.payload, sent.number))
        }
        "empty" => expect("answer", client.echo(none(), &EchoRequest::new())?, EchoResponse::new()),
        "metadata" => {
            let mut context = none();
            context.add("X-Number".into(), "1".into());
            context.add("x-number".into(), "2".into());
            context.add("y".into(), "".into());
            let seen = client.inspect(context, &Empty::new())?;
            let mut pairs: Vec<_> = seen.metadata.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
            // The library sends its keys in the order of a hash table; the values of a key stay in order.
            pairs.sort_by_key(|pair| pair.0);
            expect("metadata", pairs, vec![("x-number", "1"), ("x-number", "2"), ("y", "")])
        }
        "timeout" => {
            let left =
                client.inspect(context::with_duration(Duration::from_secs(600)), &Empty::new())?.time_remaining_ms;
            expect("time left", left > 500_000.0 && left <= 600_000.0, true)?;
            expect("without a deadline", client.inspect(none(), &Empty::new())?.time_remaining_ms, -1.0)
        }
        "deadline" => {
            let ended = client.hang(context::with_duration(Duration::from_millis(50)), &Empty::new());
            if !matches!(&ended, Err(ttrpc::Error::RpcStatus(status)) if status.code.value() == 4) {
                expect_failed("after the deadline", ended, TIMEOUT)?;
            }
            works(&client)
        }
        "status" => {
            for code in 1..=16 {
                let message = format!("code {code}\t\n☺ 😈");
                let request = FailRequest { code, message: message.clone(), detail: "d".into(), ..Default::default() };
                let Err(ttrpc::Error::RpcStatus(status)) = client.fail(none(), &request) else {
                    return Err(format!("no status for {code}").into());
                };
                let detail = status.details.first().ok_or("no detail")?;
                let text = EchoRequest::parse_from_bytes(&detail.value)?.text;
                expect("status", (status.code.value(), status.message, text), (code, message, "d".into()))?;
            }
            let plain = FailRequest { message: "plain".into(), ..Default::default() };
            expect_code("a plain error", client.fail(none(), &plain), 2)
        }
        "unknown" => {
            for (service, method) in [("no.Such", "Echo"), ("guestwire.test.v1.EchoService", "Nope")] {
                let request = Request { service: service.into(), method: method.into(), ..Default::default() };
                expect_code(service, connection.request(request), 12)?;
            }
            works(&client)
        }
        "size_below" => {
            let request = EchoRequest { payload: vec![3; LARGEST], ..Default::default() };
            expect("bytes", client.echo(none(), &request)?.payload.len(), LARGEST)?;
            works(&client)
        }
        "size_above" => {
            let request = EchoRequest { payload: vec![3; LARGEST + 1], ..Default::default() };
            expect_failed("one byte more", client.echo(none(), &request), "exceed maximum message size")?;
            works(&client)
        }
        "shutdown" => {
            expect_failed("the running call", client.hang(none(), &Empty::new()), LOST)?;
            let second = context::with_duration(Duration::from_millis(500));
            expect("a call afterwards", client.echo(second, &EchoRequest::new()).is_err(), true)
        }
        // The server ends its side and goes on reading.
        "half_closed" => {
            expect_failed("the running call", client.hang(none(), &Empty::new()), LOST)?;
            let second = context::with_duration(Duration::from_millis(500));
            expect_failed("a call afterwards", client.echo(second, &EchoRequest::new()), HALF_CLOSED)
        }
        "concurrent" => {
            let failed: Vec<_> = std::thread::scope(|scope| {
                let client = &client;
                let call = |number| {
                    let request = EchoRequest { number, ..Default::default() };
                    (number, scope.spawn(move || client.echo(none(), &request).map(|answer| answer.number)))
                };
                let calls: Vec<_> = (0..1000).map(call).collect();
                let ended = calls.into_iter().map(|(number, call)| (number, call.join()));
                ended
                    .filter(|(number, answer)| !matches!(answer, Ok(Ok(got)) if got == number))
                    .map(|(n, _)| n)
                    .collect()
            });
            expect("failed", failed, Vec::<i64>::new())
        }
        "reset" => {
            expect_failed("the call", client.hang(none(), &Empty::new()), LOST)?;
            works(&EchoServiceClient::new(Client::connect(&address)?))
        }
        _ => Err(format!("no case is named {case}").into()),
    }
}
