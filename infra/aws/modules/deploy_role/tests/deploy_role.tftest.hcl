mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  name                = "orders"
  access              = "apply"
  environment         = "test"
  oidc_provider_arn   = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  subjects            = ["repo:acme/orders:environment:test"]
  state_bucket_arn    = "arn:aws:s3:::orders-state-123456789012"
  artifact_bucket_arn = "arn:aws:s3:::orders-artifacts-123456789012"
  repository_arns     = ["arn:aws:ecr:eu-west-1:123456789012:repository/orders/worker"]
  kms_key_arns        = ["arn:aws:kms:eu-west-1:123456789012:key/1"]
}

run "apply_is_one_environment" {
  command = plan

  assert {
    condition     = aws_iam_role.this.name == "orders-test-github-apply" && aws_iam_role.this.max_session_duration == 3600
    error_message = "named after its environment, for an hour"
  }

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
      Condition = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = ["repo:acme/orders:environment:test"]
      } }
    }]
    error_message = "the exact subject, for AWS, and nobody else"
  }

  assert {
    condition     = toset(keys(aws_iam_policy.this)) == toset(["secrets", "reading", "state", "roles", "named", "network", "unnamed"]) && length(aws_iam_role_policy_attachment.this) == 7
    error_message = "its policies are attached"
  }

  assert {
    condition     = alltrue([for each in aws_iam_policy.this : length(each.policy) <= 6144]) && length(aws_iam_policy.boundary[0].policy) <= 6144
    error_message = "IAM takes no longer ones"
  }

  assert {
    condition = alltrue(flatten([for policy in aws_iam_policy.this : [for each in jsondecode(policy.policy).Statement :
      !contains(each.Action, "*") && !contains(each.Action, "iam:*") && !anytrue([for action in each.Action : endswith(action, ":*")])
    ]]))
    error_message = "no service is granted as a whole"
  }

  assert {
    condition     = jsondecode(aws_iam_policy.this["secrets"].policy).Statement[0].Effect == "Deny" && length(setsubtract(["secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath", "ssm:GetParameterHistory", "ssm:PutParameter"], jsondecode(aws_iam_policy.this["secrets"].policy).Statement[0].Action)) == 0
    error_message = "no value of a secret"
  }
}

run "apply_makes_and_hands_over_bounded_roles_only" {
  command = plan

  assert {
    condition     = [for each in jsondecode(aws_iam_policy.this["roles"].policy).Statement : each.Condition.StringEquals["iam:PermissionsBoundary"] if contains(each.Action, "iam:CreateRole")] == [output.boundary_arn]
    error_message = "a role is made below the boundary"
  }

  assert {
    condition     = alltrue([for each in jsondecode(aws_iam_policy.this["roles"].policy).Statement : each.Resource == ["arn:aws:iam::123456789012:role/orders-test-*"] && length(each.Condition.StringEquals["iam:PassedToService"]) == 4 if contains(each.Action, "iam:PassRole") && each.Effect == "Allow"])
    error_message = "handed to four services, the environment's only"
  }

  assert {
    condition     = [for each in jsondecode(aws_iam_policy.this["roles"].policy).Statement : each.Resource if each.Effect == "Deny"][0] == ["arn:aws:iam::123456789012:role/orders-test-github-*"]
    error_message = "it cannot widen itself"
  }

  assert {
    condition     = !anytrue([for each in jsondecode(aws_iam_policy.boundary[0].policy).Statement : anytrue([for action in each.Action : startswith(action, "iam:") || startswith(action, "sts:")])])
    error_message = "a role of the environment can never be given IAM"
  }
}

run "apply_keeps_its_own_state" {
  command = plan

  assert {
    condition     = toset(flatten([for each in jsondecode(aws_iam_policy.this["state"].policy).Statement : each.Resource if !contains(each.Action, "kms:GenerateDataKey")])) == toset(["arn:aws:s3:::orders-state-123456789012/test/terraform.tfstate", "arn:aws:s3:::orders-state-123456789012/test/terraform.tfstate.tflock"])
    error_message = "the environment's state and lock"
  }

  assert {
    condition     = [for each in jsondecode(aws_iam_policy.this["state"].policy).Statement : each.Resource if contains(each.Action, "s3:DeleteObject")][0] == ["arn:aws:s3:::orders-state-123456789012/test/terraform.tfstate.tflock"]
    error_message = "of which it may delete the lock"
  }

  assert {
    condition     = length([for each in jsondecode(aws_iam_policy.this["unnamed"].policy).Statement : each if anytrue([for action in each.Action : startswith(action, "route53:") || startswith(action, "acm:")])]) == 0
    error_message = "no zone was given: no records, no certificates"
  }
}

run "apply_with_a_zone" {
  command = plan

  variables {
    zone_ids = ["Z1"]
  }

  assert {
    condition     = [for each in jsondecode(aws_iam_policy.this["unnamed"].policy).Statement : each.Resource if contains(each.Action, "route53:ChangeResourceRecordSets")][0] == ["arn:aws:route53:::hostedzone/Z1"]
    error_message = "records in that zone"
  }

  assert {
    condition     = length(aws_iam_policy.this["unnamed"].policy) <= 6144
    error_message = "IAM takes no longer ones"
  }
}

run "plan_reads" {
  command = plan

  variables {
    access      = "plan"
    environment = null
    subjects    = ["repo:acme/orders:pull_request"]
  }

  assert {
    condition     = aws_iam_role.this.name == "orders-github-plan" && toset(keys(aws_iam_policy.this)) == toset(["secrets", "reading"]) && length(aws_iam_policy.boundary) == 0 && output.boundary_arn == null
    error_message = "it reads, and makes no roles"
  }

  assert {
    condition = alltrue(flatten([for each in jsondecode(aws_iam_policy.this["reading"].policy).Statement : [for action in each.Action :
      can(regex(":(Describe|Get|List)", action)) || contains(["apigateway:GET", "kms:Decrypt"], action)
    ]]))
    error_message = "verbs that look, and no other"
  }

  assert {
    condition     = alltrue([for each in jsondecode(aws_iam_policy.this["reading"].policy).Statement : try(contains(["lambda.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com"], each.Condition.StringEquals["kms:ViaService"]), false) if contains(each.Action, "kms:Decrypt")])
    error_message = "no key opens a secret"
  }

  assert {
    condition     = !anytrue([for each in jsondecode(aws_iam_policy.this["reading"].policy).Statement : contains(each.Action, "s3:GetObject") && contains(each.Resource, "*")])
    error_message = "not the objects of every bucket"
  }
}

run "publish_adds_releases" {
  command = plan

  variables {
    access       = "publish"
    environment  = null
    subjects     = ["repo:acme/orders:ref:refs/heads/main"]
    kms_key_arns = []
  }

  assert {
    condition     = aws_iam_role.this.name == "orders-github-publish" && toset(keys(aws_iam_policy.this)) == toset(["secrets", "publishing"])
    error_message = "it publishes and nothing else"
  }

  assert {
    condition     = length(jsondecode(aws_iam_policy.this["publishing"].policy).Statement) == 4 && !strcontains(aws_iam_policy.this["publishing"].policy, "Delete") && !strcontains(aws_iam_policy.this["publishing"].policy, "orders-state")
    error_message = "what is published stays, and the states are none of its business"
  }
}

run "refuses_a_subject_with_a_wildcard" {
  command = plan
  variables {
    subjects = ["repo:acme/orders:*"]
  }
  expect_failures = [var.subjects]
}

run "refuses_a_subject_that_is_a_whole_repository" {
  command = plan
  variables {
    subjects = ["repo:acme/orders"]
  }
  expect_failures = [var.subjects]
}

run "refuses_a_role_for_nobody" {
  command = plan
  variables {
    subjects = []
  }
  expect_failures = [var.subjects]
}

run "refuses_apply_without_an_environment" {
  command = plan
  variables {
    environment = null
  }
  expect_failures = [var.environment]
}

run "refuses_plans_of_one_environment" {
  command = plan
  variables {
    access = "plan"
  }
  expect_failures = [var.environment]
}

run "refuses_an_environment_whose_names_could_be_anothers" {
  command = plan
  variables {
    environment = "test-2"
  }
  expect_failures = [var.environment]
}

run "refuses_another_kind_and_a_long_name" {
  command = plan
  variables {
    name        = "Orders"
    access      = "admin"
    environment = null
  }
  expect_failures = [var.name, var.access]
}
