# What an apply changes. What has a name bears the environment's; what gets an id from AWS bears its tags. What can have
# neither is in `unnamed`, and the fence there is an account of its own for each environment, as AWS advises.

locals {
  ours = { "aws:ResourceTag/Project" = var.name, "aws:ResourceTag/Environment" = coalesce(var.environment, "none") }

  roles = [
    {
      Sid    = "MakeRolesBelowTheBoundary"
      Effect = "Allow"
      Action = [
        "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
        "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
      ]
      Resource  = ["${local.iam}:role/${local.prefix}-*"]
      Condition = { StringEquals = { "iam:PermissionsBoundary" = one(aws_iam_policy.boundary[*].arn) } }
    },
    {
      Sid      = "KeepRoles"
      Effect   = "Allow"
      Action   = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
      Resource = ["${local.iam}:role/${local.prefix}-*"]
    },
    {
      # Its own role, and those of the other kinds, are the bootstrap's: a pipeline must not widen itself.
      Sid    = "NotItself"
      Effect = "Deny"
      Action = [
        "iam:AttachRolePolicy", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PassRole",
        "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
      ]
      Resource = ["${local.iam}:role/${local.prefix}-github-*"]
    },
    {
      Sid      = "HandRolesToServices"
      Effect   = "Allow"
      Action   = ["iam:PassRole"]
      Resource = ["${local.iam}:role/${local.prefix}-*"]
      Condition = { StringEquals = { "iam:PassedToService" = [
        "ecs-tasks.amazonaws.com", "lambda.amazonaws.com", "monitoring.rds.amazonaws.com", "vpc-flow-logs.amazonaws.com",
      ] } }
    },
    {
      Sid      = "LetServicesMakeTheirOwnRoles"
      Effect   = "Allow"
      Action   = ["iam:CreateServiceLinkedRole"]
      Resource = ["${local.iam}:role/aws-service-role/*"] # AWS's own roles, for these services
      Condition = { StringEquals = { "iam:AWSServiceName" = [
        "ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "ops.apigateway.amazonaws.com", "rds.amazonaws.com",
      ] } }
    },
  ]

  named = [
    {
      Sid    = "ByName"
      Effect = "Allow"
      # Making, changing and deleting, on what bears the environment's name; no invoking and no looking into containers.
      Action = [
        "cloudwatch:DeleteAlarms", "cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm",
        "cloudwatch:TagResource", "cloudwatch:UntagResource",
        "ecs:CreateService", "ecs:DeleteCluster", "ecs:DeleteService", "ecs:PutClusterCapacityProviders", "ecs:StopTask",
        "ecs:TagResource", "ecs:UntagResource", "ecs:UpdateCluster", "ecs:UpdateClusterSettings", "ecs:UpdateService",
        "events:DeleteRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource",
        "events:UntagResource",
        "lambda:AddPermission", "lambda:Create*", "lambda:Delete*", "lambda:PublishVersion", "lambda:Put*",
        "lambda:RemovePermission", "lambda:TagResource", "lambda:UntagResource", "lambda:Update*",
        "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteRetentionPolicy",
        "logs:DisassociateKmsKey", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
        "rds:AddTagsToResource", "rds:Create*", "rds:Delete*", "rds:Modify*", "rds:RemoveTagsFromResource", "rds:Reset*",
        "rds:Restore*",
        "sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource",
        "sns:UntagResource",
      ]
      Resource = [
        "${local.here["cloudwatch"]}:alarm:${local.prefix}-*",
        "${local.here["cloudwatch"]}:alarm:TargetTracking-service/${local.prefix}/*", # autoscaling makes these for us
        "arn:${local.aws}:cloudwatch::${local.account}:dashboard/${local.prefix}",
        "${local.here["ecs"]}:cluster/${local.prefix}",
        "${local.here["ecs"]}:service/${local.prefix}/*", # of this cluster
        "${local.here["ecs"]}:task/${local.prefix}/*",    # of this cluster
        "${local.here["ecs"]}:task-definition/${local.prefix}-*:*",
        "${local.here["events"]}:rule/${local.prefix}-*",
        "${local.here["lambda"]}:function:${local.prefix}-*",
        "${local.here["logs"]}:log-group:/*/${local.prefix}",   # the access log
        "${local.here["logs"]}:log-group:/*/${local.prefix}:*", # as CloudWatch writes it at times
        "${local.here["logs"]}:log-group:/*/${local.prefix}-*", # functions'
        "${local.here["logs"]}:log-group:/*/${local.prefix}/*", # tasks', the network's, the database's
        "${local.here["rds"]}:*:${local.prefix}",
        "${local.here["rds"]}:*:${local.prefix}-*",
        "${local.here["rds"]}:*pg:default*", # a database may be made from a default group's values
        "${local.here["sns"]}:${local.prefix}-*",
      ]
    },
    {
      Sid       = "RunTheDeployTask"
      Effect    = "Allow"
      Action    = ["ecs:RunTask"]
      Resource  = ["${local.here["ecs"]}:task-definition/${local.prefix}-deploy:*"]
      Condition = { ArnEquals = { "ecs:cluster" = "${local.here["ecs"]}:cluster/${local.prefix}" } }
    },
    {
      Sid      = "ReadTheDeployTasksLog"
      Effect   = "Allow"
      Action   = ["logs:FilterLogEvents", "logs:GetLogEvents"]
      Resource = ["${local.here["logs"]}:log-group:/ecs/${local.prefix}/deploy", "${local.here["logs"]}:log-group:/ecs/${local.prefix}/deploy:*"]
    },
    {
      Sid    = "FilesBucket"
      Effect = "Allow"
      # Its settings; and its objects' deletion, for an environment that may be destroyed with what is in it.
      Action = [
        "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObject", "s3:DeleteObjectVersion",
        "s3:ListBucketVersions", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
      ]
      Resource = ["arn:${local.aws}:s3:::${local.prefix}-files-${local.account}", "arn:${local.aws}:s3:::${local.prefix}-files-${local.account}/*"]
    },
    {
      Sid    = "MasterPasswordOfTheDatabase"
      Effect = "Allow"
      Action = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"]
      # RDS makes it in the caller's name; how it is called after rds! is not known before.
      Resource = ["${local.here["secretsmanager"]}:secret:rds!*"]
    },
  ]

  # Actions that make a thing and tag it in one go.
  making_networks = [
    "AllocateAddress", "CreateFlowLogs", "CreateInternetGateway", "CreateNatGateway", "CreateRouteTable",
    "CreateSecurityGroup", "CreateSubnet", "CreateVpc", "CreateVpcEndpoint",
  ]
  ruling_networks = ["AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress"]
  network = [
    {
      Sid    = "MakeNetworks"
      Effect = "Allow"
      Action = [for action in local.making_networks : "ec2:${action}"]
      # What is made has no id yet, and what it is made in (an existing VPC) need not be ours.
      Resource = ["*"]
    },
    {
      Sid       = "TagWhatIsMade"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = ["arn:${local.aws}:ec2:${local.region}:${local.account}:*/*"] # whatever is being made
      Condition = { StringEquals = { "ec2:CreateAction" = concat(local.making_networks, local.ruling_networks) } }
    },
    {
      Sid      = "WriteRules"
      Effect   = "Allow"
      Action   = [for action in local.ruling_networks : "ec2:${action}"]
      Resource = ["arn:${local.aws}:ec2:${local.region}:${local.account}:security-group-rule/*"] # rules of groups that the next statement lets be changed
    },
    {
      Sid    = "ChangeOwnNetworks"
      Effect = "Allow"
      Action = concat([for action in local.ruling_networks : "ec2:${action}"], [
        "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:CreateRoute", "ec2:CreateTags", "ec2:DeleteFlowLogs",
        "ec2:DeleteInternetGateway", "ec2:DeleteNatGateway", "ec2:DeleteRoute", "ec2:DeleteRouteTable",
        "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints",
        "ec2:DetachInternetGateway", "ec2:DisassociateAddress", "ec2:DisassociateRouteTable", "ec2:ModifySecurityGroupRules",
        "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress",
        "ec2:ReplaceRoute", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
        "ec2:UpdateSecurityGroupRuleDescriptionsEgress", "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
      ])
      Resource  = ["arn:${local.aws}:ec2:${local.region}:${local.account}:*/*"] # what bears the environment's tags
      Condition = { StringEquals = local.ours }
    },
    {
      # The group that every VPC is born with bears no tag: it is tagged, and emptied of its rules.
      Sid       = "CloseTheDefaultGroup"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"]
      Resource  = ["arn:${local.aws}:ec2:${local.region}:${local.account}:security-group*/*"] # groups and rules without our tag
      Condition = { Null = { "aws:ResourceTag/Environment" = "true" } }
    },
  ]

  unnamed = concat(
    [
      {
        Sid    = "EdgeAndAutoscaling"
        Effect = "Allow"
        Action = [
          "apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:TagResource",
          "apigateway:UntagResource",
          "application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget",
          "application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget",
          "application-autoscaling:TagResource", "application-autoscaling:UntagResource",
        ]
        Resource = [
          "arn:${local.aws}:apigateway:${local.region}::/apis", "arn:${local.aws}:apigateway:${local.region}::/apis/*",               # ids are AWS's
          "arn:${local.aws}:apigateway:${local.region}::/domainnames", "arn:${local.aws}:apigateway:${local.region}::/domainnames/*", # names are the owner's
          "arn:${local.aws}:apigateway:${local.region}::/tags/*",                                                                     # of those
          "arn:${local.aws}:application-autoscaling:${local.region}:${local.account}:scalable-target/*",                              # ids are AWS's
        ]
      },
      {
        Sid    = "WithoutResources"
        Effect = "Allow"
        Action = [
          "ecs:CreateCluster", "ecs:DeregisterTaskDefinition", "ecs:RegisterTaskDefinition",
          "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies", "logs:PutResourcePolicy",
          "logs:UpdateLogDelivery", "sns:Unsubscribe",
        ]
        # These know no resource; a task definition runs as roles that may be handed over only.
        Resource = ["*"]
      },
      {
        Sid       = "MakeAKey"
        Effect    = "Allow"
        Action    = ["kms:CreateKey", "kms:TagResource"]
        Resource  = ["*"] # a key has no id before it is made
        Condition = { StringEquals = { for key, value in local.ours : replace(key, "ResourceTag", "RequestTag") => value } }
      },
      {
        Sid    = "KeepItsKey"
        Effect = "Allow"
        Action = [
          "kms:CreateAlias", "kms:DeleteAlias", "kms:EnableKeyRotation", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion",
          "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
        ]
        Resource  = ["${local.here["kms"]}:key/*"] # keys have no names; the tags say whose they are
        Condition = { StringEquals = local.ours }
      },
      {
        Sid      = "NameItsKey"
        Effect   = "Allow"
        Action   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
        Resource = ["${local.here["kms"]}:alias/${local.prefix}"]
      },
      {
        # Database, functions and the master password are encrypted in the caller's name when they are made.
        Sid      = "LetServicesUseItsKey"
        Effect   = "Allow"
        Action   = ["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"]
        Resource = ["${local.here["kms"]}:key/*"] # likewise
        Condition = { StringEquals = merge(local.ours, {
          "kms:ViaService" = [for service in ["lambda", "rds", "secretsmanager"] : "${service}.${local.region}.amazonaws.com"]
        }) }
      },
    ],
    [for zones in [var.zone_ids] : {
      Sid      = "RecordsOfTheCustomDomain"
      Effect   = "Allow"
      Action   = ["route53:ChangeResourceRecordSets"]
      Resource = [for zone in zones : "arn:${local.aws}:route53:::hostedzone/${zone}"]
    } if length(zones) > 0],
    [for zones in [var.zone_ids] : {
      Sid      = "CertificateOfTheCustomDomain"
      Effect   = "Allow"
      Action   = ["acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RemoveTagsFromCertificate", "acm:RequestCertificate"]
      Resource = ["arn:${local.aws}:acm:${local.region}:${local.account}:certificate/*"] # a certificate's id is AWS's
    } if length(zones) > 0],
  )
}
