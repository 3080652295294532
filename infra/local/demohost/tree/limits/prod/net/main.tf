terraform {
  backend "local" {}
}

resource "terraform_data" "network" {
  input = "10.0.0.0/12"
}

output "cidr" {
  value = "10.0.0.0/12"
}

output "peering_key" {
  value     = "planted-secret-of-the-demo"
  sensitive = true
}
