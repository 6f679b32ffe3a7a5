// A client as the daemon's own command line is one: pulls, waits, runs interactively, and prints what it got.
use tokio_stream::iter;

use crate::Failure;
use crate::ross::container_service_client::ContainerServiceClient;
use crate::ross::image_service_client::ImageServiceClient;
use crate::ross::{
    InspectContainerRequest, InteractiveInput, InteractiveStart, PullImageRequest, WaitContainerRequest, WindowSize,
    interactive_input, interactive_output, wait_container_output,
};

pub async fn drive(address: &str, followed: &str, session: &str, image: &str) -> Result<(), Failure> {
    let channel = tonic::transport::Endpoint::new(format!("http://{address}"))?.connect().await?;
    let mut images = ImageServiceClient::new(channel.clone());
    let mut containers = ContainerServiceClient::new(channel);
    pull(&mut images, image).await?;
    inspect(&mut containers).await;
    wait(&mut containers, followed).await?;
    interactive(&mut containers, session).await
}

type Images = ImageServiceClient<tonic::transport::Channel>;
type Containers = ContainerServiceClient<tonic::transport::Channel>;

async fn pull(images: &mut Images, image: &str) -> Result<(), Failure> {
    let request = PullImageRequest { image_name: image.into(), tag: "1".into(), ..Default::default() };
    let mut progress = images.pull_image(request).await?.into_inner();
    while let Some(message) = progress.message().await? {
        println!("pull {:?} {:?}", message.status, message.error);
    }
    println!("pull ended");
    Ok(())
}

async fn inspect(containers: &mut Containers) {
    let request = InspectContainerRequest { container_id: "gone".into(), ..Default::default() };
    match containers.inspect_container(request).await {
        Ok(_) => println!("inspect ok"),
        Err(status) => println!("inspect {:?} {:?}", status.code(), status.message()),
    }
}

async fn wait(containers: &mut Containers, container: &str) -> Result<(), Failure> {
    use wait_container_output::Output::{Data, Exit};
    let request = WaitContainerRequest { container_id: container.into(), ..Default::default() };
    let mut answers = containers.wait(request).await?.into_inner();
    while let Some(message) = answers.message().await? {
        match message.output {
            Some(Data(data)) => println!("wait {} {:?}", data.stream, String::from_utf8_lossy(&data.data)),
            Some(Exit(exit)) => println!("wait exit {}", exit.status_code),
            None => println!("wait nothing"),
        }
    }
    Ok(())
}

async fn interactive(containers: &mut Containers, container: &str) -> Result<(), Failure> {
    use interactive_input::Input::{Resize, Start, Stdin};
    use interactive_output::Output::{Data, Exit};
    let inputs = [
        Start(InteractiveStart { container_id: container.into(), tty: true }),
        Resize(WindowSize { width: 100, height: 30 }),
        Stdin(b"hello\n".to_vec()),
        Stdin(b"exit\n".to_vec()),
    ];
    let stream = iter(inputs.map(|input| InteractiveInput { input: Some(input) }));
    let mut answers = containers.run_interactive(stream).await?.into_inner();
    while let Some(message) = answers.message().await? {
        match message.output {
            Some(Data(data)) => println!("interactive {} {:?}", data.stream, String::from_utf8_lossy(&data.data)),
            Some(Exit(exit)) => println!("interactive exit {}", exit.status_code),
            None => println!("interactive nothing"),
        }
    }
    Ok(())
}
