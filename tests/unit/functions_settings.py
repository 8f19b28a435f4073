"""Settings of the functions for tests in one process: two signed sources, and a key of a client."""

import hashlib

from functions.auth import BearerKey
from functions.config import ApiConfig, FunctionsConfig, LoggingConfig
from functions.routes import table
from functions.source_settings import SourceConfig, SourceSecret
from worker.contract.encryption import EncryptionConfig
from worker.contract.settings import Secret
from worker.contract.temporal_tls import TemporalConfig

KEY = "ok_test_key"
BEARER = {"Authorization": f"Bearer {KEY}"}


def config(address: str) -> FunctionsConfig:
    """Return settings that name a Temporal server at this address."""

    def source(scheme: str, dialect: str, topic: str, secret: str) -> SourceConfig:
        return SourceConfig(
            scheme=scheme,
            dialect=dialect,
            shop="main",
            secrets=(SourceSecret(value=Secret(secret)),),
            tolerance_seconds=300,
            topics=(topic,),
        )

    return FunctionsConfig(
        temporal=TemporalConfig(address=address, namespace="default", tls=False),
        encryption=EncryptionConfig(enabled=False, accept_clear=True, keys=()),
        api=ApiConfig(
            deadline_ms=2500,
            max_in_flight=4,
            max_body_bytes=4096,
            keys={"tester": BearerKey(sha256=Secret(hashlib.sha256(KEY.encode()).hexdigest()))},
            shop="main",
            functions=tuple({route.function for route in table()}),
            operator_auth="bearer",
        ),
        webhooks={
            "shopify": source("shopify", "shopify", "orders/create", "shop-secret"),
            "stripe": source("stripe", "stripe", "charge.refunded", "whsec_x"),
        },
        logging=LoggingConfig(level="INFO", json=True),
    )
