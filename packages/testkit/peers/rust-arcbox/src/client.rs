// A host's client. Each step prints what came back.
use std::os::unix::net::UnixStream;

use arcbox_protocol::{sandbox_v1 as sandbox, v1};
use prost::Message;

use crate::Failure;
use crate::frame::{Frame, STDIN, read, read_error, write, write_raw};

pub fn drive(path: &str) -> Result<(), Failure> {
    let socket = &mut UnixStream::connect(path)?;
    let ping = v1::AgentPingRequest { message: "rust".into(), timestamp_secs: 1_700_000_000 };
    write(socket, 0x0001, "t1", &ping)?;
    let answer = next(socket)?;
    let pong = v1::AgentPingResponse::decode(answer.payload.as_slice())?;
    println!("{:04x} {} {} {}", answer.number, answer.trace, pong.message, pong.version);

    write_raw(socket, 0x0002, "t2", &[])?;
    let answer = next(socket)?;
    let info = v1::SystemInfo::decode(answer.payload.as_slice())?;
    println!("{:04x} {} {} {} {:?}", answer.number, answer.trace, info.hostname, info.total_memory, info.load_average);

    for (number, payload) in [(0x0001, &[0x0a, 0xff][..]), (0x1001, &[][..]), (0x0009, &[][..])] {
        write_raw(socket, number, "t3", payload)?;
        let answer = next(socket)?;
        let (code, text) = read_error(&answer.payload)?;
        println!("{:04x} {} {code} {text}", answer.number, answer.trace);
    }

    let run = sandbox::RunRequest { id: "s1".into(), cmd: vec!["true".into()], ..Default::default() };
    write(socket, 0x0030, "t4", &run)?;
    loop {
        let answer = next(socket)?;
        let output = sandbox::RunOutput::decode(answer.payload.as_slice())?;
        let (stream, length) = (&output.stream, output.data.len());
        println!("{:04x} {} {stream} {length} {} {}", answer.number, answer.trace, output.exit_code, output.done);
        if output.done {
            break;
        }
    }

    let exec = sandbox::ExecRequest { id: "s1".into(), cmd: vec!["cat".into(), "-".into()], ..Default::default() };
    write(socket, 0x0031, "t5", &exec)?;
    write_raw(socket, STDIN, "", b"ls\n")?;
    write_raw(socket, STDIN, "", b"")?;
    while let Some(answer) = read(socket)? {
        let output = sandbox::ExecOutput::decode(answer.payload.as_slice())?;
        let text = String::from_utf8_lossy(&output.data).into_owned();
        println!(
            "{:04x} {} {} {text:?} {} {}",
            answer.number, answer.trace, output.stream, output.exit_code, output.done
        );
    }
    println!("closed after exec");

    let socket = &mut UnixStream::connect(path)?;
    write(socket, 0x0032, "t6", &sandbox::SandboxEventsRequest::default())?;
    let answer = next(socket)?;
    let event = sandbox::SandboxEvent::decode(answer.payload.as_slice())?;
    println!("{:04x} {} {} {} {:?}", answer.number, answer.trace, event.action, event.timestamp, event.attributes);

    let socket = &mut UnixStream::connect(path)?;
    write_raw(socket, 0x7777, "", &[])?;
    println!(
        "{}",
        if read(socket)?.is_none() { "closed at an unknown number" } else { "an answer to an unknown number" }
    );
    Ok(())
}

fn next(socket: &mut UnixStream) -> Result<Frame, Failure> {
    Ok(read(socket)?.ok_or("the agent closed the connection")?)
}
