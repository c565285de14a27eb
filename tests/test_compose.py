"""The compose file of a Milvus server: pinned, private, and without a built-in password."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FILE = Path(__file__).parents[1] / "docker-compose.milvus.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]

each_service = pytest.mark.parametrize("service", sorted(SERVICES))


def test_has_what_milvus_needs() -> None:
    """Milvus stands on etcd and MinIO; Attu is an extra."""
    assert set(SERVICES) == {"etcd", "minio", "milvus", "attu"}


@each_service
def test_image_is_pinned(service: str) -> None:
    """A tag with a full version or a dated release, so that two days give one server."""
    tag = SERVICES[service]["image"].rpartition(":")[2]
    assert re.fullmatch(r"v\d+\.\d+\.\d+|RELEASE\.[\dTZ-]+", tag)


@each_service
def test_ports_are_on_loopback(service: str) -> None:
    """Nothing listens on a network unless the user opens it."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service].get("ports", []))


@each_service
def test_has_a_health_check(service: str) -> None:
    """``up --wait`` returns when the server can be used."""
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"


@each_service
def test_restarts(service: str) -> None:
    """The server is back after the machine is."""
    assert SERVICES[service]["restart"] == "unless-stopped"


@each_service
def test_credentials_have_no_default(service: str) -> None:
    """Every user, key and password is required from the environment."""
    environment = SERVICES[service].get("environment", {})
    secrets = [
        value for name, value in environment.items() if re.search("USER|PASSWORD|KEY|SECRET", name)
    ]
    assert all(re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value) for value in secrets)


@each_service
def test_starts_after_healthy_services(service: str) -> None:
    """A service waits for those it needs to be healthy, not just started."""
    needs = SERVICES[service].get("depends_on", {})
    assert {need["condition"] for need in needs.values()} <= {"service_healthy"}


@pytest.mark.parametrize("service", ["etcd", "minio", "milvus"])
def test_data_is_in_a_named_volume(service: str) -> None:
    """``docker compose down`` keeps the data."""
    names = {mount.partition(":")[0] for mount in SERVICES[service]["volumes"]}
    assert names <= set(COMPOSE["volumes"])


def test_milvus_asks_who_is_there() -> None:
    """Authorization is on."""
    assert SERVICES["milvus"]["environment"]["COMMON_SECURITY_AUTHORIZATIONENABLED"] == "true"


def test_milvus_and_minio_share_credentials() -> None:
    """Milvus signs in to MinIO with the credentials MinIO was started with."""
    milvus, minio = SERVICES["milvus"]["environment"], SERVICES["minio"]["environment"]
    assert milvus["MINIO_ACCESS_KEY_ID"] == minio["MINIO_ROOT_USER"]
    assert milvus["MINIO_SECRET_ACCESS_KEY"] == minio["MINIO_ROOT_PASSWORD"]


def test_attu_is_opt_in() -> None:
    """The web page starts only with its profile."""
    assert [name for name in SERVICES if "profiles" in SERVICES[name]] == ["attu"]
