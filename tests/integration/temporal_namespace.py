"""A namespace of one's own on the Temporal server of a file: tests of fixed queue names must not meet."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.converter import DataConverter

from worker.contract.temporal_tls import TemporalConfig
from worker.temporal import search_attributes
from worker.temporal.client import connect


@asynccontextmanager
async def fresh_namespace(address: str, converter: DataConverter = DataConverter.default) -> AsyncIterator[Client]:
    """Register a namespace with our search attributes and yield a client of it."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    admin = await connect(TemporalConfig(address=address, namespace="default", tls=False), DataConverter.default)
    retention = Duration()
    retention.FromTimedelta(timedelta(days=1))
    await admin.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=retention)
    )
    client = await connect(TemporalConfig(address=address, namespace=name, tls=False), converter)
    await search_attributes.converge(client)
    yield client
