"""Settings: strict, complete, and a fault names its setting."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from service.settings import BUNDLED_SEEDS, PARSERS, Settings, SettingsError, environment, read


def test_nothing_set_gives_the_defaults():
    assert read({}, {}) == Settings()


def test_every_setting_has_a_parser_and_every_parser_a_setting():
    assert set(PARSERS) == set(Settings.__struct_fields__)


def test_each_setting_is_read_from_the_environment(tmp_path):
    environ = {
        "DDAY_DATABASE_URL": "postgresql://me@host/name",
        "DDAY_HOST": "0.0.0.0",
        "DDAY_PORT": "9000",
        "DDAY_PUBLIC_URL": "https://dday.example.org/",
        "DDAY_ADMIN_KEY": "dday_" + "k" * 32,
        "DDAY_SECRET_KEY": "0A" * 32,
        "DDAY_UID_DOMAIN": "dday.example.org",
        "DDAY_EGRESS_ALLOW": "10.0.0.0/8, fd00::/8",
        "DDAY_RETRY_SCHEDULE": "500ms,5s,2m",
        "DDAY_ATTEMPT_TIMEOUT": "1.5s",
        "DDAY_LEASE": "1m",
        "DDAY_CONCURRENCY": "8",
        "DDAY_SEEDS": str(tmp_path),
        "DDAY_LOG": "debug",
        "DDAY_DELIVER": "0",
        "DDAY_HTTP2": "1",
        "PATH": "/bin",
    }
    assert read(environ, {}) == Settings(
        database_url="postgresql://me@host/name",
        host="0.0.0.0",
        port=9000,
        public_url="https://dday.example.org",
        admin_key="dday_" + "k" * 32,
        secret_key="0a" * 32,
        uid_domain="dday.example.org",
        egress_allow=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
        retry_schedule=(timedelta(milliseconds=500), timedelta(seconds=5), timedelta(minutes=2)),
        attempt_timeout=timedelta(seconds=1.5),
        lease=timedelta(minutes=1),
        concurrency=8,
        seeds=tmp_path,
        log="debug",
        deliver=False,
        http2=True,
    )


def test_a_process_that_is_started_reads_the_same_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "kept")
    monkeypatch.setenv("DDAY_PORT", "1")
    made = Settings(
        database_url="sqlite:///a b.db",
        port=8123,
        admin_key="dday_" + "a" * 40,
        secret_key="0b" * 32,
        egress_allow=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
        retry_schedule=(timedelta(milliseconds=1500), timedelta(hours=8)),
        seeds=None,
        deliver=False,
    )
    for settings in (made, Settings(), Settings(seeds=tmp_path, public_url="https://dday.example.org")):
        handed = environment(settings)
        assert read(handed, {}) == settings
        assert handed["PGPASSWORD"] == "kept"


def test_a_flag_wins_over_the_environment():
    assert read({"DDAY_PORT": "9000"}, {"port": "9001"}).port == 9001


def test_variables_of_the_client_commands_are_not_the_services():
    assert read({"DDAY_API_KEY": "x", "DDAY_URL": "y"}, {}) == Settings()


def test_the_variables_of_kubernetes_are_not_the_services():
    told = {
        "SERVICE_HOST": "10.96.0.17",
        "SERVICE_PORT": "8080",
        "SERVICE_PORT_HTTP_ALT": "8080",
        "PORT": "tcp://10.96.0.17:8080",
        "PORT_8080_TCP": "tcp://10.96.0.17:8080",
        "PORT_8080_TCP_PROTO": "tcp",
        "PORT_8080_TCP_PORT": "8080",
        "PORT_8080_TCP_ADDR": "10.96.0.17",
        "PORT_53_UDP": "udp://[fd00:10:96::17]:53",
        "PORT_53_UDP_ADDR": "fd00:10:96::17",
        "PORT_9_SCTP_PROTO": "sctp",
    }
    ours = {f"DDAY_{name}": text for name, text in told.items()}
    beside = {f"DDAY_WEB_2_{name}": text for name, text in told.items()}
    assert read(ours | beside, {}) == Settings()
    assert read(ours | {"DDAY_LOG": "debug"}, {"port": "9001"}) == Settings(log="debug", port=9001)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("DDAY_SERVICE_HOTS", "10.96.0.17"),
        ("DDAY_SERVICE_HOST", "dday.example.org"),
        ("DDAY_SERVICE_PORT", "http"),
        ("DDAY_PORT_8080", "tcp://10.96.0.17:8080"),
        ("DDAY_PORT_8080_TCP_NAME", "8080"),
        ("DDAY_PORT_8080_TCP_PROTO", "8080"),
        ("DDAY_PORTS", "tcp://10.96.0.17:8080"),
        ("DDAY_LOG_PORT", "8080"),
    ],
)
def test_what_kubernetes_would_not_say_is_a_typing_error(variable, text):
    with pytest.raises(SettingsError, match=f"^{variable} is not a setting of Dday"):
        read({variable: text}, {})


@pytest.mark.parametrize("text", ["http://10.96.0.17:8080", "tcp://", "tcp:8080", "8080/tcp"])
def test_a_port_that_is_neither_a_number_nor_of_kubernetes_is_refused(text):
    with pytest.raises(SettingsError, match=r"^DDAY_PORT must be "):
        read({"DDAY_PORT": text}, {})


def test_postgres_is_another_name_of_postgresql():
    assert (
        read({"DDAY_DATABASE_URL": "postgres://me@host/name"}, {}).database_url == "postgresql://me@host/name"
    )


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("DDAY_DATABASE_URL", "mysql://host/name"),
        ("DDAY_DATABASE_URL", "sqlite:///"),
        ("DDAY_DATABASE_URL", "sqlite:///:memory:"),
        ("DDAY_DATABASE_URL", "sqlite:///a.db?mode=ro"),
        ("DDAY_HOST", "a b"),
        ("DDAY_PORT", "0"),
        ("DDAY_PORT", "65536"),
        ("DDAY_PORT", "80 "),
        ("DDAY_PORT", "٣"),
        ("DDAY_PUBLIC_URL", "dday.example.org"),
        ("DDAY_PUBLIC_URL", "https://dday.example.org/?a=1"),
        ("DDAY_ADMIN_KEY", "secret"),
        ("DDAY_ADMIN_KEY", "dday_short"),
        ("DDAY_SECRET_KEY", "00"),
        ("DDAY_UID_DOMAIN", "Dday Example"),
        ("DDAY_UID_DOMAIN", ""),
        ("DDAY_EGRESS_ALLOW", "10.0.0.1/8"),
        ("DDAY_EGRESS_ALLOW", "localhost"),
        ("DDAY_RETRY_SCHEDULE", ""),
        ("DDAY_RETRY_SCHEDULE", "5s,soon"),
        ("DDAY_ATTEMPT_TIMEOUT", "15"),
        ("DDAY_ATTEMPT_TIMEOUT", "0s"),
        ("DDAY_LEASE", "-1s"),
        ("DDAY_CONCURRENCY", "many"),
        ("DDAY_SEEDS", "/does/not/exist"),
        ("DDAY_LOG", "loud"),
        ("DDAY_DELIVER", "maybe"),
        ("DDAY_HTTP2", "on"),
    ],
)
def test_a_bad_value_is_refused_by_name(variable, text):
    with pytest.raises(SettingsError, match=f"^{variable} must be "):
        read({variable: text}, {})


def test_a_bad_flag_is_named_as_a_flag():
    with pytest.raises(SettingsError, match=r"^--retry-schedule must be "):
        read({}, {"retry_schedule": "never"})


def test_an_unknown_setting_is_named_and_the_known_ones_are_listed():
    with pytest.raises(SettingsError) as refusal:
        read({"DDAY_PROT": "8000"}, {})
    assert str(refusal.value).startswith(
        "DDAY_PROT is not a setting of Dday. The settings are: DDAY_DATABASE_URL,"
    )


@pytest.mark.parametrize("variable", ["DDAY_ADMIN_KEY", "DDAY_SECRET_KEY", "DDAY_DATABASE_URL"])
def test_a_refused_secret_is_not_repeated(variable):
    with pytest.raises(SettingsError) as refusal:
        read({variable: "hunter2"}, {})
    assert "hunter2" not in str(refusal.value)


def test_settings_in_a_traceback_tell_no_secret():
    shown = repr(
        Settings(
            database_url="postgresql://me:hunter2@host/x", secret_key="ab" * 32, admin_key="dday_" + "k" * 40
        )
    )
    assert [secret for secret in ("hunter2", "abab", "kkkk") if secret in shown] == []
    assert "port=8000" in shown


def test_a_lease_shorter_than_an_attempt_is_refused():
    with pytest.raises(SettingsError, match="DDAY_LEASE must be at least 10 s longer"):
        read({"DDAY_LEASE": "20s"}, {})


def test_the_base_url_is_the_public_one_or_the_address_listened_on():
    assert Settings().base_url == "http://127.0.0.1:8000"
    assert Settings(host="0.0.0.0").base_url == "http://localhost:8000"
    assert Settings(host="::1", port=80).base_url == "http://[::1]:80"
    assert Settings(public_url="https://dday.example.org").base_url == "https://dday.example.org"


def test_the_key_file_lies_beside_a_sqlite_database_only():
    assert Settings(database_url="sqlite:////srv/dday.db").key_file == Path("/srv/dday.key")
    assert Settings(database_url="postgresql://host/name").key_file is None


def test_the_seeds_of_the_project_are_the_default():
    assert BUNDLED_SEEDS.is_dir()
