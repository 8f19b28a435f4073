"""Databases: phantom settings that moto shows, and a master password that the real database here knows."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from moto.rds.models import DBCluster, DBInstance, DBParameterGroup, MasterUserSecret


def apply(master_password: str) -> None:
    """Complete clusters and instances; managed master users get `master_password`."""
    # Serverless v1's scaling is shown for every cluster: a difference in every plan.
    scaling = DBCluster.scaling_configuration_info.fget
    DBCluster.scaling_configuration_info = property(lambda self: scaling(self) if self.scaling_configuration else None)

    # Performance insights are shown as switched on for every instance.
    made = DBInstance.__init__

    def make(self: Any, *positional: Any, **named: Any) -> None:
        made(self, *positional, **named)
        self.performance_insights_enabled = bool(named.get("enable_performance_insights"))
        # The same for all instances, so that the provider, which looks for it, finds two.
        self.dbi_resource_id = f"db-{uuid4().hex[:26].upper()}"

    DBInstance.__init__ = make

    # Without saying who set a parameter, it looks as if nobody had.
    changed = DBParameterGroup.update_parameters

    def change(self: Any, parameters: Iterable[dict[str, Any]]) -> None:
        changed(self, [{**parameter, "Source": "user"} for parameter in parameters])

    DBParameterGroup.update_parameters = change

    # moto's secret holds the same user and password for everybody; the real service's holds the user that was asked
    # for, and the database behind the fake service is a server that runs already and has its password.
    def known(self: Any) -> str:
        return json.dumps({"username": self.resource.master_username, "password": master_password})

    MasterUserSecret._generate_secret_string = known
