# The state is in the bucket that the bootstrap made, under the bootstrap's key. Their names hold the account's number, so they
# are given at the first init: terraform init -backend-config=../../s3.tfbackend, a file that is the bootstrap's output
# backend_config.
terraform {
  backend "s3" {
    key          = "dev/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
