output "bucket_name" {
  description = "Name of the bucket, ORDERS_STORE__BUCKET of the worker."
  value       = aws_s3_bucket.this.bucket

  # Whoever gets the name may write at once: only after the bucket is private and encrypted.
  depends_on = [
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}

output "bucket_arn" {
  description = "ARN of the bucket, for the policies of roles."
  value       = aws_s3_bucket.this.arn
}
