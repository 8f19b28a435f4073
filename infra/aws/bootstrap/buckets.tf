# Two private, versioned buckets: `state` of every environment, `artifacts` for the zips of releases.

locals {
  buckets = {
    state     = "${var.name}-state-${local.account}"
    artifacts = "${var.name}-artifacts-${local.account}"
  }
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18:who reads objects is recorded by CloudTrail data events, which are an account's, not a bucket's
  # checkov:skip=CKV_AWS_144:releases can be published again; of states the versions are the backup
  # checkov:skip=CKV2_AWS_62:no program waits for objects
  for_each = local.buckets

  bucket        = each.value
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "OnlyTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*" # a refusal of everything that is not encrypted under way
        Resource  = [aws_s3_bucket.this[each.key].arn, "${aws_s3_bucket.this[each.key].arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      # An older version of a state, or of a release, is the way back. Where a destroy is to take all with it, not.
      [for bucket in var.force_destroy ? [] : [aws_s3_bucket.this[each.key]] : {
        Sid       = "VersionsStay"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:DeleteBucket", "s3:DeleteObjectVersion"]
        Resource  = [bucket.arn, "${bucket.arn}/*"] # the bucket and every object
      }],
      [for bucket in var.force_destroy ? [] : [aws_s3_bucket.this[each.key]] : {
        Sid         = "ObjectsStay"
        Effect      = "Deny"
        Principal   = "*"
        Action      = ["s3:DeleteObject"]
        NotResource = ["${bucket.arn}/*.tflock"] # Terraform takes its lock away when it is done
      }],
      # A release is never another thing tomorrow: only what asks "if there is none yet" is written.
      [for bucket in each.key == "artifacts" ? [aws_s3_bucket.this[each.key]] : [] : {
        Sid       = "ReleasesAreNotOverwritten"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:PutObject"]
        Resource  = ["${bucket.arn}/functions/*"] # every release
        Condition = { Null = { "s3:if-none-match" = "true" } }
      }],
    )
  })

  # A policy and the block of public ones, put at once, disturb each other.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      newer_noncurrent_versions = 10
      noncurrent_days           = 180
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}
