"""The error tree. Every error has a stable `code`, says whether trying again can help, and what to do.

    OrdersError
      InvalidInput            the caller's data is wrong; sending it again changes nothing
        InvalidOrder          an order breaks a rule of the shop
        InvalidStatement      a statement file cannot be read as the format it claims
      Conflict                the thing exists in another shape, or its state forbids the step
      TooSoon                 it was done a moment ago; it may be asked for again later
      NotFound                the thing is not (yet) there
        Erased                it was there, and was made unreadable for good
      PaymentDeclined         the provider said no for good
      PaymentNeedsCustomer    the provider wants the customer to act first
      ProviderRejected        an outside system refused the request; it will refuse it again
      ProviderUnavailable     an outside system did not answer, or not sensibly; try again
      DatabaseUnavailable     MySQL did not answer, or rolled the work back; try again
      SchemaMismatch          the database is older than this code
      SourceUnreadable        a reconciliation source could not be read to its end

Activities hand `code` to Temporal as the failure's type; functions map it to an HTTP status, the CLI to an
exit code. Messages hold ids and amounts, never personal data or secrets.
"""

from typing import ClassVar


class OrdersError(Exception):
    """Base of every error this project raises on purpose."""

    code: ClassVar[str] = "orders_error"
    retryable: ClassVar[bool] = False


class InvalidInput(OrdersError):
    """The caller's data is wrong.

    Read what the message says is wrong, change the request and send it anew.
    """

    code = "invalid_input"


class InvalidOrder(InvalidInput):
    """An order breaks a rule; `reasons` lists all of them.

    The shop corrects the order and places it under a new id; this one stays rejected.
    """

    code = "invalid_order"

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


class InvalidStatement(InvalidInput):
    """A statement file cannot be read as the format it claims.

    `orders statements preview FILE` says which line and why; ask the issuer for a sound file, or describe its format in
    the settings.
    """

    code = "invalid_statement"


class Conflict(OrdersError):
    """The thing exists in another shape, or its state forbids the step.

    Look at how the thing stands now (`orders order show`, `orders breaks show`, ...) and decide anew.
    """

    code = "conflict"


class TooSoon(OrdersError):
    """It was done a moment ago; some time later it may be asked for again.

    Wait as long as the message says, then ask again.
    """

    code = "too_soon"


class NotFound(OrdersError):
    """The thing is not there; retryable, since an event may overtake the order it belongs to.

    Nothing while it is tried again; named on the command line, check the id and the shop.
    """

    code = "not_found"
    retryable = True


class Erased(NotFound):
    """Personal data that was erased on request: there is nothing to read, now or later.

    Nothing: it is as it was asked for.
    """

    code = "erased"
    retryable = False


class PaymentDeclined(OrdersError):
    """The provider declined; `reason` is its decline code, `reference` its id of the payment where it names one.

    Nothing: the order has ended without money, or waits for another method; the customer may pay otherwise.
    """

    code = "payment_declined"

    def __init__(self, reason: str, reference: str = "") -> None:
        super().__init__(f"the payment provider declined: {reason}")
        self.reason = reason
        self.reference = reference


class PaymentNeedsCustomer(OrdersError):
    """The provider wants the customer to act (for example 3-D Secure) before money can move.

    Nothing: the order waits for the customer, and expires when its payment window closes.
    """

    code = "payment_needs_customer"


class ProviderRejected(OrdersError):
    """An outside system refused the request; the same request will be refused again.

    Read the message, which has the other side's own code; if the request is wrong, the code or a setting is.
    """

    code = "provider_rejected"


class ProviderUnavailable(OrdersError):
    """An outside system did not answer, or not sensibly; the effect may or may not have happened.

    Look at the other side's status page, then at the network and the credentials; what waits goes on by itself.
    """

    code = "provider_unavailable"
    retryable = True


class DatabaseUnavailable(OrdersError):
    """MySQL did not answer, or rolled the work back.

    Look whether MySQL runs and takes connections (`orders db check`); what waits goes on by itself.
    """

    code = "database_unavailable"
    retryable = True


class SchemaMismatch(OrdersError):
    """The database is older than this code; `orders db migrate` brings it up to date.

    Run `orders db migrate` (on AWS `orders deploy run`, which every apply runs), then start again.
    """

    code = "schema_mismatch"


class SourceUnreadable(OrdersError):
    """A reconciliation source could not be read to its end: the run is incomplete, never green.

    Look at the source as for provider_unavailable; the next run makes up for this one.
    """

    code = "source_unreadable"
    retryable = True
