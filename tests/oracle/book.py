"""An order book kept with decimal, for the oracle and for the judge's own client.

Owns: canonical decimals, sorted sides, the hash of a view and the top-ten checksum.
Input: decimal strings. Output: strings and integers.
Deliberately knows no venue, no protocol, and shares no code with the server's workspace.
"""

import bisect
import decimal
import hashlib
import zlib

# Far more digits than any venue sends: normalising must never round.
decimal.getcontext().prec = 200


def canonical(text):
    """The one spelling of a decimal: no exponent, no trailing zeros, no leading zeros."""
    return format_decimal(decimal.Decimal(text))


def format_decimal(value):
    """The canonical spelling of a Decimal."""
    if value.is_zero():
        return "0"
    return format(value.normalize(), "f")


class Side:
    """One side of a book, best price first."""

    def __init__(self, descending):
        self._sign = -1 if descending else 1
        self._keys = []
        self._levels = []

    def set(self, price_text, size_text):
        """Sets a level to an absolute size; zero removes it, known or not."""
        price = decimal.Decimal(price_text)
        size = decimal.Decimal(size_text)
        key = price * self._sign
        at = bisect.bisect_left(self._keys, key)
        known = at < len(self._keys) and self._keys[at] == key
        if size.is_zero():
            if known:
                del self._keys[at]
                del self._levels[at]
            return
        level = f"{format_decimal(price)}:{format_decimal(size)}"
        if known:
            self._levels[at] = level
        else:
            self._keys.insert(at, key)
            self._levels.insert(at, level)

    def view(self, depth):
        """The best `depth` levels as `price:size`; 0 means all of them."""
        return self._levels[:depth] if depth else self._levels

    def best(self):
        """The best level as `price:size`, or None."""
        return self._levels[0] if self._levels else None

    def best_price(self):
        """The best price as a Decimal, or None."""
        return self._keys[0] * self._sign if self._keys else None

    def __len__(self):
        return len(self._levels)


class Book:
    """Both sides of one market."""

    def __init__(self):
        self.bids = Side(descending=True)
        self.asks = Side(descending=False)

    def apply(self, bids, asks):
        """Applies changed levels, each `[price, size]`."""
        for price, size in bids:
            self.bids.set(price, size)
        for price, size in asks:
            self.asks.set(price, size)

    def hash(self, depth):
        """First 16 hex digits of the SHA-256 over the canonical text of the view."""
        text = ";".join(self.bids.view(depth)) + "|" + ";".join(self.asks.view(depth))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def top(self):
        """`[best bid, best ask]`, each `price:size` or None."""
        return [self.bids.best(), self.asks.best()]

    def crossed(self):
        """True if the best bid is at or above the best ask."""
        bid, ask = self.bids.best_price(), self.asks.best_price()
        return bid is not None and ask is not None and bid >= ask

    def checksum(self):
        """CRC32 of the top ten by Kraken's rule: asks upwards, then bids downwards."""
        digits = []
        for level in self.asks.view(10) + self.bids.view(10):
            for number in level.split(":"):
                digits.append(number.replace(".", "").lstrip("0"))
        return zlib.crc32("".join(digits).encode())
