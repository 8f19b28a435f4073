"""Named harm to clean books, each with everything that must be found of it: class, key, amounts, weight and repair.

A mutation harms one order (or one record that belongs to no order) and says what all legs together must find. Nothing
else may be found, and mutations of different orders must not disturb each other.
"""

from tests.books.harm_to_orders import ORDERS
from tests.books.harm_to_payments import CONVERTED, IN_PARTS, PAYMENTS, TOLERATED
from tests.books.harm_to_payouts import PAYOUTS
from tests.books.harm_to_shipments import SHIPMENTS

MUTATIONS = (*PAYMENTS, *ORDERS, *SHIPMENTS)

ALONE = (*PAYOUTS, *TOLERATED, *IN_PARTS, *CONVERTED)
"""Those that harm what several orders share (a payout, a rule), and so are not mixed with others."""
