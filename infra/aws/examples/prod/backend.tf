# The state is in the bucket that the bootstrap made. Its name holds the account's number, so it is given at the first
# init: terraform init -backend-config=bucket=<state_bucket> -backend-config=region=<region>
terraform {
  backend "s3" {
    key          = "prod/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
