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
      NoRoom                  a disk of ours is full or cannot be written to; try again once there is room
      SchemaMismatch          the database is older than this code
      SourceUnreadable        a reconciliation source could not be read to its end

Activities hand `code` to Temporal as the failure's type; functions map it to an HTTP status, the CLI to an
exit code. Messages hold ids and amounts, never personal data or secrets.
"""

import errno
from typing import ClassVar


class OrdersError(Exception):
    """Base of every error this project raises on purpose."""

    code: ClassVar[str] = "orders_error"
    remedy: ClassVar[str] = ""
    """What to do about it, in one line: the command line says it, and the page of error codes."""
    retryable: ClassVar[bool] = False


class InvalidInput(OrdersError):
    """The caller's data is wrong."""

    code = "invalid_input"
    remedy = "correct what it names and send it anew; `--help` shows how a command is meant"


class InvalidOrder(InvalidInput):
    """An order breaks a rule; `reasons` lists all of them."""

    code = "invalid_order"
    remedy = "the shop corrects the order and places it under a new id: this one stays rejected"

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


class InvalidStatement(InvalidInput):
    """A statement file cannot be read as the format it claims."""

    code = "invalid_statement"
    remedy = (
        "`orders statements preview FILE` says what can be read, --format how to read it; else ask the "
        "issuer for a sound file"
    )


class Conflict(OrdersError):
    """The thing exists in another shape, or its state forbids the step."""

    code = "conflict"
    remedy = "look at how it stands now (`show` of the same noun), then decide anew"


class TooSoon(OrdersError):
    """It was done a moment ago; some time later it may be asked for again."""

    code = "too_soon"
    remedy = "wait as long as it says, then ask again"


class NotFound(OrdersError):
    """The thing is not there; retryable, since an event may overtake the order it belongs to."""

    code = "not_found"
    remedy = "`list` of the same noun shows what there is; --shop names another shop"
    retryable = True


class Erased(NotFound):
    """Personal data that was erased on request: there is nothing to read, now or later."""

    code = "erased"
    remedy = "nothing: it was made unreadable for good, on request"
    retryable = False


class PaymentDeclined(OrdersError):
    """The provider declined; `reason` is its decline code, `reference` its id of the payment where it names one."""

    code = "payment_declined"
    remedy = (
        "nothing: no money moved; the customer may pay in another way, `orders order show` says whether the "
        "order waits for one"
    )

    def __init__(self, reason: str, reference: str = "") -> None:
        super().__init__(f"the payment provider declined: {reason}")
        self.reason = reason
        self.reference = reference


class PaymentNeedsCustomer(OrdersError):
    """The provider wants the customer to act (for example 3-D Secure) before money can move."""

    code = "payment_needs_customer"
    remedy = (
        "nothing: the customer has to act at the provider; the order waits, and expires when its payment window closes"
    )


class ProviderRejected(OrdersError):
    """An outside system refused the request; the same request will be refused again."""

    code = "provider_rejected"
    remedy = "the same request will be refused again: change what the message names, a setting or the credentials first"


class ProviderUnavailable(OrdersError):
    """An outside system did not answer, or not sensibly; the effect may or may not have happened."""

    code = "provider_unavailable"
    remedy = "`orders doctor` says what answers; try again, nothing is done twice, and what waits goes on by itself"
    retryable = True


class DatabaseUnavailable(OrdersError):
    """MySQL did not answer, or rolled the work back."""

    code = "database_unavailable"
    remedy = "`orders doctor` says what answers; try again, nothing is done twice, and what waits goes on by itself"
    retryable = True


class NoRoom(OrdersError):
    """A disk of ours is full or cannot be written to; what was being written is gone, and nothing is half there."""

    code = "no_room"
    remedy = (
        "`orders doctor` says how much is left where: make room, or name another folder in the settings (store.path, "
        "lake.spill, TMPDIR); what waits goes on by itself"
    )
    retryable = True

    _NUMBERS: ClassVar = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})

    @classmethod
    def told_by(cls, problem: BaseException, what: str = "") -> "NoRoom | None":
        """Return the error for what the system says of a disk, None where it says something else."""
        if not isinstance(problem, OSError) or problem.errno not in cls._NUMBERS:
            return None
        return cls(": ".join(filter(None, (what, problem.strerror, problem.filename2 or problem.filename))))


class SchemaMismatch(OrdersError):
    """The database is older than this code; `orders db migrate` brings it up to date."""

    code = "schema_mismatch"
    remedy = (
        "`orders db migrate` (on AWS `orders deploy run`, which every apply runs), or the release that fits "
        "the database"
    )


class SourceUnreadable(OrdersError):
    """A reconciliation source could not be read to its end: the run is incomplete, never green."""

    code = "source_unreadable"
    remedy = "look at the source as for provider_unavailable and run it again; such a run is incomplete, never green"
    retryable = True
