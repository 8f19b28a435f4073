"""The programs that the functions are compared with seal their payloads as the functions do: the same starts."""

import dataclasses

from temporalio.converter import DataConverter

from functions.payload_codec import SealingCodec
from tests.integration.served_functions import SEALING_KEY
from worker.contract.encryption import EncryptionConfig, SealingKey
from worker.contract.settings import Secret


def sealing_converter() -> DataConverter:
    """Return a converter with the key that the functions are served with, plugged in where the SDK has it."""
    keys = (SealingKey(id="tests", key=Secret(SEALING_KEY)),)
    codec = SealingCodec(EncryptionConfig(enabled=True, accept_clear=True, keys=keys))
    return dataclasses.replace(DataConverter.default, payload_codec=codec)
