"""What the tests of the packaged functions share: servers with data in them."""

import os

import pytest

import containers
import seeding


@pytest.fixture(scope="session")
def servers():
    with containers.servers() as running:
        yield running


@pytest.fixture(scope="session")
def seeded(servers):
    return seeding.seed(servers)


def pytest_report_header():
    return f"functions for {containers.ARCH}, container engine at {os.environ.get('DOCKER_HOST', 'its default socket')}"
