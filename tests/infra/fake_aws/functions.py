"""Functions: moto drops the logging configuration, which then drifts in every plan and takes the alias with it."""

from typing import Any

from moto.awslambda.models import LambdaFunction


def apply() -> None:
    """Keep the logging configuration of a function."""
    made, shown, updated = (
        LambdaFunction.__init__,
        LambdaFunction.get_configuration,
        LambdaFunction.update_configuration,
    )

    def make(self: Any, account_id: str, spec: dict[str, Any], region: str, version: int = 1) -> None:
        made(self, account_id, spec, region, version)
        self.kept_logging = spec.get("LoggingConfig")

    def show(self: Any, on_create: bool = False) -> dict[str, Any]:
        configuration: dict[str, Any] = shown(self, on_create)
        if getattr(self, "kept_logging", None):
            configuration["LoggingConfig"] = {name: value for name, value in self.kept_logging.items() if value}
        return configuration

    def update(self: Any, updates: dict[str, Any]) -> Any:
        self.kept_logging = updates.get("LoggingConfig", getattr(self, "kept_logging", None))
        return updated(self, updates)

    LambdaFunction.__init__ = make
    LambdaFunction.get_configuration = show
    LambdaFunction.update_configuration = update
