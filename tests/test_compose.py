"""docker-compose.yml: sound, reachable where the documentation says, and fit for simulated time."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from commands import invoke

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "docker-compose.yml"
PLACES = {"kafka": "9092", "registry": "8081", "console": "8080"}
ANALYSIS = {"quality", "report"}
"""Extras for whoever looks at data: not in the image, which streams."""


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


def published(service):
    """Host port -> container port; every one must be bound to this machine only."""
    ports = [entry.split(":") for entry in service["ports"]]
    assert all(host == "127.0.0.1" for host, _, _ in ports)
    return {outside: inside for _, outside, inside in ports}


def test_there_is_a_broker_a_registry_a_console_and_a_stream(services):
    assert set(services) == {*PLACES, "datagen"}
    assert {name: next(iter(published(services[name]))) for name in PLACES} == PLACES


def test_the_stream_is_one_that_datagen_accepts(services):
    words = [word for word in services["datagen"]["command"] if not word.startswith("--to=")]
    host, port = next(w for w in services["datagen"]["command"] if w.startswith("--to="))[len("--to=kafka://") :].split(
        ":"
    )
    assert f"://{host}:{port}" in services[host]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert host in services["datagen"]["depends_on"]
    assert invoke(*words, "--to=null:", "--limit=10", "-q").exit_code == 0


def test_the_image_has_what_it_copies_and_installs():
    text = (ROOT / "Dockerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for name in line.split()]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert copied
    assert [name for name in copied if not (ROOT / name).exists() or f"!{name}" not in ignored] == []
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.search(r"\.\[(.*?)\]", text)[1].split(",")) == set(extras) - ANALYSIS - {"test", "dev"}
    assert re.search(r"^USER [1-9]\d*$", text, re.MULTILINE)


def test_the_pods_of_the_job_are_the_shards_of_one_run(tmp_path):
    job = yaml.safe_load((ROOT / "deploy" / "kubernetes-job.yaml").read_text())["spec"]
    (container,) = job["template"]["spec"]["containers"]
    stub = tmp_path / "datagen"
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stub.chmod(0o755)
    shards = []
    for index in range(job["completions"]):
        setting = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "JOB_COMPLETION_INDEX": str(index)}
        command = [*container["command"], *container["args"]]
        words = subprocess.run(command, env=setting, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
        shards.append(words[words.index("--shard") + 1])
    assert shards == [f"{number}/4" for number in range(1, 5)]
    port = words.index("--metrics-port")
    assert container["ports"][0]["containerPort"] == int(words[port + 1])
    alone = [word for word in words if word != "--resume"]
    alone[alone.index("--to") + 1] = "null:"
    assert invoke(*alone, "--limit", "10", "-q").exit_code == 0


@pytest.mark.parametrize("name", PLACES)
def test_images_have_a_version(services, name):
    assert re.search(r":v?\d+\.\d+\.\d+$", services[name]["image"])


def test_the_broker_tells_clients_where_it_is(services):
    environment = services["kafka"]["environment"]
    listeners = dict(entry.split("://") for entry in environment["KAFKA_LISTENERS"].split(","))
    advertised = dict(entry.split("://") for entry in environment["KAFKA_ADVERTISED_LISTENERS"].split(","))
    protocols = dict(entry.split(":") for entry in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert set(protocols) == set(listeners) == {*advertised, environment["KAFKA_CONTROLLER_LISTENER_NAMES"]}
    assert advertised["HOST"] == "localhost:9092"
    assert listeners["HOST"].lstrip(":") in published(services["kafka"]).values()
    assert environment["KAFKA_INTER_BROKER_LISTENER_NAME"] in advertised


def test_one_broker_is_enough_for_its_own_topics(services):
    factors = {name: value for name, value in services["kafka"]["environment"].items() if "REPLICATION_FACTOR" in name}
    assert len(factors) == 3
    assert set(factors.values()) == {"1"}


def test_the_broker_keeps_simulated_time(services):
    environment = services["kafka"]["environment"]
    assert environment["KAFKA_LOG_RETENTION_MS"] == "-1"
    assert int(environment["KAFKA_LOG_MESSAGE_TIMESTAMP_AFTER_MAX_MS"]) == 2**63 - 1


def test_the_console_finds_broker_and_registry(services):
    environment = services["console"]["environment"]
    host, port = environment["KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS"].split(":")
    assert f"://{host}:{port}" in services[host]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    found = re.match(r"http://(\w+):(\d+)/", environment["KAFKA_CLUSTERS_0_SCHEMAREGISTRY"])
    assert found[2] in published(services[found[1]]).values()
    assert set(services["console"]["depends_on"]) == {host, found[1]}


def test_the_documentation_gives_these_places():
    pages = [ROOT / "docs" / "sinks.md", COMPOSE]
    for text in (page.read_text() for page in pages):
        assert "localhost:9092" in text
        assert f"http://localhost:{PLACES['registry']}" in text
        assert f"http://localhost:{PLACES['console']}" in text


def test_docker_compose_accepts_the_file():
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        schema_is_plain(yaml.safe_load(COMPOSE.read_text()))
        return
    done = subprocess.run([docker, "compose", "-f", str(COMPOSE), "config", "-q"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def schema_is_plain(document):
    """What `docker compose config` would check first, where it is not installed: known keys and their kinds."""
    kinds = {
        "image": str,
        "build": str,
        "command": list,
        "init": bool,
        "ports": list,
        "environment": dict,
        "healthcheck": dict,
        "depends_on": dict,
    }
    assert set(document) == {"name", "services"}
    for service in document["services"].values():
        assert all(isinstance(value, kinds[key]) for key, value in service.items())
        assert all(isinstance(value, str) for value in service.get("environment", {}).values())
        for needed in service.get("depends_on", {}):
            assert needed in document["services"]
