//! The page in a real browser: books move, numbers match the API, a dropped connection resumes by
//! itself and the page says so.

use std::time::Duration;

use fantail_tests::browser::Browser;
use fantail_tests::harness::stage::Server;
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(20);
const PANEL: &str = "document.querySelector('[data-testid=\"book-book:binance:BTC-USDT\"]')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_live_true_and_recovers() {
    let Some(mut page) = Browser::start().await else { return };
    let server = Server::start(&[]).await.expect("a server");
    page.goto(&format!("http://{}/", server.addr())).await.expect("the page");
    let live = format!("{PANEL} && {PANEL}.dataset.state === 'live'");
    page.wait_until(&live, PATIENCE).await.expect("a live book");
    let seq = page.eval(&format!("Number({PANEL}.dataset.seq)")).await.expect("a seq");
    page.wait_until(&format!("Number({PANEL}.dataset.seq) > {seq} + 5"), PATIENCE)
        .await
        .expect("the book moves");

    // At one and the same seq, the page's book and REST's are the same.
    let same = "((async () => { for (let i = 0; i < 200; i += 1) {\
        const answer = await (await fetch('/v1/book/book:binance:BTC-USDT?depth=1')).json();\
        const channel = window.fantail.channels.get('book:binance:BTC-USDT');\
        if (channel.seq === answer.seq) return JSON.stringify([channel.book.bestBid,\
          channel.book.bestAsk]) === JSON.stringify([answer.bids[0], answer.asks[0]]);\
        } return 'never the same seq'; })().then((v) => { window.sameBook = v; }), true)";
    page.eval(same).await.expect("asked");
    let verdict = page.wait_until("window.sameBook !== undefined && [window.sameBook]", PATIENCE);
    assert_eq!(verdict.await.expect("an answer"), json!([true]));

    page.eval("(window.fantail.socket.close(), true)").await.expect("dropped");
    let resumed = "document.querySelector('[data-testid=\"connection\"]').dataset.replayed";
    page.wait_until(&format!("{resumed} !== undefined"), PATIENCE).await.expect("it says so");
    let lost = "document.querySelector('[data-testid=\"connection\"]').dataset.lost";
    assert_eq!(page.eval(lost).await.expect("a figure"), json!("0"));
    page.wait_until(&live, PATIENCE).await.expect("live again");

    page.set_window(390, 844).await.expect("a phone");
    let fits = "document.documentElement.scrollWidth <= window.innerWidth";
    page.wait_until(fits, PATIENCE).await.expect("nothing overflows on a phone");
    assert_eq!(page.console().await.expect("the console"), Vec::<String>::new());
}
