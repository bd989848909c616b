//! Any text as a decimal: what is read prints to a text that reads as the same number.
#![no_main]

use fantail_model::Decimal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (Ok(a), Ok(b)) = (Decimal::parse(texts.0), Decimal::parse(texts.1)) else { return };
    for number in [a, b] {
        let text = number.to_string();
        assert_eq!(Decimal::parse(&text).ok(), Some(number), "{text}");
    }
    assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
    if let Some(sum) = a.checked_add(b) {
        assert_eq!(b.checked_add(a), Some(sum));
        // The way back may not fit where the way there did; if it does, it is exact.
        assert_eq!(sum.checked_sub(b).unwrap_or(a), a);
    }
    let _ = a.checked_mul(b);
});
