//! Messages as JSON lines, on the terminal and in a recording.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use fantail_wire::client::{
    BookSnapshot, DataMessage, Encoding, EventMessage, ServerMessage, encode_batch, encode_event,
    encode_reply, encode_snapshot,
};

/// Where messages are written.
pub(super) struct Printer {
    record: Option<BufWriter<File>>,
    quiet: bool,
    line: Vec<u8>,
}

impl Printer {
    /// `quiet` prints nothing to the terminal.
    pub(super) fn new(record: Option<&Path>, quiet: bool) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
            anyhow::Ok(BufWriter::new(file))
        };
        Ok(Self { record: record.map(open).transpose()?, quiet, line: Vec::new() })
    }

    /// Prints one message; `now` is its receive time, µs.
    pub(super) fn print(&mut self, message: &ServerMessage, now: i64) -> anyhow::Result<()> {
        self.line.clear();
        to_json(message, &mut self.line);
        if let Some(record) = &mut self.record {
            write!(record, "{{\"t\":{now},\"m\":")
                .and_then(|()| record.write_all(&self.line))
                .and_then(|()| record.write_all(b"}\n"))
                .context("writing the recording")?;
        }
        if !self.quiet {
            self.line.push(b'\n');
            std::io::stdout().write_all(&self.line).context("writing to the terminal")?;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        if let Some(record) = &mut self.record {
            record.flush().context("writing the recording")?;
        }
        Ok(())
    }
}

/// The message as the JSON encoding would have carried it.
fn to_json(message: &ServerMessage, out: &mut Vec<u8>) {
    match message {
        ServerMessage::Data(data) => encode_event(Encoding::Json, &event(data), out),
        ServerMessage::Batch(batch) => {
            let events: Vec<_> = batch.iter().map(event).collect();
            encode_batch(Encoding::Json, &events, out);
        }
        ServerMessage::Snapshot(snapshot) => {
            let view = BookSnapshot {
                channel: &snapshot.channel,
                ch: snapshot.ch,
                position: snapshot.position,
                ts: snapshot.ts,
                rx: snapshot.rx,
                tx: snapshot.tx,
                vseq: snapshot.vseq,
                levels: &snapshot.levels,
                crc: snapshot.crc,
            };
            encode_snapshot(Encoding::Json, &view, out);
        }
        ServerMessage::Reply(reply) => encode_reply(Encoding::Json, reply, out),
    }
}

fn event(data: &DataMessage) -> EventMessage<'_> {
    EventMessage {
        channel: &data.channel,
        ch: data.ch,
        tx: data.tx,
        event: &data.event,
        crc: data.crc,
        snapshot: data.snapshot,
        n: data.n,
    }
}
