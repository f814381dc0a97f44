//! The first example, as the README shows it: a task, a job, a worker, a result.

use handover::{Backend, Client, Context, Failure, QueueSettings, Task, Worker};
const ADD: Task<(i64, i64), i64> = Task::new("add", "sums");
async fn add(_job: Context, (a, b): (i64, i64)) -> Result<i64, Failure> {
    Ok(a + b)
}
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let backend = Backend::memory();
    let client = Client::new(&backend);
    client.declare("sums", &QueueSettings::with_capacity(100)).await?;
    let worker = Worker::new(&backend).handle(ADD, add).start().await?;
    assert_eq!(client.send(ADD, &(2, 3)).await?.result().await?, 5);
    worker.stop().await?;
    Ok(())
}
