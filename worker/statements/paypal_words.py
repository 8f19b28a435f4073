"""PayPal's words: columns in the languages its exports come in, statuses, types of transactions, T-codes.

The columns are those of activity and statement exports; the types are told by what their words contain, since PayPal
has hundreds of them in every language and adds new ones; the T-code, where a file has it, decides before any word.
Source: PayPal documentation, "Transaction event codes"; real exports.
"""

from worker.domain.ledger import LineKind

COLUMNS: dict[str, dict[str, str]] = {
    "en": {
        "time zone": "timezone",
        "description": "type",
        "invoice id": "invoice number",
        "custom number": "custom",
        "transaction event code": "event code",
        "country code": "country",
        "buyer country code": "country",
    },
    "de": {
        "datum": "date",
        "uhrzeit": "time",
        "zeitzone": "timezone",
        "typ": "type",
        "beschreibung": "type",
        "währung": "currency",
        "brutto": "gross",
        "gebühr": "fee",
        "gebühren": "fee",
        "entgelt": "fee",
        "netto": "net",
        "guthaben": "balance",
        "saldo": "balance",
        "transaktionscode": "transaction id",
        "zugehöriger transaktionscode": "reference txn id",
        "txn-referenzkennung": "reference txn id",
        "rechnungsnummer": "invoice number",
        "individuelle nummer": "custom",
        "auswirkung auf guthaben": "balance impact",
        "transaktionsereigniscode": "event code",
        "ländercode des käufers": "country",
    },
    "es": {
        "fecha": "date",
        "hora": "time",
        "zona horaria": "timezone",
        "tipo": "type",
        "descripción": "type",
        "estado": "status",
        "divisa": "currency",
        "bruto": "gross",
        "comisión": "fee",
        "neto": "net",
        "id. de transacción": "transaction id",
        "id. de referencia de trans.": "reference txn id",
        "id. de factura": "invoice number",
        "número de factura": "invoice number",
    },
    "fr": {
        "heure": "time",
        "fuseau horaire": "timezone",
        "état": "status",
        "devise": "currency",
        "avant commission": "gross",
        "commission": "fee",
        "solde": "balance",
        "numéro de transaction": "transaction id",
        "numéro de la transaction de référence": "reference txn id",
        "numéro de facture": "invoice number",
        "identifiant de facture": "invoice number",
        "impact sur le solde": "balance impact",
        "code de transaction": "event code",
        "code du pays de l'acheteur pour cette transaction": "country",
    },
    "it": {
        "data": "date",
        "ora": "time",
        "fuso orario": "timezone",
        "descrizione": "type",
        "stato": "status",
        "valuta": "currency",
        "lordo": "gross",
        "tariffa": "fee",
        "codice transazione": "transaction id",
        "codice transazione di riferimento": "reference txn id",
        "numero fattura": "invoice number",
    },
    "nl": {
        "tijd": "time",
        "tijdzone": "timezone",
        "omschrijving": "type",
        "kosten": "fee",
        "transactiereferentie": "transaction id",
        "referentie transactiereferentie": "reference txn id",
        "factuurnummer": "invoice number",
    },
}
"""By language: name in the file -> name used here. Names that English shares are not repeated."""

ALIASES = {name: ours for words in COLUMNS.values() for name, ours in words.items()}
FOREIGN = frozenset(name for language, words in COLUMNS.items() if language != "en" for name in words)
"""Names that only an export in another language has; those languages write the day before the month."""

NOT_SETTLED = frozenset(
    {
        *(
            "pending",
            "denied",
            "canceled",
            "cancelled",
            "failed",
            "expired",
            "removed",
            "placed",
            "unclaimed",
            "active",
        ),
        *("ausstehend", "abgelehnt", "storniert", "fehlgeschlagen", "abgelaufen", "offen", "nicht eingelöst"),
        *("pendiente", "denegado", "cancelado", "fallido", "vencido"),
        *("en attente", "refusé", "annulé", "échoué", "expiré"),
        *("in sospeso", "negato", "annullato", "non riuscito", "scaduto"),
        *("in behandeling", "geweigerd", "geannuleerd", "mislukt", "verlopen"),
    }
)
"""Statuses of rows that may not have moved the balance (yet); the running balance says whether they did."""

MEMO = frozenset({"memo", "no impact", "keine auswirkung"})
"""Balance impacts of rows that moved nothing."""

TYPES: tuple[tuple[LineKind, tuple[str, ...]], ...] = (
    (LineKind.TRANSFER, ("conversion", "umrechnung", "wechsel", "conversión", "conversione", "omrekening")),
    (LineKind.DISPUTE_REVERSAL, ("chargeback reversal", "cancellation of reversal", "canceled reversal")),
    (
        LineKind.TRANSFER,
        ("hold", "release", "reserve", "einbehalt", "freigabe", "retención", "blocage", "trattenut", "reservering"),
    ),
    (LineKind.DISPUTE, ("chargeback", "dispute", "reversal", "rückbuchung", "contracargo", "litige", "storno")),
    (
        LineKind.REFUND,
        ("refund", "rückzahlung", "rückerstattung", "reembolso", "remboursement", "rimborso", "terugbetaling"),
    ),
    (LineKind.FEE, ("fee", "gebühr", "comisión", "commission", "tariffa", "kosten")),
    (
        LineKind.PAYOUT,
        ("withdrawal", "transfer to bank", "abbuchung", "auszahlung", "retiro", "retirada", "virement", "prelievo"),
    ),
    (LineKind.TRANSFER, ("bank deposit", "bankgutschrift", "transfer from", "add funds")),
    (
        LineKind.CHARGE,
        ("payment", "checkout", "zahlung", "kauf", "purchase", "pago", "paiement", "pagamento", "betaling", "sale"),
    ),
)
"""What a type's words contain, the first that fits; anything else is unclassified: shown, never dropped."""

CODES: tuple[tuple[str, LineKind], ...] = (
    ("T00", LineKind.CHARGE),
    ("T01", LineKind.FEE),
    ("T02", LineKind.TRANSFER),
    ("T03", LineKind.TRANSFER),
    ("T04", LineKind.PAYOUT),
    ("T1101", LineKind.DISPUTE),
    ("T1102", LineKind.DISPUTE_REVERSAL),
    ("T1106", LineKind.DISPUTE),
    ("T1107", LineKind.REFUND),
    ("T1105", LineKind.TRANSFER),
    ("T1110", LineKind.TRANSFER),
    ("T1111", LineKind.TRANSFER),
    ("T1113", LineKind.TRANSFER),
    ("T1114", LineKind.FEE),
    ("T1201", LineKind.DISPUTE),
    ("T1202", LineKind.DISPUTE_REVERSAL),
    ("T12", LineKind.ADJUSTMENT),
    ("T13", LineKind.TRANSFER),
    ("T15", LineKind.TRANSFER),
    ("T19", LineKind.ADJUSTMENT),
    ("T20", LineKind.PAYOUT),
    ("T21", LineKind.TRANSFER),
    ("T22", LineKind.TRANSFER),
)
"""T-codes by their start, the first that fits: payments, fees, conversions, bank deposits and withdrawals, reversals,
disputes, adjustments, authorisations, holds, corrections, transfers, reserves."""


def kind_of(code: str, words: str, amount_minor: int) -> LineKind:
    """Return the kind of a transaction by its T-code, else by its words. Money we paid to others is no charge."""
    found = next((kind for start, kind in CODES if code.startswith(start)), None) if code else None
    if found is None:
        lower = words.lower()
        found = next((kind for kind, parts in TYPES if any(part in lower for part in parts)), LineKind.UNCLASSIFIED)
    if found is LineKind.CHARGE and amount_minor < 0:
        return LineKind.ADJUSTMENT
    return found


def is_conversion(words: str) -> bool:
    """Whether a type is one side of a currency conversion."""
    lower = words.lower()
    return any(part in lower for part in TYPES[0][1])
