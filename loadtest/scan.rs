//! Finds the few fields a check needs in a JSON message, without parsing it whole.
//!
//! The server writes its keys in one order with the place and the times before the content
//! (`schemas/vectors`), so a walk from the front is enough. What does not read like that is not
//! guessed at: it is left to the full decoder. Property tests hold this against that decoder.

/// What a message says of its place and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned<'a> {
    /// Channel name.
    pub channel: &'a [u8],
    /// Told with whatever restarts a channel.
    pub epoch: Option<u64>,
    /// Its seq.
    pub seq: u64,
    /// What it continues; equal to `seq` on a snapshot.
    pub prev: u64,
    /// It carries its own seq although it replaces what the client holds.
    pub reset: bool,
    /// It is a state, and consumes no seq.
    pub snapshot: bool,
    /// The venue's own time, µs, where it gave one.
    pub ts: Option<i64>,
    /// Receive time at ingest, µs.
    pub rx: i64,
    /// When the gateway's tail published it, µs.
    pub tx: i64,
}

/// Scans an event or a snapshot; `None` for anything else (replies, batches, placeholders).
#[must_use]
pub fn scan(message: &[u8]) -> Option<Scanned<'_>> {
    let mut at = Cursor(message);
    at.skip(b"{\"type\":\"")?;
    let is_state = at.text()? == b"snapshot";
    at.skip(b",\"channel\":\"")?;
    let channel = at.text()?;
    at.place(channel, is_state)
}

/// Scans a batch, event by event; false if it is none, or not one of our encoder's.
pub fn scan_batch<'a>(message: &'a [u8], mut each: impl FnMut(Scanned<'a>)) -> bool {
    let mut at = Cursor(message);
    let opened = at.skip(b"{\"type\":\"batch\",\"channel\":\"");
    let Some(channel) = opened.and_then(|()| at.text()) else { return false };
    if at.skip(b",\"events\":[").is_none() {
        return false;
    }
    loop {
        let Some(length) = object_bytes(at.0) else { return false };
        let mut event = Cursor(&at.0[..length]);
        let named = event.skip(b"{\"type\":\"").and_then(|()| event.text());
        let Some(seen) = named.and_then(|_| event.place(channel, false)) else { return false };
        each(seen);
        at.0 = &at.0[length..];
        if at.skip(b",").is_none() {
            return at.0 == b"]}";
        }
    }
}

/// What is left of a message.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn skip(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    fn has(&mut self, text: &[u8]) -> bool {
        self.skip(text).is_some()
    }

    /// Up to a quote, which is taken too. Names hold no escapes.
    fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == b'"')?;
        let (text, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Some(text)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        let mut length = 0;
        while let Some(digit) = self.0.get(length).filter(|byte| byte.is_ascii_digit()) {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            length += 1;
        }
        self.0 = &self.0[length..];
        (length > 0).then_some(value)
    }

    fn time(&mut self) -> Option<i64> {
        let is_before_1970 = self.has(b"-");
        let micros = i128::from(self.number()?);
        i64::try_from(if is_before_1970 { -micros } else { micros }).ok()
    }

    /// From behind the channel's name on.
    fn place(&mut self, channel: &'a [u8], is_state: bool) -> Option<Scanned<'a>> {
        let epoch = if self.has(b",\"epoch\":") { Some(self.number()?) } else { None };
        self.skip(b",\"seq\":")?;
        let seq = self.number()?;
        let (reset, snapshot, ts) = (false, true, None);
        let mut seen =
            Scanned { channel, epoch, seq, prev: seq, reset, snapshot, ts, rx: 0, tx: 0 };
        if !is_state {
            self.skip(b",\"prev\":")?;
            seen.prev = self.number()?;
            seen.reset = self.has(b",\"reset\":true");
            seen.snapshot = self.has(b",\"snapshot\":true");
        }
        if self.has(b",\"ts\":") {
            seen.ts = Some(self.time()?);
        }
        self.skip(b",\"rx\":")?;
        seen.rx = self.time()?;
        self.skip(b",\"tx\":")?;
        seen.tx = self.time()?;
        Some(seen)
    }
}

/// Length of the object that `bytes` begin with. Braces inside strings don't count.
fn object_bytes(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' if !in_text => depth += 1,
            b'}' if !in_text => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        if depth == 0 {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests;
