"""Serves the template with "sam local start-api" until it is stopped: what "make sam-local" runs."""

import os
import signal
import sys

import containers
import gateway

GREETING = """
  {url} serves the template, in containers. Ctrl-C stops it; its data goes with it.

  API key of user "admin", member of GitHub installation 1:  {key}

  Try:
    TOKEN=$(curl -s -X POST -H "Authorization: Bearer {key}" {url}/api/v1/access-token/refresh | cut -d'"' -f4)
    curl -X PUT -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
      -d '{{"data":"hello"}}' {url}/api/v1/github/kv/1/key/greeting
    curl -H "Authorization: Bearer $TOKEN" {url}/api/v1/github/kv/1/key/greeting

  Addresses of artifacts name the S3 server as the functions see it. Add to curl:  --connect-to s3:7070:{s3}

  This gateway is not API Gateway: refusals have other bodies, and keys with encoded characters arrive decoded.
  "make run" behaves as AWS does.
"""


def main():
    # A shell starts its background jobs with SIGINT ignored, so the handler must be set.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    with containers.servers() as servers:
        key = servers.admin("seed")
        with gateway.start_api(servers, int(os.environ.get("PORT", "3000")), sys.stderr, key) as url:
            print(GREETING.format(url=url, key=key, s3=servers.s3.removeprefix("http://")), flush=True)
            signal.pause()


if __name__ == "__main__":
    main()
