"""Currencies the provider settles in, and how its reports write them in major units.

Source: Stripe "Supported currencies" and its special cases (ISK and UGX: two decimals, always 00). Kept apart from the worker's own table on purpose: the two check each other.
"""

_TWO = (
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc cve"
    " czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd kes kgs khr kyd"
    " kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php"
    " pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd uyu uzs"
    " wst xcd yer zar zmw"
)
_ZERO = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
_THREE = "bhd jod kwd omr tnd"

DECIMALS: dict[str, int] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_ZERO.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
}
"""Decimals by lower-case currency code; a code that is not here is refused."""


def major(minor: int, currency: str) -> str:
    """Write minor units as a plain decimal in major units: -1050 eur -> `-10.50`, 500 jpy -> `500`."""
    digits = DECIMALS[currency]
    sign, value = ("-", -minor) if minor < 0 else ("", minor)
    if digits == 0:
        return f"{sign}{value}"
    return f"{sign}{value // 10**digits}.{value % 10**digits:0{digits}d}"
