//! One file, one idea, said in its header; small files, small functions.

use super::code::{block_end, line_of, words};
use super::source::{Language, Place, Source};

/// Most lines of a source file, its unit tests included.
const FILE_LINES: usize = 400;
/// Most lines of a function, from its `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;

/// Rust files open with `//!`, the page's modules with `/**`.
pub(crate) fn header(source: &Source) -> Vec<Place> {
    let (wanted, rule) = match source.language {
        Language::Rust => ("//!", "opens without a //! header"),
        Language::JavaScript => ("/**", "opens without a /** header"),
        Language::Other => return Vec::new(),
    };
    if source.text.starts_with(wanted) { Vec::new() } else { vec![source.place(1, rule)] }
}

/// Files hold at most [`FILE_LINES`].
pub(crate) fn file(source: &Source) -> Vec<Place> {
    let lines = source.text.lines().count();
    if source.language == Language::Other || lines <= FILE_LINES {
        return Vec::new();
    }
    vec![source.place(lines, format!("{lines} lines, at most {FILE_LINES}"))]
}

/// Functions hold at most [`FUNCTION_LINES`].
pub(crate) fn functions(source: &Source) -> Vec<Place> {
    let bodies = match source.language {
        Language::Rust => rust_bodies(&source.code),
        Language::JavaScript => script_bodies(&source.code),
        Language::Other => return Vec::new(),
    };
    bodies.into_iter().filter_map(|body| too_long(source, body)).collect()
}

/// A function: where it starts and where its block opens.
struct Body {
    start: usize,
    open: usize,
}

fn too_long(source: &Source, body: Body) -> Option<Place> {
    let first = line_of(&source.code, body.start);
    let last = line_of(&source.code, block_end(&source.code, body.open));
    let lines = last + 1 - first;
    let rule = format!("a function of {lines} lines, at most {FUNCTION_LINES}");
    (lines > FUNCTION_LINES).then(|| source.place(first, rule))
}

/// Every `fn name … {`; declarations and pointer types have no block of their own.
fn rust_bodies(code: &str) -> Vec<Body> {
    let open_of = |start: usize| {
        let rest = &code[start + 2..];
        let name = rest.trim_start().chars().next()?;
        if !(name.is_alphabetic() || name == '_') {
            return None;
        }
        let mut nesting = 0i32;
        for (at, byte) in rest.bytes().enumerate() {
            match byte {
                b'(' | b'[' => nesting += 1,
                b')' | b']' => nesting -= 1,
                b'{' if nesting == 0 => return Some(start + 2 + at),
                b';' if nesting == 0 => return None,
                _ => {}
            }
        }
        None
    };
    words(code, "fn").filter_map(|start| Some(Body { start, open: open_of(start)? })).collect()
}

/// Every `=> {` and `name(…) {` that is no statement; best effort.
fn script_bodies(code: &str) -> Vec<Body> {
    let blocks = code.match_indices('{').map(|(open, _)| open);
    blocks
        .filter_map(|open| {
            let before = code[..open].trim_end();
            if before.ends_with("=>") {
                return Some(Body { start: before.len() - 2, open });
            }
            let head = &before[..parenthesis_start(before.strip_suffix(')')?)?];
            let words = head.trim_end();
            let name = words.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?;
            let statement = ["if", "for", "while", "switch", "catch", "await"].contains(&name);
            (!statement).then_some(Body { start: words.len() - name.len(), open })
        })
        .collect()
}

/// Where the parenthesis opens that closes right after `text`.
fn parenthesis_start(text: &str) -> Option<usize> {
    let mut depth = 1usize;
    for (at, byte) in text.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' if depth == 1 => return Some(at),
            b'(' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[test]
fn long_functions_are_found() {
    let long = "\n".repeat(FUNCTION_LINES);
    let check = |path: &str, text: String, wanted: &[usize]| {
        let places = functions(&Source::new(path.to_owned(), text));
        assert_eq!(places.iter().map(|p| p.line).collect::<Vec<_>>(), wanted);
    };
    check("a.rs", format!("//!\nfn a(x: [u8; 2]) -> u8 {{{long}}}"), &[2]);
    check("a.rs", format!("//!\ntrait T {{ fn a(&self);{long} }}\ntype F = fn(u8);"), &[]);
    check("a.rs", format!("//!\nfn a() {{}}\n// {long}\nfn b() {{ /* {long} */ }}"), &[74]);
    check("a.js", format!("/** */\nclass A {{ b(c) {{{long}}} }}"), &[2]);
    check("a.js", format!("/** */\nconst a = (b) =>\n {{{long}}};\nif (a) {{{long}}}"), &[2]);
    check("a.js", format!("/** */\nclass A {{{long} b() {{ }} }}"), &[]);
}
