"""Everything that an account holds of the kinds that this infrastructure makes, asked of the fake AWS itself."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.infra.fake import FakeAws

Client = Callable[[str], Any]


def everything(fake: FakeAws) -> set[str]:
    """Return the identifier of every resource, each with its kind in front."""
    return {f"{kind} {name}" for kind, names in _KINDS.items() for name in names(fake.client)}


def _listed(service: str, operation: str, items: str, name: str, **arguments: Any) -> Callable[[Client], Iterator[str]]:
    def names(client: Client) -> Iterator[str]:
        asked = client(service)
        pages = (
            asked.get_paginator(operation).paginate(**arguments)
            if asked.can_paginate(operation)
            else [getattr(asked, operation)(**arguments)]
        )
        for page in pages:
            for each in page[items]:
                yield str(each[name] if isinstance(each, dict) else each)

    return names


def _keys(client: Client) -> Iterator[str]:
    kms = client("kms")
    owned = {each.get("TargetKeyId"): each["AliasName"] for each in kms.list_aliases()["Aliases"]}
    for each in kms.list_keys()["Keys"]:
        # A key is never gone at once: it is deleted by being scheduled for it. Keys of AWS's own come by themselves.
        state = kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"]["KeyState"]
        if state != "PendingDeletion" and not owned.get(each["KeyId"], "").startswith("alias/aws/"):
            yield each["KeyId"]


def _parameters(client: Client) -> Iterator[str]:
    for each in client("rds").describe_db_parameter_groups()["DBParameterGroups"]:
        if not each["DBParameterGroupName"].startswith("default."):  # these are everybody's
            yield each["DBParameterGroupName"]


def _cluster_parameters(client: Client) -> Iterator[str]:
    for each in client("rds").describe_db_cluster_parameter_groups()["DBClusterParameterGroups"]:
        if not each["DBClusterParameterGroupName"].startswith("default."):
            yield each["DBClusterParameterGroupName"]


def _endpoints(client: Client) -> Iterator[str]:
    for each in client("ec2").describe_vpc_endpoints()["VpcEndpoints"]:
        if each["State"] != "deleted":  # a deleted one is listed for a while
            yield each["VpcEndpointId"]


def _scalable(client: Client) -> Iterator[str]:
    found = client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    return (each["ResourceId"] for each in found["ScalableTargets"])


def _clusters(client: Client) -> Iterator[str]:
    ecs = client("ecs")
    arns = ecs.list_clusters()["clusterArns"]
    for each in ecs.describe_clusters(clusters=arns)["clusters"] if arns else ():
        if each["status"] == "ACTIVE":  # a deleted one is listed for a while
            yield each["clusterName"]


def _services(client: Client) -> Iterator[str]:
    ecs = client("ecs")
    for cluster in _clusters(client):
        yield from ecs.list_services(cluster=cluster)["serviceArns"]


_KINDS: dict[str, Callable[[Client], Iterator[str]]] = {
    "vpc": _listed("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    "subnet": _listed("ec2", "describe_subnets", "Subnets", "SubnetId"),
    "security group": _listed("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    "route table": _listed("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    "endpoint": _endpoints,
    "internet gateway": _listed("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    "address": _listed("ec2", "describe_addresses", "Addresses", "AllocationId"),
    "network interface": _listed("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    "flow log": _listed("ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    "bucket": _listed("s3", "list_buckets", "Buckets", "Name"),
    "function": _listed("lambda", "list_functions", "Functions", "FunctionName"),
    "api": _listed("apigatewayv2", "get_apis", "Items", "Name"),
    "cluster": _clusters,
    "service": _services,
    "task definition": _listed("ecs", "list_task_definitions", "taskDefinitionArns", "", status="ACTIVE"),
    "scalable target": _scalable,
    "database": _listed("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    "database cluster": _listed("rds", "describe_db_clusters", "DBClusters", "DBClusterIdentifier"),
    "database snapshot": _listed("rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"),
    "database subnets": _listed("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    "database parameters": _parameters,
    "database cluster parameters": _cluster_parameters,
    "role": _listed("iam", "list_roles", "Roles", "RoleName"),
    "policy": _listed("iam", "list_policies", "Policies", "PolicyName", Scope="Local"),
    "identity provider": _listed("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"),
    "log group": _listed("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "alarm": _listed("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "dashboard": _listed("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "topic": _listed("sns", "list_topics", "Topics", "TopicArn"),
    "rule": _listed("events", "list_rules", "Rules", "Name"),
    "key": _keys,
    "secret": _listed("secretsmanager", "list_secrets", "SecretList", "Name"),
    "parameter": _listed("ssm", "describe_parameters", "Parameters", "Name"),
    "repository": _listed("ecr", "describe_repositories", "repositories", "repositoryName"),
}
