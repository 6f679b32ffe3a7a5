// What the servers share, and the clients.
use std::collections::HashMap;
use std::fmt::Debug;

use ttrpc::proto::Any;
use ttrpc::{Code, Error, Status};

use crate::Failure;

/// Prints what a handler does, and when it is dropped before it has ended.
pub struct Watch {
    method: &'static str,
    ended: bool,
}

impl Watch {
    pub fn begin(method: &'static str) -> Self {
        println!("{method} began");
        Self { method, ended: false }
    }

    pub fn got(&self, what: impl Debug) {
        println!("{} got {what:?}", self.method);
    }

    pub fn end(mut self, how: &str) {
        self.ended = true;
        println!("{} ended: {how}", self.method);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.ended {
            println!("{} was dropped", self.method);
        }
    }
}

/// A status with details as protobuf's Any, which holds an encoded EchoRequest.
pub fn failure(code: i32, message: String, detail: Option<Vec<u8>>) -> Error {
    let mut status = Status::new();
    status.code = protobuf::EnumOrUnknown::<Code>::from_i32(code);
    status.message = message;
    if let Some(value) = detail {
        let type_url = "type.googleapis.com/guestwire.test.v1.EchoRequest".into();
        status.details.push(Any { type_url, value, ..Default::default() });
    }
    Error::RpcStatus(status)
}

/// The metadata as pairs, in the order of their keys.
pub fn pairs(metadata: &HashMap<String, Vec<String>>) -> Vec<(String, String)> {
    let mut all: Vec<_> =
        metadata.iter().flat_map(|(key, values)| values.iter().map(|value| (key.clone(), value.clone()))).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// A call of Hang, told of on standard output: when it begins, and when its handler is gone.
pub struct Hanging;

impl Hanging {
    pub fn begin() -> Self {
        println!("hanging");
        Self
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        println!("let go");
    }
}

/// Fails unless both are the same.
pub fn expect<T: Debug + PartialEq>(what: &str, got: T, want: T) -> Result<(), Failure> {
    if got == want { Ok(()) } else { Err(format!("{what}: {got:?} instead of {want:?}").into()) }
}

/// Fails unless the call failed with this status.
pub fn expect_code<T: Debug>(what: &str, got: ttrpc::Result<T>, want: i32) -> Result<(), Failure> {
    match got {
        Err(Error::RpcStatus(status)) => expect(what, status.code.value(), want),
        other => Err(format!("{what}: {other:?} instead of status {want}").into()),
    }
}

/// Fails unless the library itself gave the call up with a text like this: it has no code for that.
pub fn expect_failed<T: Debug>(what: &str, got: ttrpc::Result<T>, want: &str) -> Result<(), Failure> {
    match got {
        Err(error) if error.to_string().contains(want) => Ok(()),
        other => Err(format!("{what}: {other:?} instead of \"{want}\"").into()),
    }
}

/// The payload of Echo that makes a Request of 4 MiB: the rest are names and lengths.
pub const LARGEST: usize = (4 << 20) - 47;
