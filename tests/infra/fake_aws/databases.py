"""Databases: phantom settings that moto shows, and a master password that the real database here knows."""

import json
from typing import Any

from moto.rds.models import DBCluster, DBInstance, MasterUserSecret


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

    DBInstance.__init__ = make

    # moto's secret holds the same user and password for everybody; the real service's holds the user that was asked
    # for, and the database behind the fake service is a server that runs already and has its password.
    def known(self: Any) -> str:
        return json.dumps({"username": self.resource.master_username, "password": master_password})

    MasterUserSecret._generate_secret_string = known
