//! A healthy client beside an attack: it must not lose, reorder or wait for anything.
//!
//! Owns a task that follows every book and trade of a server from start to finish.

use anyhow::ensure;
use fantail_wire::client::{Command, Id, Reply, ServerMessage};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::{Client, JSON, Received};
use super::follow::Follower;
use super::stage::Stage;

/// The running witness.
pub(crate) struct Witness {
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<Follower>>,
}

impl Witness {
    /// Starts following.
    pub(crate) async fn start(stage: &Stage) -> anyhow::Result<Self> {
        let names = stage.channels_of(&["book", "trade"]);
        let mut client = Client::connect(stage.addr(), &JSON).await?;
        let (_, errors) = client.subscribe(&names).await?;
        ensure!(errors.is_empty(), "{errors:?}");
        let (stop, stopped) = oneshot::channel();
        Ok(Self { stop, task: tokio::spawn(follow(client, stopped)) })
    }

    /// What it concludes; an error if anything was not as promised.
    pub(crate) async fn end(self) -> anyhow::Result<Follower> {
        let _ = self.stop.send(());
        let follower = tokio::time::timeout(super::client::LIMIT, self.task).await???;
        ensure!(follower.mistakes.is_empty(), "the witness: {:?}", follower.mistakes);
        let gaps = follower.channels.values().any(|channel| !channel.gaps.is_empty());
        ensure!(!gaps, "the witness was told of gaps");
        Ok(follower)
    }
}

/// Follows until told to stop, then until it has seen something after that.
async fn follow(
    mut client: Client,
    mut stopped: oneshot::Receiver<()>,
) -> anyhow::Result<Follower> {
    let mut follower = Follower::default();
    let mut asked = false;
    loop {
        let received = tokio::select! {
            received = client.next() => received,
            _ = &mut stopped, if !asked => {
                asked = true;
                client.send(&Command::Ping { id: Some(Id::Number(-1)) }).await?;
                continue;
            }
        };
        let Received::Message(message) = received else {
            anyhow::bail!("the witness lost its connection: {received:?}")
        };
        follower.take(&message);
        let is_last = matches!(message, ServerMessage::Reply(Reply::Pong { .. }));
        if is_last && follower.events() > 0 {
            return Ok(follower);
        }
        if is_last {
            client.send(&Command::Ping { id: Some(Id::Number(-1)) }).await?;
        }
    }
}
