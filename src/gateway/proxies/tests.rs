//! Row H10 in small: every form a proxy's word can have, and every form a lie can have.

use std::io;

use http::HeaderValue;

use super::*;

const PEER: &str = "10.0.0.1:999";

fn meant(trusted: &[&str], proxy_protocol: bool) -> Proxies {
    let (proxies, problems) = read(trusted, proxy_protocol);
    assert_eq!(problems, Vec::<String>::new());
    proxies
}

fn read(trusted: &[&str], proxy_protocol: bool) -> (Proxies, Vec<String>) {
    let trusted_proxies = trusted.iter().map(|text| (*text).to_owned()).collect();
    let section = ListenSection { trusted_proxies, proxy_protocol, ..ListenSection::default() };
    let mut problems = Problems::default();
    let proxies = Proxies::meaning(&section, &mut problems);
    let told = problems.list().iter().map(ToString::to_string).collect();
    (proxies, told)
}

#[test]
fn h10_the_client_is_the_right_most_hop_that_is_not_trusted() {
    let proxies = meant(&["10.0.0.0/8", "2001:db8::/32", "127.0.0.1"], false);
    let table: &[(&str, &[&str], &str)] = &[
        ("nothing said", &[], "10.0.0.1:999"),
        ("one hop", &["203.0.113.9"], "203.0.113.9:0"),
        ("a lie in front", &["1.1.1.1, 203.0.113.9"], "203.0.113.9:0"),
        (
            "a trusted address in front of the client's own",
            &["10.9.9.9, 203.0.113.9"],
            "203.0.113.9:0",
        ),
        ("through two proxies", &["1.1.1.1, 203.0.113.9, 10.0.0.7"], "203.0.113.9:0"),
        ("several headers", &["1.1.1.1", "203.0.113.9,10.0.0.7", "10.0.0.8"], "203.0.113.9:0"),
        ("the last header is the nearest", &["203.0.113.9", "198.51.100.2"], "198.51.100.2:0"),
        ("only trusted hops", &["10.0.0.5, 10.0.0.6"], "10.0.0.5:0"),
        ("ipv6", &["2400::1"], "[2400::1]:0"),
        ("ipv6 through ipv6", &["2400::1, 2001:db8::5"], "[2400::1]:0"),
        ("ipv6 in brackets", &["[2400::1]"], "[2400::1]:0"),
        ("with ports", &["203.0.113.9:4711"], "203.0.113.9:4711"),
        ("ipv6 with a port", &["[2400::1]:4711"], "[2400::1]:4711"),
        ("ipv4 written as ipv6", &["::ffff:203.0.113.9"], "203.0.113.9:0"),
        ("a proxy written as ipv6", &["203.0.113.9, ::ffff:10.0.0.7"], "203.0.113.9:0"),
        ("garbage in front is never looked at", &["<script>, 203.0.113.9"], "203.0.113.9:0"),
        ("garbage in the nearest place", &["203.0.113.9, unknown"], "10.0.0.1:999"),
        ("garbage behind a proxy", &["203.0.113.9, junk, 10.0.0.7"], "10.0.0.7:0"),
        ("an empty entry", &["203.0.113.9,"], "10.0.0.1:999"),
        ("an empty header", &[""], "10.0.0.1:999"),
        ("a range is no address", &["203.0.113.0/24"], "10.0.0.1:999"),
        ("a zone is no address", &["fe80::1%eth0"], "10.0.0.1:999"),
        ("a padded number", &["203.0.113.009"], "10.0.0.1:999"),
    ];
    for (name, lines, expected) in table {
        assert_eq!(forwarded(&proxies, PEER, lines), *expected, "{name}");
    }
    let untrusted = "192.0.2.1:5";
    assert_eq!(forwarded(&proxies, untrusted, &["203.0.113.9"]), untrusted, "it may say nothing");
    let mapped = "[::ffff:10.0.0.1]:5";
    assert_eq!(forwarded(&proxies, mapped, &["203.0.113.9"]), "203.0.113.9:0");
    let nobody = meant(&[], false);
    assert_eq!(forwarded(&nobody, PEER, &["203.0.113.9"]), PEER, "no proxy is trusted");
}

fn forwarded(proxies: &Proxies, peer: &str, lines: &[&str]) -> String {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
    }
    proxies.client(peer.parse().unwrap(), &headers).to_string()
}

/// The address told by a connection that begins with these bytes, and what is left of them.
async fn introduced(bytes: &[u8]) -> Result<(String, usize), ProxyError> {
    let proxies = meant(&["10.0.0.0/8"], true);
    let mut stream = bytes;
    let client = proxies.introduced(&mut stream, PEER.parse().unwrap()).await?;
    Ok((client.to_string(), stream.len()))
}

fn block(version: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([version, family]);
    bytes.extend(u16::try_from(block.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(block);
    bytes
}

fn v4() -> Vec<u8> {
    [&[203, 0, 113, 9, 10, 0, 0, 1][..], &4711_u16.to_be_bytes(), &80_u16.to_be_bytes()].concat()
}

fn v6(source: &str) -> Vec<u8> {
    let source: std::net::Ipv6Addr = source.parse().unwrap();
    let ports = [4711_u16.to_be_bytes(), 80_u16.to_be_bytes()].concat();
    [&source.octets()[..], &[0; 16], &ports].concat()
}

#[tokio::test]
async fn h10_a_proxy_header_names_the_client() {
    let line = |text: &str| format!("PROXY {text}\r\n").into_bytes();
    let with_tlvs = [v4(), vec![3; 1_500]].concat();
    let table = [
        ("v1", line("TCP4 203.0.113.9 10.0.0.1 4711 80"), "203.0.113.9:4711"),
        ("v1 ipv6", line("TCP6 2400::1 ::1 4711 80"), "[2400::1]:4711"),
        ("v1 mapped", line("TCP6 ::ffff:203.0.113.9 ::1 4711 80"), "203.0.113.9:4711"),
        ("v1 unknown", line("UNKNOWN"), PEER),
        ("v1 unknown, with more", line("UNKNOWN ffff::1 ffff::2 1 2"), PEER),
        ("v2", block(0x21, 0x11, &v4()), "203.0.113.9:4711"),
        ("v2 with tlvs", block(0x21, 0x11, &with_tlvs), "203.0.113.9:4711"),
        ("v2 ipv6", block(0x21, 0x21, &v6("2400::1")), "[2400::1]:4711"),
        ("v2 mapped", block(0x21, 0x21, &v6("::ffff:203.0.113.9")), "203.0.113.9:4711"),
        ("v2 local", block(0x20, 0x11, &v4()), PEER),
        ("v2 unspecified", block(0x21, 0x00, b""), PEER),
        ("v2 unix", block(0x21, 0x31, &[0; 216]), PEER),
    ];
    for (name, mut bytes, client) in table {
        bytes.extend_from_slice(b"GET / HTTP/1.1\r\n");
        let (told, left) = introduced(&bytes).await.expect(name);
        assert_eq!((told.as_str(), left), (client, 16), "{name}: and what follows is untouched");
    }
}

#[tokio::test]
async fn h10_what_is_no_proxy_header_is_refused() {
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
    let table: &[(&str, Vec<u8>)] = &[
        ("http", b"GET /v1/stream HTTP/1.1\r\n\r\n".to_vec()),
        ("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00".to_vec()),
        ("lower case", b"proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n".to_vec()),
        ("no family", b"PROXY 1.1.1.1 1.1.1.1 1 1\r\n".to_vec()),
        ("two spaces", b"PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n".to_vec()),
        ("a word too many", b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n".to_vec()),
        ("of the other family", b"PROXY TCP4 2400::1 ::1 1 1\r\n".to_vec()),
        ("a port too high", b"PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n".to_vec()),
        ("a signed port", b"PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n".to_vec()),
        ("a padded port", b"PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n".to_vec()),
        ("a bare line feed", b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\nGET / HTTP/1.1\r\n".to_vec()),
        ("no text", b"PROXY TCP4 \xff\xff.1.1 1.1.1.1 1 1\r\n".to_vec()),
        ("a line too long", long.into_bytes()),
        ("v2, version 1", block(0x11, 0x11, &v4())),
        ("v2, unknown command", block(0x22, 0x11, &v4())),
        ("v2, unknown family", block(0x21, 0x41, &v4())),
        ("v2, udp", block(0x21, 0x12, &v4())),
        ("v2, short addresses", block(0x21, 0x11, &v4()[..11])),
        ("v2, ipv6 with ipv4's length", block(0x21, 0x21, &v4())),
        ("v2, too long", block(0x21, 0x11, &[0; 2_049])),
    ];
    for (name, bytes) in table {
        let outcome = introduced(bytes).await;
        assert!(matches!(outcome, Err(ProxyError::Malformed(_))), "{name}: {outcome:?}");
    }
    for whole in [b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n".to_vec(), block(0x21, 0x11, &v4())] {
        for length in 0..whole.len() {
            let outcome = introduced(&whole[..length]).await;
            let is_end = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
            let told = matches!(&outcome, Err(ProxyError::Truncated(error)) if is_end(error));
            assert!(told, "cut at {length}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn h10_a_proxy_header_is_not_waited_for() {
    let wait = Duration::from_millis(10);
    let proxies = Proxies { header_wait: wait, ..meant(&["10.0.0.0/8"], true) };
    let (mut stream, _held) = tokio::io::duplex(64);
    let outcome = proxies.introduced(&mut stream, PEER.parse().unwrap()).await;
    assert!(matches!(outcome, Err(ProxyError::TooSlow)), "{outcome:?}");
    let outcome = proxies.introduced(&mut stream, "192.0.2.1:5".parse().unwrap()).await;
    assert!(matches!(outcome, Err(ProxyError::NotTrusted)), "{outcome:?}");
}

#[test]
fn mistakes_are_told() {
    let table: [(&[&str], bool, &str); 5] = [
        (&["10.0.0.1/8"], false, "listen.trusted_proxies.0"),
        (&["10.0.0.0/8", "nginx"], false, "listen.trusted_proxies.1"),
        (&["0.0.0.0/0"], false, "trusts everybody"),
        (&["::/0"], false, "trusts everybody"),
        (&[], true, "no proxy is trusted"),
    ];
    for (trusted, proxy_protocol, told) in table {
        let (_, problems) = read(trusted, proxy_protocol);
        assert!(matches!(&problems[..], [one] if one.contains(told)), "{problems:?}");
    }
    assert_eq!(read(&["10.0.0.0/8"; 65], false).1.len(), 1);
}
