// The agent. Knows the requests that agents of 0.1.4 know, kubeconfig, and exec.
use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};

use arcbox_protocol::{sandbox_v1 as sandbox, v1};
use prost::Message;

use crate::Failure;
use crate::frame::{Frame, STDIN, read, write, write_error};

pub fn serve(path: &str) -> Result<(), Failure> {
    let listener = UnixListener::bind(path)?;
    println!("{path}");
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = connection(socket);
            });
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn connection(mut socket: UnixStream) -> Result<(), Failure> {
    while let Some(request) = read(&mut socket)? {
        if !answer(&mut socket, &request)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether the connection can go on.
fn answer(socket: &mut UnixStream, Frame { number, trace, payload }: &Frame) -> Result<bool, Failure> {
    let bytes = payload.as_slice();
    match *number {
        0x0001 => {
            let Ok(request) = v1::AgentPingRequest::decode(bytes) else {
                write_error(socket, trace, 400, "no ping")?;
                return Ok(true);
            };
            let message = if request.message.is_empty() { "pong".into() } else { format!("pong: {}", request.message) };
            write(socket, 0x1001, trace, &v1::AgentPingResponse { message, version: "0.1.4".into() })?;
        }
        0x0002 => {
            let info = v1::SystemInfo {
                hostname: "guest".into(),
                total_memory: 1 << 40,
                load_average: vec![0.5, 0.25, 0.125],
                ip_addresses: vec!["192.0.2.1".into()],
                ..Default::default()
            };
            write(socket, 0x1002, trace, &info)?;
        }
        0x0003 => {
            let start = v1::RuntimeEnsureRequest::decode(bytes)?.start_if_needed;
            let status = if start { "started" } else { "failed" };
            let endpoint = "vsock:2375".into();
            let response =
                v1::RuntimeEnsureResponse { ready: start, endpoint, status: status.into(), ..Default::default() };
            write(socket, 0x1003, trace, &response)?;
        }
        0x0004 => {
            let part = v1::ServiceStatus { name: "dockerd".into(), status: "ready".into(), detail: String::new() };
            let response = v1::RuntimeStatusResponse { docker_ready: true, services: vec![part], ..Default::default() };
            write(socket, 0x1004, trace, &response)?;
        }
        0x0009 => write_error(socket, trace, 404, "no kubeconfig")?,
        0x0024 => {
            let request = sandbox::ListSandboxesRequest::decode(bytes)?;
            let found = sandbox::SandboxSummary {
                id: "s1".into(),
                state: request.state,
                labels: request.labels,
                created_at: 1_700_000_000,
                ..Default::default()
            };
            write(socket, 0x1024, trace, &sandbox::ListSandboxesResponse { sandboxes: vec![found] })?;
        }
        0x0030 => {
            let request = sandbox::RunRequest::decode(bytes)?;
            if request.id != "s1" {
                write_error(socket, trace, 500, &format!("no sandbox {}", request.id))?;
                return Ok(true);
            }
            let data = vec![b'x'; 200_000];
            write(socket, 0x1035, trace, &sandbox::RunOutput { stream: "stdout".into(), data, ..Default::default() })?;
            let last = sandbox::RunOutput { stream: "exit".into(), exit_code: 7, done: true, ..Default::default() };
            write(socket, 0x1035, trace, &last)?;
        }
        0x0031 => {
            exec(socket, trace, &sandbox::ExecRequest::decode(bytes)?)?;
            return Ok(false);
        }
        0x0032 => {
            for action in ["starting", "ready"] {
                let event = sandbox::SandboxEvent {
                    sandbox_id: "s1".into(),
                    action: action.into(),
                    timestamp: 1_700_000_000_000_000_001,
                    attributes: [("why".to_string(), action.to_string())].into(),
                };
                write(socket, 0x1037, trace, &event)?;
            }
            // Until the client goes.
            while read(socket)?.is_some() {}
            return Ok(false);
        }
        0x0000 | STDIN | 0x1001..=0x1037 => write_error(socket, trace, 400, "not a request")?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Gives back what comes as standard input, then the length of the arguments as the exit code.
fn exec(socket: &mut UnixStream, trace: &str, request: &sandbox::ExecRequest) -> Result<(), Failure> {
    while let Some(input) = read(socket)? {
        if input.number != STDIN {
            return Err("something else than input came".into());
        }
        if input.payload.is_empty() {
            break;
        }
        let output = sandbox::ExecOutput { stream: "stdout".into(), data: input.payload, ..Default::default() };
        write(socket, 0x1036, trace, &output)?;
    }
    let exit_code = i32::try_from(request.cmd.len())?;
    write(
        socket,
        0x1036,
        trace,
        &sandbox::ExecOutput { stream: "exit".into(), exit_code, done: true, ..Default::default() },
    )
}
