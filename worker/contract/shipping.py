"""Where an order's parcel goes. Personal data: sealed in Temporal, kept in MySQL until it is erased, shown nowhere else."""

import hashlib
import json
import unicodedata
from dataclasses import asdict, dataclass

LONGEST_TEXT = 255
"""Characters of a name, a line, a city: what shops take."""
LONGEST_POSTAL_CODE = 32
MOST_LINES = 4

_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT "
    "BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH "
    "ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT "
    "HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS "
    "LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI "
    "NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG "
    "SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG "
    "UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XK"
)
COUNTRIES = frozenset(_CODES.split())
"""Codes of ISO 3166-1, two letters; and XK for Kosovo, which is not ISO's but what everybody who ships there writes."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ShipTo:
    """A shipping address. Its parts are as the sender wrote them; nothing is looked up or corrected."""

    recipient: str
    lines: tuple[str, ...]
    """Street, house number, floor: as they stand on the parcel."""
    city: str
    country: str
    postal_code: str = ""
    region: str = ""

    def __repr__(self) -> str:
        """Say nothing of it: what is printed by accident stays in logs."""
        return "ShipTo(...)"

    @property
    def fingerprint(self) -> str:
        """What tells one address from another, where the address itself has no place."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def problems_of(ship_to: ShipTo) -> list[tuple[str, str]]:
    """Return what is wrong with an address, as names of fields and words; nothing when it is sound. Repeats no value."""
    problems = [
        (name, f"must be {1 if needed else 0} to {longest} characters, none a control")
        for name, text, needed, longest in (
            ("recipient", ship_to.recipient, True, LONGEST_TEXT),
            *((f"lines[{index}]", line, True, LONGEST_TEXT) for index, line in enumerate(ship_to.lines)),
            ("city", ship_to.city, True, LONGEST_TEXT),
            ("postal_code", ship_to.postal_code, False, LONGEST_POSTAL_CODE),
            ("region", ship_to.region, False, LONGEST_TEXT),
        )
        if not _fits(text, longest, needed=needed)
    ]
    if not 1 <= len(ship_to.lines) <= MOST_LINES:
        problems.append(("lines", f"must be 1 to {MOST_LINES} lines"))
    if ship_to.country not in COUNTRIES:
        problems.append(("country", "must be a country code of ISO 3166-1, two capital letters"))
    return problems


def _fits(text: str, longest: int, *, needed: bool) -> bool:
    if len(text) > longest or (needed and not text):
        return False
    return not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in text)
