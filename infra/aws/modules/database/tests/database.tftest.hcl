mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  prefix                   = "orders-test"
  engine                   = "aurora-mysql"
  vpc_id                   = "vpc-1"
  subnet_ids               = ["subnet-1", "subnet-2"]
  client_security_group_id = "sg-clients"
}

run "aurora_is_encrypted_protected_and_backed_up" {
  command = plan

  assert {
    condition     = length(aws_rds_cluster_instance.this) == 2 && length(aws_db_instance.this) == 0
    error_message = "two instances, in two zones"
  }

  assert {
    condition     = aws_rds_cluster.this[0].storage_encrypted && aws_rds_cluster.this[0].deletion_protection && !aws_rds_cluster.this[0].skip_final_snapshot && aws_rds_cluster.this[0].backup_retention_period == 7
    error_message = "encrypted, protected, backed up"
  }

  assert {
    condition     = aws_rds_cluster.this[0].manage_master_user_password && aws_rds_cluster.this[0].master_password == null
    error_message = "RDS makes the password and keeps it"
  }

  assert {
    condition     = contains([for parameter in aws_rds_cluster_parameter_group.this[0].parameter : "${parameter.name}=${parameter.value}"], "require_secure_transport=ON")
    error_message = "TLS or nothing"
  }

  assert {
    condition     = !strcontains(join(",", [for parameter in aws_rds_cluster_parameter_group.this[0].parameter : parameter.value]), "DCL")
    error_message = "statements that set passwords are not logged"
  }

  assert {
    condition     = alltrue([for instance in aws_rds_cluster_instance.this : !instance.publicly_accessible && instance.instance_class == "db.serverless"])
    error_message = "not public, serverless"
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_log_group.this)) == toset(["audit", "error", "slowquery"]) && aws_cloudwatch_log_group.this["audit"].name == "/aws/rds/cluster/orders-test/audit"
    error_message = "the groups that RDS writes to exist with a retention"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients.referenced_security_group_id == "sg-clients" && aws_vpc_security_group_ingress_rule.clients.from_port == 3306 && aws_vpc_security_group_ingress_rule.clients.to_port == 3306
    error_message = "one rule in: the tasks"
  }

  assert {
    condition     = output.host == "mock.cluster-abc.eu-west-1.rds.amazonaws.com" && output.master_secret_arn != null
    error_message = "the cluster's address and secret"
  }

  assert {
    condition     = length(aws_iam_role.monitoring) == 0
    error_message = "no role that nothing uses"
  }
}

run "mariadb_is_encrypted_protected_and_backed_up" {
  command = plan

  variables {
    engine = "mariadb"
  }

  assert {
    condition     = length(aws_db_instance.this) == 1 && length(aws_rds_cluster.this) == 0 && length(aws_rds_cluster_instance.this) == 0
    error_message = "one instance, no cluster"
  }

  assert {
    condition     = aws_db_instance.this[0].storage_encrypted && aws_db_instance.this[0].deletion_protection && aws_db_instance.this[0].multi_az && !aws_db_instance.this[0].skip_final_snapshot && !aws_db_instance.this[0].publicly_accessible
    error_message = "encrypted, protected, with a standby, not public"
  }

  assert {
    condition     = aws_db_instance.this[0].manage_master_user_password && aws_db_instance.this[0].password == null
    error_message = "RDS makes the password and keeps it"
  }

  assert {
    condition     = contains([for parameter in aws_db_parameter_group.this[0].parameter : "${parameter.name}=${parameter.value}"], "require_secure_transport=1")
    error_message = "TLS or nothing"
  }

  assert {
    condition     = output.host == "mock.abc.eu-west-1.rds.amazonaws.com" && output.identifier == "orders-test"
    error_message = "the instance's address"
  }
}

run "smallest_of_all" {
  command = plan

  variables {
    engine                 = "mariadb"
    multi_zone             = false
    deletion_protection    = false
    final_snapshot_enabled = false
    backup_retention_days  = 1
  }

  assert {
    condition     = aws_db_instance.this[0].skip_final_snapshot && !aws_db_instance.this[0].multi_az && aws_db_instance.this[0].final_snapshot_identifier == null
    error_message = "nothing stays when it is destroyed"
  }
}

run "aurora_that_pauses" {
  command = plan

  variables {
    multi_zone       = false
    min_capacity_acu = 0
    max_capacity_acu = 1
  }

  assert {
    condition     = length(aws_rds_cluster_instance.this) == 1 && aws_rds_cluster.this[0].serverlessv2_scaling_configuration[0].seconds_until_auto_pause == 300
    error_message = "one instance, paused after a quarter of an hour"
  }
}

run "detailed_monitoring" {
  command = plan

  variables {
    detailed_monitoring_enabled = true
    kms_key_arn                 = "arn:aws:kms:eu-west-1:123456789012:key/1"
  }

  assert {
    condition     = alltrue([for instance in aws_rds_cluster_instance.this : instance.performance_insights_enabled && instance.monitoring_interval == 60 && instance.performance_insights_kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1"])
    error_message = "on every instance, under the same key"
  }

  assert {
    condition     = length(aws_iam_role.monitoring) == 1 && aws_rds_cluster.this[0].kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1"
    error_message = "with the role that it needs"
  }
}

run "a_restore_names_its_snapshot_and_has_a_final_one_of_its_own" {
  command = plan

  variables {
    snapshot_identifier = "orders-test-2026-11-01"
  }

  assert {
    condition     = aws_rds_cluster.this[0].snapshot_identifier == "orders-test-2026-11-01" && aws_rds_cluster.this[0].final_snapshot_identifier != "orders-test-final-${substr(sha1("new"), 0, 8)}"
    error_message = "two databases of one name do not fight over one snapshot"
  }
}

run "refuses_an_unknown_engine" {
  command = plan
  variables {
    engine = "postgres"
  }
  expect_failures = [var.engine]
}

run "refuses_a_version_of_the_other_engine" {
  command = plan
  variables {
    engine_version = "11.4.3"
  }
  expect_failures = [var.engine_version]
}

run "refuses_a_single_subnet" {
  command = plan
  variables {
    subnet_ids = ["subnet-1"]
  }
  expect_failures = [var.subnet_ids]
}

run "refuses_a_name_that_mysql_would_have_to_quote" {
  command = plan
  variables {
    database_name = "my-orders"
  }
  expect_failures = [var.database_name]
}

run "refuses_a_third_of_a_unit" {
  command = plan
  variables {
    min_capacity_acu = 0.3
  }
  expect_failures = [var.min_capacity_acu]
}

run "refuses_more_at_least_than_at_most" {
  command = plan

  variables {
    min_capacity_acu = 8
    max_capacity_acu = 4
  }

  expect_failures = [var.max_capacity_acu]
}

run "refuses_what_is_no_class" {
  command = plan
  variables {
    instance_class = "small"
  }
  expect_failures = [var.instance_class]
}

run "refuses_a_disk_too_small" {
  command = plan
  variables {
    storage_gb = 5
  }
  expect_failures = [var.storage_gb]
}

run "refuses_a_disk_that_cannot_grow" {
  command = plan

  variables {
    storage_gb     = 100
    max_storage_gb = 100
  }

  expect_failures = [var.max_storage_gb]
}

run "refuses_to_have_no_backups" {
  command = plan
  variables {
    backup_retention_days = 0
  }
  expect_failures = [var.backup_retention_days]
}

run "refuses_insights_where_there_are_none" {
  command = plan

  variables {
    engine                      = "mariadb"
    detailed_monitoring_enabled = true
  }

  expect_failures = [var.detailed_monitoring_enabled]
}

run "refuses_to_pause_what_cannot" {
  command = plan

  variables {
    min_capacity_acu = 0
    engine_version   = "8.0.mysql_aurora.3.07.1"
  }

  expect_failures = [var.min_capacity_acu]
}
