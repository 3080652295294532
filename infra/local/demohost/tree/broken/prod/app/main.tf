terraform {
  backend "local" {}
}

resource "terraform_data" "app" {
  input = "v2"

  lifecycle {
    precondition {
      condition     = terraform.workspace == "none"
      error_message = "The image of v2 does not exist."
    }
  }
}
