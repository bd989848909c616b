//! `fantail topics`: Kafka's topics as the configuration asks for them.

use std::process::ExitCode;

use anyhow::Context;
use fantail_bus::kafka::topics;

use crate::announce::print_line;
use crate::cli::{TopicsAction, TopicsArgs};
use crate::config::{BusConfig, RawConfig};

/// Makes or checks them, and says what it did.
///
/// # Errors
/// Every topic that is not as it should be, with what is wrong.
pub async fn run(args: TopicsArgs) -> anyhow::Result<ExitCode> {
    let (raw, problems) = RawConfig::load(&args.config);
    let config = raw.meaning(problems)?;
    let BusConfig::Kafka(kafka) = config.bus else {
        anyhow::bail!("the bus is embedded and makes its own topics; set bus.kind = \"kafka\"");
    };
    let specs = config.topics;
    let count = specs.len();
    let work = tokio::task::spawn_blocking(move || match args.action {
        TopicsAction::Create => topics::create(&kafka, &specs),
        TopicsAction::Check => topics::check(&kafka, &specs).map(|()| Vec::new()),
    });
    let made = work.await.context("asking the brokers")??;
    for name in &made {
        print_line(&format!("made {name}"));
    }
    print_line(&format!("{count} topics are as configured"));
    Ok(ExitCode::SUCCESS)
}
