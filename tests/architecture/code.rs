//! Just enough lexing to tell code from comments and strings, and to find where a block ends.
//!
//! Input: a file's text. Output: text of the same length and lines, with comments and the insides
//! of strings and characters turned to spaces. It understands no grammar; JavaScript's regular
//! expression literals are taken for code, which has not hurt a rule yet.

use super::source::Language;

/// The text with everything that is not code blanked.
pub(crate) fn blank(text: &str, language: Language) -> String {
    if language == Language::Other {
        return text.to_owned();
    }
    let mut out = Blanker { bytes: text.as_bytes(), at: 0, out: Vec::with_capacity(text.len()) };
    while out.at < out.bytes.len() {
        out.step(language);
    }
    // Only whole characters of comments and strings were blanked, byte by byte, to ASCII spaces.
    String::from_utf8_lossy(&out.out).into_owned()
}

/// The byte after the block that opens at `open`, which holds a `{`; the end if it never closes.
pub(crate) fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    code.len()
}

/// The line a byte is on, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Every place where `word` stands alone, not inside a longer name.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = at.checked_sub(1).and_then(|i| code.as_bytes().get(i));
        let after = code.as_bytes().get(at + word.len());
        let starts = word.as_bytes().first().is_some_and(|b| named(*b));
        let ends = word.as_bytes().last().is_some_and(|b| named(*b));
        !(starts && before.is_some_and(|b| named(*b)) || ends && after.is_some_and(|b| named(*b)))
    })
}

struct Blanker<'a> {
    bytes: &'a [u8],
    at: usize,
    out: Vec<u8>,
}

impl Blanker<'_> {
    fn step(&mut self, language: Language) {
        let rust = language == Language::Rust;
        match self.bytes[self.at] {
            b'/' if self.next() == Some(b'/') => self.line_comment(),
            b'/' if self.next() == Some(b'*') => self.block_comment(rust),
            b'"' => self.quoted(b'"'),
            b'\'' if rust && self.is_lifetime() => self.keep(1),
            b'\'' => self.quoted(b'\''),
            b'`' if !rust => self.quoted(b'`'),
            b'r' if rust && !self.follows_name() => self.maybe_raw(),
            _ => self.keep(1),
        }
    }

    fn next(&self) -> Option<u8> {
        self.bytes.get(self.at + 1).copied()
    }

    fn keep(&mut self, count: usize) {
        let end = (self.at + count).min(self.bytes.len());
        self.out.extend_from_slice(&self.bytes[self.at..end]);
        self.at = end;
    }

    fn hide(&mut self) {
        let Some(byte) = self.bytes.get(self.at) else { return };
        self.out.push(if *byte == b'\n' { b'\n' } else { b' ' });
        self.at += 1;
    }

    fn line_comment(&mut self) {
        while self.at < self.bytes.len() && self.bytes[self.at] != b'\n' {
            self.hide();
        }
    }

    /// Rust's block comments nest, JavaScript's do not.
    fn block_comment(&mut self, nests: bool) {
        let mut depth = 0usize;
        while self.at < self.bytes.len() {
            let pair = (self.bytes[self.at], self.next());
            let opens = pair == (b'/', Some(b'*')) && (nests || depth == 0);
            let closes = pair == (b'*', Some(b'/'));
            depth = if opens { depth + 1 } else { depth - usize::from(closes) };
            self.hide();
            if opens || closes {
                self.hide();
            }
            if closes && depth == 0 {
                return;
            }
        }
    }

    fn quoted(&mut self, quote: u8) {
        self.keep(1);
        while self.at < self.bytes.len() && self.bytes[self.at] != quote {
            if self.bytes[self.at] == b'\\' {
                self.hide();
            }
            self.hide();
        }
        self.keep(1);
    }

    /// `r"…"` or `r#"…"#`; `r#name` and plain names are kept.
    fn maybe_raw(&mut self) {
        let hashes = self.bytes[self.at + 1..].iter().take_while(|b| **b == b'#').count();
        if self.bytes.get(self.at + 1 + hashes) != Some(&b'"') {
            return self.keep(1);
        }
        self.keep(hashes + 2);
        let mut close = vec![b'"'];
        close.resize(hashes + 1, b'#');
        while self.at < self.bytes.len() && !self.bytes[self.at..].starts_with(&close) {
            self.hide();
        }
        self.keep(hashes + 1);
    }

    /// `'a` of a lifetime, not `'a'` of a character.
    fn is_lifetime(&self) -> bool {
        let name = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        self.next().is_some_and(name) && self.bytes.get(self.at + 2) != Some(&b'\'')
    }

    fn follows_name(&self) -> bool {
        let before = self.at.checked_sub(1).map(|at| self.bytes[at]);
        // `br"…"` is a raw string too; a name ending in b is not worth telling apart.
        before.is_some_and(|b| (b.is_ascii_alphanumeric() || b == b'_') && b != b'b')
    }
}

#[test]
fn comments_and_strings_are_blanked() {
    let check = |text: &str, language, wanted: &str| assert_eq!(blank(text, language), wanted);
    check("a // b {\nc", Language::Rust, "a       \nc");
    check("a /* { /* } */ } */ b", Language::Rust, "a                   b");
    check(r#"let a = "{ \" }";"#, Language::Rust, r#"let a = "      ";"#);
    check(r###"r#"{ " }"# fn"###, Language::Rust, r###"r#"     "# fn"###);
    check("fn f<'a>(c: char) { c == '{' }", Language::Rust, "fn f<'a>(c: char) { c == ' ' }");
    check(r"'\'' {", Language::Rust, "'  ' {");
    check("x = '{' + `}` /* { */", Language::JavaScript, "x = ' ' + ` `        ");
    check("é // é", Language::Rust, "é      ");
}

#[test]
fn blocks_and_words_are_found() {
    assert_eq!(block_end("a { b { } } c", 2), 11);
    assert_eq!(block_end("a { b", 2), 5);
    assert_eq!(line_of("a\nb\nc", 4), 3);
    assert_eq!(words("unsafe_code unsafe Unsafe unsafe", "unsafe").collect::<Vec<_>>(), [12, 26]);
}
