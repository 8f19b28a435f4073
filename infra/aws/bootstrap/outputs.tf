output "state_bucket" {
  description = "Bucket of the environments' states: the `bucket` of their backend."
  value       = aws_s3_bucket.this["state"].bucket
}

output "artifact_bucket" {
  description = "Bucket of published releases: `artifact_bucket` of an environment."
  value       = aws_s3_bucket.this["artifacts"].bucket
}

output "worker_repository_url" {
  description = "Repository of the worker's images: `worker_repository_url` of an environment."
  value       = module.registry.repository_urls["worker"]
}

output "functions_repository_url" {
  description = "Repository of the functions' images, for those who run them as containers."
  value       = module.registry.repository_urls["functions"]
}

output "secret_arns" {
  description = "The empty secrets, by environment and name."
  value       = { for environment, module in module.secrets : environment => module.secret_arns }
}

output "backend_config" {
  description = "Text of the file for `terraform init -backend-config`: bucket, region and key of every state kept here."
  value = join("", [
    "bucket = \"${aws_s3_bucket.this["state"].bucket}\"\n",
    "region = \"${data.aws_region.current.name}\"\n",
    # Named here: without it the backend asks S3 for S3's own key, whatever the bucket says.
    "kms_key_id = \"${aws_kms_key.this.arn}\"\n",
  ])
}

output "plan_role_arn" {
  description = "The role of pull requests; null without GitHub."
  value       = one([for key, role in module.deploy_role : role.role_arn if key == "plan"])
}

output "publish_role_arn" {
  description = "The role that publishes releases; null without GitHub."
  value       = one([for key, role in module.deploy_role : role.role_arn if key == "publish"])
}

output "apply_role_arns" {
  description = "The role that deploys each environment; empty without GitHub."
  value       = { for key, role in module.deploy_role : key => role.role_arn if contains(var.environments, key) }
}

output "boundary_arns" {
  description = "The permissions boundary of each environment's roles: `permissions_boundary_arn` of an environment that a pipeline deploys."
  value       = { for key, role in module.deploy_role : key => role.boundary_arn if contains(var.environments, key) }
}
