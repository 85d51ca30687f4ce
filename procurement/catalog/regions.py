"""The regions a card can be for, and the currencies each region's cards are in: two independent facts (R6)."""

from __future__ import annotations

from dataclasses import dataclass

GULF = "cards for the Gulf and Lebanon are sold in US dollars"


@dataclass(frozen=True)
class Region:
    """One region. `sold`: the storefront sells it; the others are real regions that nobody here sells yet."""

    code: str
    name: str
    currencies: tuple[str, ...]
    sold: bool = False
    note: str = ""
    other_names: tuple[str, ...] = ()


class NoRegion(ValueError):
    """The text names no region; the message says why, as a sentence without its full stop."""


REGIONS: dict[str, Region] = {
    region.code: region
    for region in (
        Region("US", "United States", ("USD",), sold=True, other_names=("USA",)),
        Region("GB", "United Kingdom", ("GBP",), sold=True, other_names=("UK", "Great Britain")),
        Region("DE", "Germany", ("EUR",), sold=True),
        Region("ES", "Spain", ("EUR",), sold=True),
        Region("FR", "France", ("EUR",), sold=True),
        Region("PL", "Poland", ("PLN",), sold=True),
        Region("TR", "Türkiye", ("TRY",), sold=True, other_names=("Turkey", "Turkiye")),
        Region("IN", "India", ("INR",), sold=True),
        Region("AE", "United Arab Emirates", ("USD",), sold=True, note=GULF, other_names=("UAE",)),
        Region("SA", "Saudi Arabia", ("USD",), sold=True, note=GULF, other_names=("KSA",)),
        Region("BR", "Brazil", ("BRL",), sold=True),
        Region("CA", "Canada", ("CAD",), sold=True),
        Region("KW", "Kuwait", ("USD",), note=GULF),
        Region("QA", "Qatar", ("USD",), note=GULF),
        Region("BH", "Bahrain", ("USD",), note=GULF),
        Region("OM", "Oman", ("USD",), note=GULF),
        Region("LB", "Lebanon", ("USD",), note=GULF),
        Region("UA", "Ukraine", ("UAH",)),
        Region("TH", "Thailand", ("THB",)),
        Region("JP", "Japan", ("JPY",)),
    )
}
ALIASES = {"UK": "GB", "USA": "US", "UAE": "AE", "KSA": "SA"}
CURRENCIES = frozenset(currency for region in REGIONS.values() for currency in region.currencies)
# Words that shops write where a region belongs, and why none of them is one.
NO_REGIONS = {
    "EU": "EU is no region: euro cards work in one country only, such as DE, ES or FR",
    "EUROPE": "Europe is no region: euro cards work in one country only, such as DE, ES or FR",
    "GLOBAL": "GLOBAL is no region: every card works in one region only",
    "WORLDWIDE": "WORLDWIDE is no region: every card works in one region only",
    "WW": "WW is no region: every card works in one region only",
    "GCC": "GCC is no region: a card works in one Gulf country only, such as AE or SA",
}
# Every label a supplier may use, in the order in which pages list regions.
REGION_RANKS = {code: rank for rank, code in enumerate(REGIONS)}
REGION_RANKS |= {alias: REGION_RANKS[code] for alias, code in ALIASES.items()}


# ISO 3166-1: a customer's account may be of a country no card is sold for.
ISO_3166 = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(ISO_3166.split())


def country_of(text: str) -> str:
    """The two letters of a country a person wrote as letters or by a name this list knows; empty for anything else."""
    code = canonical(text)
    if code in COUNTRIES:
        return code
    named = [code for code, region in REGIONS.items() if region.name.casefold() == text.strip().casefold()]
    return named[0] if named else ""


def canonical(label: str) -> str:
    """A region label as this project writes it: capitals, UK as GB; an unknown label stays as it is."""
    written = label.strip().upper()
    return ALIASES.get(written, written)


def region_of(text: str) -> Region:
    """The region a person wrote; NoRegion with the reason when it is none. An empty text is never guessed."""
    code = canonical(text)
    if not code:
        raise NoRegion("The region is empty, and a region is never guessed from the title or the currency")
    if code in NO_REGIONS:
        raise NoRegion(NO_REGIONS[code])
    if code not in REGIONS:
        raise NoRegion(f"“{text.strip()[:20]}” is no region this list knows")
    return REGIONS[code]


def spellings(code: str) -> list[str]:
    """Every label a supplier may use for the region `code`."""
    return [code, *(alias for alias, meant in ALIASES.items() if meant == code)]


def name_of(label: str) -> str:
    """The name of a region label, or nothing for a label that is not known."""
    region = REGIONS.get(canonical(label))
    return region.name if region else ""


def region_names() -> dict[str, str]:
    """Names by code and by alias, for the page tag that writes both."""
    names = {code: region.name for code, region in REGIONS.items()}
    return names | {alias: REGIONS[code].name for alias, code in ALIASES.items()}
