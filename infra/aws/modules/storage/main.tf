# The object store: payout statements as they arrived, their lines in columns, and the reports of reconciliations. Books:
# nothing of them expires; what is overwritten stays for a while as an older version. What runs were gathered with, so that
# they can be done again, is no book: it goes when its time is over.

data "aws_caller_identity" "current" {}

locals {
  # The worker does the same in a folder: worker/lake/retention.py. A read that was not gone on with for a week will not be.
  expiring = merge(
    { reading = 7 },
    var.run_retention_days == 0 ? {} : { for root in ["runs", "read", "lasting"] : root => var.run_retention_days },
  )
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18:who reads objects is recorded by CloudTrail data events, which are an account's, not a bucket's
  # checkov:skip=CKV_AWS_144:what is in it can be fetched or made again from the provider and the database; no second region
  # checkov:skip=CKV2_AWS_62:no program waits for objects; the worker writes and reads them itself
  bucket        = "${var.prefix}-files-${data.aws_caller_identity.current.account_id}"
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    # Asks KMS once for many objects, not for each.
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*" # a refusal of everything that is not encrypted under way
        Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "OnlyModernTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*" # likewise for versions of TLS that are broken
        Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
    ]
  })

  # A policy and the block of public ones, put at once, disturb each other.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "rarely-read"
    status = "Enabled"

    filter {}

    transition {
      days          = var.infrequent_access_after_days
      storage_class = "STANDARD_IA"
    }

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_retention_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = local.expiring

    content {
      id     = "expire-${rule.key}"
      status = "Enabled"

      filter {
        prefix = "lake/${rule.key}/"
      }

      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}
