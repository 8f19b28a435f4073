# Four roles. The execution roles are ECS's: pull the image, hand over secrets, write logs. The task roles are the
# programs': the worker has the objects of its bucket, the deploy task the one secret that it writes.

locals {
  region = data.aws_region.current.name
  executions = {
    worker = {
      log_group_arn  = aws_cloudwatch_log_group.worker.arn
      secret_arns    = distinct([for each in values(var.secrets) : each.secret_arn])
      parameter_arns = sort([for each in values(var.parameters) : each.arn])
    }
    deploy = {
      log_group_arn  = aws_cloudwatch_log_group.deploy.arn
      secret_arns    = distinct([for each in values(var.deploy_secrets) : each.secret_arn])
      parameter_arns = sort([for each in values(var.deploy_parameters) : each.arn])
    }
  }
  # Where the secrets are parameters, Secrets Manager still has the database's master password, under the environment's key.
  in_parameters = strcontains(var.deploy_writes_secret_arn, ":parameter/")

  # Keys of secrets are used through Secrets Manager, and not otherwise; those of parameters through Parameter Store.
  decrypts_secrets = [for arn in distinct(concat(local.in_parameters ? [] : var.secret_kms_key_arns, var.kms_key_arn == null ? [] : [var.kms_key_arn])) : {
    Sid       = "Decrypt${substr(sha1(arn), 0, 8)}"
    Effect    = "Allow"
    Action    = ["kms:Decrypt"]
    Resource  = [arn]
    Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }
  }]
  assumed_by_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_iam_role" "execution" {
  for_each = local.executions

  name                 = "${var.prefix}-${each.key}-execution"
  description          = "ECS starts the ${each.key}'s tasks: image, secrets, logs"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = local.assumed_by_tasks
}

resource "aws_iam_role_policy" "execution" {
  for_each = local.executions

  name = "start-tasks"
  role = aws_iam_role.execution[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${each.value.log_group_arn}:*"] # the streams of this group
      }],
      [for arns in [each.value.secret_arns] : {
        Sid      = "ReadInjectedSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = arns
      } if length(arns) > 0],
      [for statement in local.decrypts_secrets : statement if length(each.value.secret_arns) > 0],
      [for arns in [each.value.parameter_arns] : {
        Sid      = "ReadInjectedParameters"
        Effect   = "Allow"
        Action   = ["ssm:GetParameters"]
        Resource = arns
      } if length(arns) > 0],
      [for arn in length(each.value.parameter_arns) == 0 ? [] : var.secret_kms_key_arns : {
        Sid      = "DecryptParameters${substr(sha1(arn), 0, 8)}"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [arn]
        Condition = { StringEquals = {
          "kms:EncryptionContext:PARAMETER_ARN" = each.value.parameter_arns
          "kms:ViaService"                      = "ssm.${local.region}.amazonaws.com"
        } }
      }],
      [for arn in var.repository_arn == null ? [] : [var.repository_arn] : {
        Sid      = "PullImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [arn]
      }],
      [for arn in var.repository_arn == null ? [] : [var.repository_arn] : {
        Sid    = "SignInToRegistry"
        Effect = "Allow"
        Action = ["ecr:GetAuthorizationToken"]
        # ECR's sign-in is for a registry as a whole: the action knows no resource.
        Resource = ["*"]
      }],
    )
  })
}

resource "aws_iam_role" "worker" {
  name                 = "${var.prefix}-worker-task"
  description          = "The worker: statements and reports in its bucket"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = local.assumed_by_tasks
}

resource "aws_iam_role_policy" "worker" {
  name = "files"
  role = aws_iam_role.worker.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid    = "ReadAndWriteFiles"
        Effect = "Allow"
        # Of a large object that is sent in parts, those that were sent in vain. Nothing else is deleted: books stay.
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        Resource = ["${var.bucket_arn}/*"] # the bucket is the worker's alone: what it files where is the program's matter
        },
        {
          # Without it S3 answers "denied" instead of "not there" to a question about a missing object.
          Sid      = "TellMissingFromForbidden"
          Effect   = "Allow"
          Action   = ["s3:ListBucket"]
          Resource = [var.bucket_arn]
      }],
      [for arn in var.kms_key_arn == null ? [] : [var.kms_key_arn] : {
        Sid       = "UseTheKeyOfFiles"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [arn]
        Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
      }],
    )
  })
}

resource "aws_iam_role" "deploy" {
  name                 = "${var.prefix}-deploy-task"
  description          = "The deploy task: writes the application's connection to the database"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = local.assumed_by_tasks
}

resource "aws_iam_role_policy" "deploy" {
  name = "database-secret"
  role = aws_iam_role.deploy.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for arn in local.in_parameters ? [] : [var.deploy_writes_secret_arn] : {
        Sid      = "KeepTheDatabaseSecret"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]
        Resource = [arn]
      }],
      [for arn in local.in_parameters ? [] : var.secret_kms_key_arns : {
        Sid       = "UseTheKeyOfSecrets${substr(sha1(arn), 0, 8)}"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [arn]
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }
      }],
      [for arn in local.in_parameters ? [var.deploy_writes_secret_arn] : [] : {
        Sid    = "KeepTheDatabaseParameter"
        Effect = "Allow"
        # The history says under which key it is, which a write has to name again.
        Action   = ["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:PutParameter"]
        Resource = [arn]
      }],
      [for arn in local.in_parameters ? var.secret_kms_key_arns : [] : {
        Sid      = "UseTheKeyOfParameters${substr(sha1(arn), 0, 8)}"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:Encrypt"]
        Resource = [arn]
        Condition = { StringEquals = {
          "kms:EncryptionContext:PARAMETER_ARN" = var.deploy_writes_secret_arn
          "kms:ViaService"                      = "ssm.${local.region}.amazonaws.com"
        } }
      }],
    )
  })
}
