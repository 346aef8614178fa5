"""A real Apache Kafka broker for tests and benchmarks: one KRaft node on free local ports.

Its jars come from Maven Central, once, through a generated pom; whoever has a broker already names it in
DATAGEN_TEST_BROKER instead. Where there is neither, `absence` says why.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KAFKA = "4.1.0"
LOG4J = "2.24.3"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "kafka"
START_SECONDS = 60
BRIEF = ("-XX:TieredStopAtLevel=1",)
"""For Java programs that end soon: half of the work of their first seconds is compiling."""
VALID_DAYS = 30
USER, PASSWORD = "datagen", "not-to-be-printed"
GUEST, GUESTS = "guest", "not-to-be-printed-either"
"""Somebody who may do nothing unless a test allows it, and the password."""
# 16 bytes in base64.
CLUSTER = "ZGF0YWdlbi10ZXN0LWJyb2"

_DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
_ARTIFACTS = (
    ("org.apache.kafka", "kafka_2.13", KAFKA),
    ("org.apache.logging.log4j", "log4j-core", LOG4J),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J),
)
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>datagen.tests</groupId><artifactId>broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>{}</dependencies>
</project>
"""
_BEARER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
_LOGGING = """status=error
appender.file.type=File
appender.file.name=file
appender.file.fileName={folder}/broker.log
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d %p %c %m%n
rootLogger.level=warn
rootLogger.appenderRef.file.ref=file
"""
# retention.ms and timestamp.after.max.ms stay as every user's broker has them: datagen must cope with that.
_SERVER = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl},TLS://127.0.0.1:{tls},BOTH://127.0.0.1:{both},\\
  HIDDEN://127.0.0.1:{hidden},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL://127.0.0.1:{sasl},TLS://127.0.0.1:{tls},BOTH://127.0.0.1:{both},\\
  HIDDEN://127.0.0.1:{front}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,HIDDEN:PLAINTEXT,SASL:SASL_PLAINTEXT,\\
  TLS:SSL,BOTH:SASL_SSL
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{user};User:CN=127.0.0.1
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
  user_{user}="{password}" user_{guest}="{guests}";
listener.name.both.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
  user_{user}="{password}";
listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.both.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.both.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.oauthbearer.sasl.jaas.config={bearer} required unsecuredLoginStringClaim_sub="{user}";
listener.name.both.oauthbearer.sasl.jaas.config={bearer} required unsecuredLoginStringClaim_sub="{user}";
listener.name.both.ssl.keystore.location={folder}/own.p12
listener.name.both.ssl.keystore.type=PKCS12
listener.name.both.ssl.keystore.password={password}
listener.name.both.ssl.key.password={password}
listener.name.tls.ssl.keystore.location={folder}/own.p12
listener.name.tls.ssl.keystore.type=PKCS12
listener.name.tls.ssl.keystore.password={password}
listener.name.tls.ssl.key.password={password}
listener.name.tls.ssl.truststore.location={folder}/trusted.p12
listener.name.tls.ssl.truststore.type=PKCS12
listener.name.tls.ssl.truststore.password={password}
listener.name.tls.ssl.client.auth=required
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
log.retention.check.interval.ms=2000
log.initial.task.delay.ms=1000
"""


def absence() -> str | None:
    """Why no real broker can be had here; None where one can."""
    if os.environ.get("DATAGEN_TEST_BROKER"):
        return None
    missing = [name for name in ("java", "keytool", "mvn") if not shutil.which(name)]
    return f"{', '.join(missing)} not found, and DATAGEN_TEST_BROKER is not set" if missing else None


@contextmanager
def address() -> Iterator[str]:
    """HOST:PORT of the broker of DATAGEN_TEST_BROKER, or of one that runs as long as the context."""
    given = os.environ.get("DATAGEN_TEST_BROKER")
    if given:
        yield given
        return
    with Broker(lasting=True) as broker:
        yield broker.address


class Broker:
    """A broker process with a folder of its own, which goes when it stops.

    `address` takes anyone; `sasl` asks for USER and PASSWORD (PLAIN, SCRAM) or an unsigned token, and GUEST may come in
    by PLAIN; `tls` asks for the certificate that `certificate` and `keystore` hold (which is also the one that it
    shows); `both` is what `sasl` is, encrypted. `hidden` is a port whose clients are told to come to the port `front`,
    where a proxy may stand. One that is `lasting` is fast later, at the price of its start.
    """

    def __init__(self, lasting: bool = False) -> None:
        self._lasting = lasting
        self.folder = Path(tempfile.mkdtemp(prefix="datagen-kafka-"))
        names = ("port", "sasl", "tls", "both", "hidden", "front", "controller")
        self._ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.address, self.sasl, self.tls, self.both = (
            f"127.0.0.1:{self._ports[name]}" for name in ("port", "sasl", "tls", "both")
        )
        self.hidden, self.front = self._ports["hidden"], self._ports["front"]
        self.certificate, self.keystore = self.folder / "own.pem", self.folder / "own.p12"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Broker:
        try:
            self._prepare()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, for the first time or after `kill`, and wait until it answers."""
        output = (self.folder / "output.log").open("ab")
        command = self._java("kafka.Kafka", str(self.folder / "server.properties"), lasting=self._lasting)
        with output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True, preexec_fn=end_with_parent
            )
        self._wait()

    def kill(self) -> None:
        """End it without warning, as a crash does."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """End it, and remove its folder."""
        self._signal(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _prepare(self) -> None:
        people = {"user": USER, "password": PASSWORD, "guest": GUEST, "guests": GUESTS}
        values = self._ports | people | {"folder": self.folder, "bearer": _BEARER}
        (self.folder / "server.properties").write_text(_SERVER.format(**values))
        (self.folder / "log4j2.properties").write_text(_LOGGING.format(**values))
        kept = CACHE / f"prepared-{KAFKA}"
        if not kept.exists() or time.time() - kept.stat().st_mtime > VALID_DAYS * 86_400 / 2:
            self._certify()
            self._format()
            self._keep(kept)
        else:
            shutil.copytree(kept, self.folder, dirs_exist_ok=True)

    def _keep(self, kept: Path) -> None:
        """Leave what takes long to prepare, and is the same for each, to later brokers."""
        made = Path(tempfile.mkdtemp(prefix="making-", dir=CACHE))
        for path in (self.certificate, self.keystore, self.folder / "trusted.p12"):
            shutil.copy(path, made)
        shutil.copytree(self.folder / "data", made / "data")
        shutil.rmtree(kept, ignore_errors=True)
        try:
            made.rename(kept)
        except OSError:  # somebody else was faster
            shutil.rmtree(made)

    def _format(self) -> None:
        settings = str(self.folder / "server.properties")
        command = self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", settings)
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            command += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
        run_command(command, "the broker's storage cannot be formatted")

    def _certify(self) -> None:
        tool = ["keytool", *(f"-J{option}" for option in BRIEF)]
        own = ["-keystore", str(self.keystore), "-storepass", PASSWORD, "-alias", USER]
        trusted = ["-keystore", str(self.folder / "trusted.p12"), "-storepass", PASSWORD, "-alias", USER]
        names = ["-dname", "CN=127.0.0.1", "-ext", "SAN=ip:127.0.0.1"]
        pem = str(self.certificate)
        kind = ["-keyalg", "EC", "-storetype", "PKCS12", "-validity", str(VALID_DAYS)]
        run_command([*tool, "-genkeypair", *kind, *names, *own], "no key")
        run_command([*tool, "-exportcert", "-rfc", "-file", pem, *own], "no certificate")
        run_command([*tool, "-importcert", "-noprompt", "-storetype", "PKCS12", "-file", pem, *trusted], "no trust")

    def _java(self, *words: str, lasting: bool = False) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        heap = ["-Xms256m", "-Xmx1g", "-XX:+UseG1GC", *(() if lasting else BRIEF)]
        return ["java", *heap, logging, "-cp", class_path(), *words]

    def _wait(self) -> None:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        client = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"the broker ended at once: {self._tail()}")
            with suppress(KafkaException):
                client.list_topics(timeout=1)
                return
        raise RuntimeError(f"the broker does not answer: {self._tail()}")

    def _tail(self) -> str:
        logs = (self.folder / name for name in ("output.log", "broker.log"))
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs if log.exists())


def class_path() -> str:
    """The broker's class path, built by Maven the first time."""
    pom = _POM.format("".join(_DEPENDENCY.format(*artifact) for artifact in _ARTIFACTS))
    kept = CACHE / f"classpath-{KAFKA}.txt"
    if kept.exists() and all(Path(jar).exists() for jar in kept.read_text().split(os.pathsep)):
        return kept.read_text()
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "pom.xml").write_text(pom)
    command = ["mvn", "-B", "-q", "-f", str(CACHE / "pom.xml"), f"{PLUGIN}:build-classpath"]
    run_command([*command, f"-Dmdep.outputFile={kept}"], "Maven cannot fetch the broker")
    return kept.read_text()


def run_command(command: list[str], failure: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{failure}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def end_with_parent() -> None:
    # Where tests are killed, nobody else would end the broker. Linux alone can do it.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [int(opened.getsockname()[1]) for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()
