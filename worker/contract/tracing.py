"""Whether traces are wanted, as the settings of both deployables say it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingConfig:
    """Where spans go; with neither there are none, and nothing is done for them."""

    file: str = ""
    endpoint: str = ""
    sample_per_mille: int = 1000

    @property
    def wanted(self) -> bool:
        """Whether there is anywhere to write to."""
        return bool(self.file or self.endpoint)


def problems_of(config: TracingConfig) -> list[str]:
    """Return what types alone cannot tell is wrong; empty when it is sound."""
    problems = []
    if config.endpoint and not config.endpoint.startswith(("http://", "https://")):
        problems.append(
            "tracing.endpoint: is an http:// or https:// address, for example http://127.0.0.1:4318/v1/traces"
        )
    if not 0 <= config.sample_per_mille <= 1000:
        problems.append("tracing.sample_per_mille: is 0 to 1000, traces of a thousand")
    return problems
