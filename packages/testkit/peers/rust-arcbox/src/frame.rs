// V2 frames on a unix socket, read and written one at a time.
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use prost::Message;

use crate::Failure;

pub const ERROR: u32 = 0xffff;
pub const STDIN: u32 = 0x0033;

pub struct Frame {
    pub number: u32,
    pub trace: String,
    pub payload: Vec<u8>,
}

/// The next frame; nothing where the other end has closed the connection.
pub fn read(socket: &mut UnixStream) -> Result<Option<Frame>, Failure> {
    let mut head = [0; 4];
    match socket.read_exact(&mut head) {
        Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => return Ok(None),
        other => other?,
    }
    let mut body = vec![0; u32::from_be_bytes(head) as usize];
    socket.read_exact(&mut body)?;
    let number = u32::from_be_bytes(body[0..4].try_into()?);
    let trace_end = 6 + usize::from(u16::from_be_bytes(body[4..6].try_into()?));
    let trace = String::from_utf8(body[6..trace_end].to_vec())?;
    Ok(Some(Frame { number, trace, payload: body.split_off(trace_end) }))
}

pub fn write_raw(socket: &mut UnixStream, number: u32, trace: &str, payload: &[u8]) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    bytes.extend(u32::try_from(6 + trace.len() + payload.len())?.to_be_bytes());
    bytes.extend(number.to_be_bytes());
    bytes.extend(u16::try_from(trace.len())?.to_be_bytes());
    bytes.extend(trace.as_bytes());
    bytes.extend(payload);
    Ok(socket.write_all(&bytes)?)
}

pub fn write(socket: &mut UnixStream, number: u32, trace: &str, message: &impl Message) -> Result<(), Failure> {
    write_raw(socket, number, trace, &message.encode_to_vec())
}

pub fn write_error(socket: &mut UnixStream, trace: &str, code: i32, text: &str) -> Result<(), Failure> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(u32::try_from(text.len())?.to_be_bytes());
    payload.extend(text.as_bytes());
    write_raw(socket, ERROR, trace, &payload)
}

/// The code and the text of an Error frame.
pub fn read_error(payload: &[u8]) -> Result<(i32, String), Failure> {
    let code = i32::from_be_bytes(payload[0..4].try_into()?);
    let length = u32::from_be_bytes(payload[4..8].try_into()?) as usize;
    Ok((code, String::from_utf8_lossy(&payload[8..8 + length]).into_owned()))
}
