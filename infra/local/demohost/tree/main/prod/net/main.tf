terraform {
  backend "local" {}
}

resource "terraform_data" "network" {
  input = "10.0.0.0/16"
}

resource "terraform_data" "gateway" {
  input = "nat"
}

output "cidr" {
  value = "10.0.0.0/16"
}

output "peering_key" {
  value     = "planted-secret-of-the-demo"
  sensitive = true
}
