//! Event bodies ⇄ `oneof body`.

use fantail_model::VenueGap;
use fantail_model::{Bbo, Body, Candle, Funding, Micros, Side, State, Status, Ticker, Trade};

use super::{decimal, decimal_option, level_in, level_out, levels_in, levels_out, number};
use crate::generated as proto;
use crate::generated::event::Body as Wire;

/// A body on its way out.
pub(crate) fn out(body: &Body) -> Wire {
    match body {
        Body::Trade(it) => Wire::Trade(proto::Trade {
            id: it.id.clone(),
            price: Some(number(it.price)),
            size: Some(number(it.size)),
            side: side_out(it.side).into(),
        }),
        Body::Bbo(it) => Wire::Bbo(proto::Bbo {
            bid: it.bid.as_ref().map(level_out),
            ask: it.ask.as_ref().map(level_out),
        }),
        Body::Ticker(it) => Wire::Ticker(ticker_out(it)),
        Body::Book(it) => {
            Wire::Book(proto::Book { bids: levels_out(&it.bids), asks: levels_out(&it.asks) })
        }
        Body::Candle(it) => Wire::Candle(candle_out(it)),
        Body::Funding(it) => Wire::Funding(proto::Funding {
            mark: Some(number(it.mark)),
            index: it.index.map(number),
            rate: Some(number(it.rate)),
            next: it.next.map(|next| next.0),
        }),
        Body::Status(it) => Wire::Status(proto::Status {
            state: state_out(it.state).into(),
            reason: it.reason.clone(),
        }),
        Body::VenueGap(it) => Wire::VenueGap(proto::VenueGap { reason: it.reason.clone() }),
    }
}

/// A body just read.
pub(crate) fn read(body: Wire) -> Result<Body, String> {
    Ok(match body {
        Wire::Trade(it) => Body::Trade(Trade {
            side: side_in(it.side())?,
            id: it.id,
            price: decimal(it.price, "price")?,
            size: decimal(it.size, "size")?,
        }),
        Wire::Bbo(it) => Body::Bbo(Bbo {
            bid: it.bid.map(level_in).transpose()?,
            ask: it.ask.map(level_in).transpose()?,
        }),
        Wire::Ticker(it) => Body::Ticker(ticker_in(it)?),
        Wire::Book(it) => Body::Book(levels_in(it.bids, it.asks)?),
        Wire::Candle(it) => Body::Candle(candle_in(it)?),
        Wire::Funding(it) => Body::Funding(Funding {
            mark: decimal(it.mark, "mark")?,
            index: decimal_option(it.index, "index")?,
            rate: decimal(it.rate, "rate")?,
            next: it.next.map(Micros),
        }),
        Wire::Status(it) => {
            Body::Status(Status { state: state_in(it.state())?, reason: it.reason })
        }
        Wire::VenueGap(it) => Body::VenueGap(VenueGap { reason: it.reason }),
    })
}

fn ticker_out(ticker: &Ticker) -> proto::Ticker {
    proto::Ticker {
        last: Some(number(ticker.last)),
        open: ticker.open.map(number),
        high: ticker.high.map(number),
        low: ticker.low.map(number),
        volume: ticker.volume.map(number),
    }
}

fn ticker_in(ticker: proto::Ticker) -> Result<Ticker, String> {
    Ok(Ticker {
        last: decimal(ticker.last, "last")?,
        open: decimal_option(ticker.open, "open")?,
        high: decimal_option(ticker.high, "high")?,
        low: decimal_option(ticker.low, "low")?,
        volume: decimal_option(ticker.volume, "volume")?,
    })
}

fn candle_out(candle: &Candle) -> proto::Candle {
    proto::Candle {
        start: candle.start.0,
        open: Some(number(candle.open)),
        high: Some(number(candle.high)),
        low: Some(number(candle.low)),
        close: Some(number(candle.close)),
        volume: Some(number(candle.volume)),
        r#final: candle.is_final,
        partial: candle.partial,
    }
}

fn candle_in(candle: proto::Candle) -> Result<Candle, String> {
    Ok(Candle {
        start: Micros(candle.start),
        open: decimal(candle.open, "open")?,
        high: decimal(candle.high, "high")?,
        low: decimal(candle.low, "low")?,
        close: decimal(candle.close, "close")?,
        volume: decimal(candle.volume, "volume")?,
        is_final: candle.r#final,
        partial: candle.partial,
    })
}

const fn side_out(side: Side) -> proto::Side {
    match side {
        Side::Buy => proto::Side::Buy,
        Side::Sell => proto::Side::Sell,
    }
}

fn side_in(side: proto::Side) -> Result<Side, String> {
    match side {
        proto::Side::Buy => Ok(Side::Buy),
        proto::Side::Sell => Ok(Side::Sell),
        proto::Side::Unspecified => Err("the trade's side is missing or unknown".into()),
    }
}

const fn state_out(state: State) -> proto::State {
    match state {
        State::Live => proto::State::Live,
        State::Stale => proto::State::Stale,
        State::Resync => proto::State::Resync,
        State::Down => proto::State::Down,
        State::FailedOver => proto::State::FailedOver,
        State::Lag => proto::State::Lag,
    }
}

fn state_in(state: proto::State) -> Result<State, String> {
    Ok(match state {
        proto::State::Live => State::Live,
        proto::State::Stale => State::Stale,
        proto::State::Resync => State::Resync,
        proto::State::Down => State::Down,
        proto::State::FailedOver => State::FailedOver,
        proto::State::Lag => State::Lag,
        proto::State::Unspecified => return Err("the state is missing or unknown".into()),
    })
}
