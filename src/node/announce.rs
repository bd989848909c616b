//! What a started server tells the person or script that started it.

use std::net::SocketAddr;

use serde_json::json;

/// Where a server can be reached, and with what.
#[derive(Debug, Clone)]
pub(crate) struct Announcement {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) token: String,
    pub(crate) channels: Vec<String>,
}

impl Announcement {
    fn page(&self) -> String {
        format!("http://{}/", self.public)
    }

    fn stream(&self) -> String {
        format!("ws://{}/v1/stream", self.public)
    }

    /// One line for scripts.
    pub(crate) fn json(&self) -> String {
        json!({
            "page": self.page(),
            "ws": self.stream(),
            "admin": format!("http://{}/", self.admin),
            "token": self.token,
            "channels": self.channels,
            "pid": std::process::id(),
        })
        .to_string()
    }

    /// Some lines for a person.
    pub(crate) fn text(&self, what: &str) -> String {
        let book = self.channels.iter().find(|name| name.starts_with("book:"));
        let book = book.map_or("book:binance:BTC-USDT", String::as_str);
        let (public, token) = (self.public, &self.token);
        format!(
            "\n  Fantail {what}\n\n\
             \x20 page     {page}\n\
             \x20 stream   {stream}\n\
             \x20 admin    http://{admin}/metrics\n\n\
             \x20 In another terminal:\n\n\
             \x20 export FANTAIL_TOKEN={token}\n\
             \x20 target/release/fantail tap ws://{public} {book}\n\
             \x20 target/release/fantail tap ws://{public} 'trade:*:*' --encoding protobuf --stats\n\
             \x20 curl -s -H \"Authorization: Bearer $FANTAIL_TOKEN\" \
             'http://{public}/v1/book/{book}?depth=5'\n\n\
             \x20 Ctrl-C ends it.\n",
            page = self.page(),
            stream = self.stream(),
            admin = self.admin,
        )
    }

    /// Prints it.
    pub(crate) fn print(&self, what: &str, as_json: bool) {
        print_line(&if as_json { self.json() } else { self.text(what) });
    }
}

/// Prints, flushed, so that a script need not wait.
pub(crate) fn print_line(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    // A closed pipe is the reader's choice.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
