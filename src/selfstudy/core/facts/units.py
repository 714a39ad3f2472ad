"""Units of measure and currencies: one spelling for each, and whether two quantities are the same."""

from __future__ import annotations

import re

_SPELLINGS = {
    "s": "sec secs second seconds 秒",
    "min": "mins minute minutes",
    "h": "hr hrs hour hours",
    "ms": "msec millisecond milliseconds 毫秒",
    "day": "days",
    "week": "wk wks weeks",
    "month": "months",
    "year": "yr yrs years",
    "mm": "millimeter millimeters millimetre millimetres",
    "cm": "centimeter centimeters centimetre centimetres",
    "m": "meter meters metre metres 米",
    "km": "kilometer kilometers kilometre kilometres",
    "in": "inch inches",
    "ft": "foot feet",
    "mi": "mile miles",
    "mg": "milligram milligrams",
    "μg": "ug mcg microgram micrograms",
    "g": "gram grams 克",
    "kg": "kilo kilos kilogram kilograms",
    "t": "tonne tonnes 吨",
    "lb": "lbs",
    "ml": "milliliter milliliters millilitre millilitres",
    "l": "liter liters litre litres 升",
    "v": "volt volts 伏",
    "a": "amp amps ampere amperes 安",
    "w": "watt watts 瓦",
    "mW": "milliwatt milliwatts",
    "kw": "kilowatt kilowatts",
    "mw": "megawatt megawatts",
    "hz": "hertz",
    "%": "percent pct",
    "$": "usd us$ dollar dollars",
    "€": "eur euro euros",
    "£": "gbp",
    "jpy": "yen",
    "cny": "rmb yuan",
}
_KNOWN = {name: unit for unit, names in _SPELLINGS.items() for name in (unit.lower() if unit != "mW" else "", *names.split()) if name}
_KNOWN |= {name: name for name in "bar psi pa kpa mpa khz mhz ghz kb mb gb tb wh kwh mwh °c °f °".split()}
_CASED = re.compile(r"m(?!L|B)[A-Z][a-z]{0,2}|[KMGT]b|M")
"""mW is no MW, Mb no MB, 5 M no 5 m."""
_CURRENCIES = "USD EUR GBP CHF JPY CNY RMB INR CAD AUD NZD SGD HKD SEK NOK DKK PLN CZK HUF RUB TRY BRL MXN ZAR KRW usd eur gbp chf"
CURRENCY = rf"(?:us|au|ca|hk|nz|[ac])?[$€£¥₹]|(?<![a-z])(?-i:{_CURRENCIES.replace(' ', '|')})"
"""What stands before an amount, as a pattern for any case."""
_SCALES = {
    "ms": ("s", 0.001), "s": ("s", 1), "min": ("s", 60), "h": ("s", 3600), "day": ("s", 86400), "week": ("s", 604800),
    "month": ("month", 1), "year": ("month", 12),
    "mm": ("m", 0.001), "cm": ("m", 0.01), "m": ("m", 1), "km": ("m", 1000), "in": ("m", 0.0254), "ft": ("m", 0.3048),
    "mi": ("m", 1609.344),
    "mg": ("g", 0.001), "g": ("g", 1), "kg": ("g", 1000), "t": ("g", 1e6), "lb": ("g", 453.592),
    "ml": ("l", 0.001), "l": ("l", 1), "mW": ("w", 0.001), "w": ("w", 1), "kw": ("w", 1000), "mw": ("w", 1e6),
    "pa": ("pa", 1), "kpa": ("pa", 1000), "mpa": ("pa", 1e6), "bar": ("pa", 1e5), "psi": ("pa", 6894.757), "°c": ("°c", 1),
    "°f": ("°c", 5 / 9),
}  # fmt: skip
_CLOSE = 0.01
"""What is converted is rounded."""


def unit(written: str) -> str:
    """The one spelling of a unit, however it is `written`; of any other word its singular in lower case."""
    if _CASED.fullmatch(written):
        return written
    word = written.lower()
    if named := _KNOWN.get(word):
        return named
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") and word.isascii() else word


def is_measure(unit: str) -> bool:
    """Whether this is a unit of measure or a currency, in the one spelling, and no word that merely follows a number."""
    return unit.lower() in _KNOWN or unit in _KNOWN.values() or bool(re.fullmatch(CURRENCY, unit, re.IGNORECASE))


def same_quantity(number: str, unit: str, other: str, other_unit: str) -> bool:
    """Whether two numbers with their units are the same quantity: 1 m is 100 cm, 200 °C is 392 °F, and 5 bar is not 5 psi."""
    if unit == other_unit:
        return number == other
    (base, scale), (other_base, other_scale) = _SCALES.get(unit, ("", 1)), _SCALES.get(other_unit, ("", 1))
    if not base or base != other_base:
        return False
    try:
        one, two = (float(number) - 32 * (unit == "°f")) * scale, (float(other) - 32 * (other_unit == "°f")) * other_scale
    except ValueError:
        return False
    return abs(one - two) <= _CLOSE * max(abs(one), abs(two))
