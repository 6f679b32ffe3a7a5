// The daemon's habits that a client must know: Wait starts the container, a failed pull ends well, what is unknown is INTERNAL.
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_stream::iter;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::codegen::BoxStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::Failure;
use crate::ross::container_service_server::{ContainerService, ContainerServiceServer};
use crate::ross::image_service_server::{ImageService, ImageServiceServer};
use crate::ross::{
    ExitResult, InspectContainerRequest, InspectContainerResponse, InteractiveInput, InteractiveOutput, OutputData,
    PullImageProgress, PullImageRequest, WaitContainerOutput, WaitContainerRequest, interactive_input,
    interactive_output, wait_container_output,
};

pub async fn serve() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let ended = async {
        let mut rest = Vec::new();
        let _ = tokio::io::stdin().read_to_end(&mut rest).await;
    };
    let server = Server::builder()
        .add_service(ContainerServiceServer::new(Daemon))
        .add_service(ImageServiceServer::new(Daemon))
        .serve_with_incoming(TcpListenerStream::new(listener));
    // Connections that are left open must not keep it.
    tokio::select! {
        served = server => Ok(served?),
        () = ended => Ok(()),
    }
}

struct Daemon;

fn output(stream: &str, data: impl Into<Vec<u8>>) -> OutputData {
    OutputData { stream: stream.into(), data: data.into() }
}

fn exit(status_code: i64) -> ExitResult {
    ExitResult { status_code, error: None }
}

#[async_trait]
impl ContainerService for Daemon {
    async fn inspect_container(
        &self,
        request: Request<InspectContainerRequest>,
    ) -> Result<Response<InspectContainerResponse>, Status> {
        let id = request.into_inner().container_id;
        Err(Status::internal(format!("shim error: container not found: {id}")))
    }

    async fn wait(
        &self,
        request: Request<WaitContainerRequest>,
    ) -> Result<Response<BoxStream<WaitContainerOutput>>, Status> {
        use wait_container_output::Output::{Data, Exit};
        let id = request.into_inner().container_id;
        if id == "running" {
            return Err(Status::internal("shim error: invalid container state: expected created, actual running"));
        }
        let answers = [
            Data(output("stdout", format!("out of {id}\n"))),
            Data(output("stderr", format!("err of {id}\n"))),
            // Larger than what HTTP/2 lets through at once.
            Data(output("stdout", vec![b'x'; 200_000])),
            Exit(exit(7)),
        ];
        Ok(Response::new(Box::pin(iter(answers.map(|output| Ok(WaitContainerOutput { output: Some(output) }))))))
    }

    async fn run_interactive(
        &self,
        request: Request<Streaming<InteractiveInput>>,
    ) -> Result<Response<BoxStream<InteractiveOutput>>, Status> {
        let mut inputs = request.into_inner();
        let first = inputs.message().await?.and_then(|message| message.input);
        let Some(interactive_input::Input::Start(start)) = first else {
            return Err(Status::invalid_argument("the first message must be start"));
        };
        let (answers, received) = mpsc::channel(4);
        tokio::spawn(async move {
            // Fails where the client has left: then there is nobody to tell.
            let _ = converse(&mut inputs, &answers, &start.container_id).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(received))))
    }
}

type Sender = mpsc::Sender<Result<InteractiveOutput, Status>>;

/// Says what the container is called, then gives back what is typed in capitals, and sizes as text, until "exit".
async fn converse(inputs: &mut Streaming<InteractiveInput>, answers: &Sender, id: &str) -> Result<(), Failure> {
    use interactive_output::Output::{Data, Exit};
    let say = async |output| answers.send(Ok(InteractiveOutput { output: Some(output) })).await;
    say(Data(output("stdout", format!("this is {id}\n")))).await?;
    while let Some(message) = inputs.message().await? {
        match message.input {
            Some(interactive_input::Input::Stdin(data)) if data.starts_with(b"exit") => break,
            Some(interactive_input::Input::Stdin(data)) => {
                say(Data(output("stdout", data.to_ascii_uppercase()))).await?;
            }
            Some(interactive_input::Input::Resize(size)) => {
                say(Data(output("stdout", format!("{}x{}\n", size.width, size.height)))).await?;
            }
            _ => {}
        }
    }
    say(Exit(exit(3))).await?;
    Ok(())
}

#[async_trait]
impl ImageService for Daemon {
    async fn pull_image(
        &self,
        request: Request<PullImageRequest>,
    ) -> Result<Response<BoxStream<PullImageProgress>>, Status> {
        let PullImageRequest { image_name, tag, .. } = request.into_inner();
        let told = |status: &str| PullImageProgress { status: status.into(), id: tag.clone(), ..Default::default() };
        let mut answers = vec![Ok(told("Pulling"))];
        if image_name == "missing" {
            answers.push(Ok(PullImageProgress { error: format!("no image {image_name}:{tag}"), ..Default::default() }));
        } else {
            answers.push(Ok(told("Pull complete")));
        }
        Ok(Response::new(Box::pin(iter(answers))))
    }
}
