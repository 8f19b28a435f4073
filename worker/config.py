"""Settings of the worker and of its command line, as frozen dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from worker.contract import encryption, temporal_tls, tracing
from worker.contract.settings import ROOT, ConfigurationError, Secret, build, environment, pick, raw_settings
from worker.statement_settings import StatementsConfig, problems_of

NOT_THE_WORKERS = frozenset({"api", "deploy", "webhooks"})
"""Top-level tables of settings.toml that the functions read, or the deploy command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig:
    """How to reach MySQL. `url` is `mysql+pymysql://user:password@host:port/name?charset=utf8mb4`."""

    url: Secret
    pool_size: int
    connect_timeout_seconds: int
    read_timeout_seconds: int
    write_timeout_seconds: int
    lock_wait_seconds: int
    tls: bool
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessConfig:
    """What this worker process polls and how it stops."""

    queues: tuple[str, ...]
    activity_threads: int
    max_cached_workflows: int
    grace_seconds: int
    sticky_timeout_seconds: int
    health_host: str
    health_port: int
    stuck_after_seconds: int
    release: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersConfig:
    """Time-outs of the order process that mean something to the business, in seconds."""

    payment_window_seconds: int
    fulfilment_sla_seconds: int
    event_patience_seconds: int
    ask_again_seconds: tuple[int, ...] = ()
    payment_retry_window_seconds: int = 0
    ask_hold_seconds: int = 0
    charge_within_task_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersConfig:
    """The registration process."""

    confirmation_window_seconds: int
    reminder_seconds: tuple[int, ...]
    resend_pause_seconds: int
    mails_at_most: int
    address_url: str
    token_key: Secret
    confirm_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    """The payment provider's API."""

    name: str
    api_base: str
    api_key: Secret
    timeout_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopConfig:
    """The shop's API."""

    name: str
    api_base: str
    access_token: Secret
    timeout_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseConfig:
    """The warehouse's API; `secret` signs our requests, `token` reads its lists."""

    api_base: str
    secret: Secret
    token: Secret
    timeout_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MailConfig:
    """The mail relay."""

    host: str
    port: int
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """The object store: the bucket where one is named, else the folder. A relative path is below the project's root."""

    path: Path
    bucket: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeConfig:
    """What comparisons in columns may take of a process, and how they are cut; `keep_days` is for a folder, 0: for good."""

    memory_mb: int
    threads: int
    spill: str
    rows_per_part: int
    keys_per_piece: int
    keep_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToleranceConfig:
    """How far amounts of one currency may differ and still agree; 0 is no bound, where both are set both must hold."""

    absolute_minor: int = 0
    relative_bp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GraceConfig:
    """How long either side may be silent about what was moved by one method (empty: all), instead of the payment grace."""

    moved: str = ""
    method: str = ""
    internal_seconds: int | None = None
    external_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeConfig:
    """The fee agreed for some payments, and how far one may be from it; empty method, country, currency: any."""

    method: str = ""
    country: str = ""
    currency: str = ""
    basis_points: int = 0
    fixed_minor: int = 0
    variance_minor: int = 0
    variance_bp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesConfig:
    """The rules of one provider; see settings.toml for the meaning of each."""

    references: tuple[str, ...] = ("payment_reference", "order_id")
    compared: str = "customer"
    date_window_seconds: int = 86400
    many_to_one: bool = False
    tolerances: dict[str, ToleranceConfig] = field(default_factory=dict)
    graces: tuple[GraceConfig, ...] = ()
    fees: tuple[FeeConfig, ...] = ()
    fee_variance: str = "warning"
    fx_difference: str = "warning"
    fx_allowed_bp: int = 500
    reversed_after_fulfilment: str = "matched"
    payouts_by: str = ""
    payout_grace_seconds: int = 86400
    payout_lookback_seconds: int = 864000
    bank_grace_seconds: int = 259200
    bank_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairConfig:
    """The policy of one kind of repair; see settings.toml for what each value means."""

    mode: str = "on"
    limits: dict[str, int] = field(default_factory=dict)
    ladder_seconds: tuple[int, ...] = (300, 3600, 86400)
    most_attempts: int = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationConfig:
    """Grace per side and how far back a run looks, in seconds; rules by provider; what may be repaired."""

    payment_grace_seconds: int
    shipment_grace_seconds: int
    order_grace_seconds: int
    lookback_seconds: int
    repair: bool
    repairs: dict[str, RepairConfig]
    close_again_seconds: tuple[int, ...] = (21600, 86400, 86400, 172800, 345600, 604800)
    close_months: int = 12
    rules: dict[str, RulesConfig] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertConfig:
    """One rule; see settings.toml."""

    when: str
    to: tuple[str, ...] = ()
    period_seconds: int = 86400
    kinds: tuple[str, ...] = ()
    min_count: int = 1
    min_at_risk: dict[str, int] = field(default_factory=dict)
    min_age_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """Where notices go: a webhook's address and secrets, or a mail address."""

    url: str = ""
    secrets: tuple[Secret, ...] = ()
    mail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingConfig:
    """The endpoints of alerts, and inner hosts that webhooks may go to all the same."""

    allowed_hosts: tuple[str, ...]
    endpoints: dict[str, EndpointConfig]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionConfig:
    """Who is told of changes of orders, by a signed webhook; see settings.toml."""

    shop: str = ""
    url: str = ""
    secrets: tuple[Secret, ...] = ()
    kinds: tuple[str, ...] = ()
    enabled: bool = True
    inside: bool = False
    retry_seconds: tuple[int, ...] = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """Figures for CloudWatch; an empty namespace switches them off."""

    emf_namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingConfig:
    """How logs are written."""

    level: str
    json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """One declared reconciliation schedule; see settings.toml. It has an interval or a day of the month, else 0."""

    id: str
    shop: str
    provider: str
    offset_seconds: int
    overlap: str
    catchup_seconds: int
    jitter_seconds: int
    mode: str = "full"
    interval_seconds: int = 0
    day_of_month: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Everything the worker reads from settings.toml."""

    temporal: temporal_tls.TemporalConfig
    encryption: encryption.EncryptionConfig
    database: DatabaseConfig
    worker: ProcessConfig
    orders: OrdersConfig
    users: UsersConfig
    provider: ProviderConfig
    shop: ShopConfig
    warehouse: WarehouseConfig
    mail: MailConfig
    store: StoreConfig
    lake: LakeConfig
    statements: StatementsConfig
    reconciliation: ReconciliationConfig
    alerts: dict[str, AlertConfig]
    alerting: AlertingConfig
    metrics: MetricsConfig
    tracing: tracing.TracingConfig
    logging: LoggingConfig
    schedules: dict[str, ScheduleConfig]
    outbound: dict[str, SubscriptionConfig] = field(default_factory=dict)
    stock: dict[str, str] = field(default_factory=dict)
    capture: dict[str, str] = field(default_factory=dict)


def load(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> WorkerConfig:
    """Load the worker's settings. Raises ConfigurationError with every problem at once."""
    config = build(WorkerConfig, pick(raw_settings(environ, root), WorkerConfig, NOT_THE_WORKERS))
    problems = [
        *temporal_tls.problems_of(config.temporal),
        *tracing.problems_of(config.tracing),
        *encryption.problems_of(config.encryption, environment=environment(environ)),
        *problems_of(config.statements),
    ]
    if problems:
        raise ConfigurationError(problems)
    return config


def load_statements(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> StatementsConfig:
    """Load what a preview of a statement file needs, and no secret. Raises ConfigurationError."""
    config = build(StatementsConfig, raw_settings(environ, root).get("statements", {}))
    if problems := problems_of(config):
        raise ConfigurationError(problems)
    return config
