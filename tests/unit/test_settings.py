"""Settings: every variable's default, shape and error."""

import dataclasses
from pathlib import Path

import pytest

from orchestration.settings import SettingsError, find_project_root, load_settings


def test_defaults_without_any_variable() -> None:
    settings = load_settings({})
    assert settings.home == settings.project_root / ".holdfast"
    assert settings.database_url is None
    assert settings.inputs is None
    assert settings.sources is None
    assert settings.rpc_endpoints == {}
    assert settings.is_rpc_public is True
    assert settings.max_head_age_seconds is None
    assert settings.endpoints == {}
    assert settings.unrecognised == ()


def test_project_root_is_the_folder_above_orchestration_whatever_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_project_root() == Path(__file__).resolve().parents[2]


def test_environment_of_the_process_is_read_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_SOURCES", "ecb")
    assert load_settings().sources == ("ecb",)
    monkeypatch.setenv("HOLDFAST_SOURCES", "none")
    assert load_settings().sources == ()


def test_paths_become_absolute_and_an_empty_variable_counts_as_unset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"HOLDFAST_HOME": "state", "HOLDFAST_INPUTS": "~/in", "HOLDFAST_DATABASE_URL": " "})
    assert settings.home == tmp_path / "state"
    assert settings.inputs == Path.home() / "in"
    assert settings.database_url is None


def test_sources_rpc_and_endpoints() -> None:
    settings = load_settings(
        {
            "HOLDFAST_SOURCES": "Chains, binance,binance,",
            "HOLDFAST_RPC_ETHEREUM": "https://a  https://b/key",
            "HOLDFAST_RPC_PUBLIC": "0",
            "HOLDFAST_MAX_HEAD_AGE_SECONDS": "90",
            "HOLDFAST_WORKERS": "4",
            "HOLDFAST_ENDPOINT_BINANCE": "http://127.0.0.1:8080/",
            "KRAKEN_SECRET": "not ours to read",
        }
    )
    assert settings.sources == ("chains", "binance")
    assert settings.rpc_endpoints == {"ethereum": ("https://a", "https://b/key")}
    assert settings.is_rpc_public is False
    assert settings.max_head_age_seconds == 90
    assert (settings.workers, settings.dask) == (4, None)
    assert settings.endpoints == {"binance": "http://127.0.0.1:8080"}
    assert settings.unrecognised == ()


def test_endpoints_are_keyed_by_the_slug_of_their_chain() -> None:
    settings = load_settings({"HOLDFAST_RPC_POLYGON_ZK_EVM": "https://a", "HOLDFAST_RPC_ETHERUM": "https://b"})
    assert settings.rpc_endpoints == {"polygon-zk-evm": ("https://a",)}
    assert settings.unrecognised == ("HOLDFAST_RPC_ETHERUM",)


def test_endpoints_of_chains_that_are_not_evm() -> None:
    settings = load_settings({"HOLDFAST_RPC_BITCOIN": "https://a/api", "HOLDFAST_RPC_SOLANA": "https://b https://c"})
    assert settings.rpc_endpoints == {"bitcoin": ("https://a/api",), "solana": ("https://b", "https://c")}
    assert settings.unrecognised == ()


def test_a_mistyped_variable_is_reported() -> None:
    assert load_settings({"HOLDFAST_DATABSE_URL": "postgresql://x"}).unrecognised == ("HOLDFAST_DATABSE_URL",)


def test_short_scheme_is_lengthened_for_sqlalchemy() -> None:
    assert load_settings({"HOLDFAST_DATABASE_URL": "postgres://u:p@h/d"}).database_url == "postgresql://u:p@h/d"


def test_workers_can_be_dask_s() -> None:
    settings = load_settings({"HOLDFAST_WORKERS": "tcp://scheduler:8786"})
    assert (settings.workers, settings.dask) == (1, "tcp://scheduler:8786")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("HOLDFAST_DATABASE_URL", "mysql://u:hunter2@h/d", "postgresql://user:password@host:port/database"),
        ("HOLDFAST_DATABASE_URL", "host=h password=hunter2", "postgresql://user:password@host:port/database"),
        ("HOLDFAST_SOURCES", "none,binance", "excludes every other"),
        ("HOLDFAST_RPC_PUBLIC", "maybe", "expected 1 or 0"),
        ("HOLDFAST_MAX_HEAD_AGE_SECONDS", "-1", "at least 1"),
        ("HOLDFAST_MAX_HEAD_AGE_SECONDS", "1.5", "whole number"),
        ("HOLDFAST_WORKERS", "0", "expected a number of processes, 1 or more"),
        ("HOLDFAST_RPC_ETHEREUM", "wss://hunter2/v2", r"its value is a WebSocket \(wss://\).*must start with http"),
        ("HOLDFAST_RPC_ETHEREUM", "https://a host/hunter2", "endpoint 2 of 2 has no scheme"),
        ("HOLDFAST_RPC_ETHEREUM", "https://a ftp://u:hunter2@b", "endpoint 2 of 2 has a scheme that is not http"),
        ("HOLDFAST_RPC_ETHEREUM", "https:///hunter2", "its value names no host"),
        ("HOLDFAST_RPC_ETHEREUM", "https://a:hunter2/", "cannot be read"),
        ("HOLDFAST_RPC_ETHEREUM", "https://[hunter2", "cannot be read"),
        ("HOLDFAST_RPC_ETHEREUM", "hunter2", "its value has no scheme"),
        ("HOLDFAST_ENDPOINT_ECB", "https://a https://b", "expected one URL, got 2"),
    ],
)
def test_a_bad_value_names_the_variable_and_shows_no_password(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=expected) as caught:
        load_settings({name: value})
    assert name in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_settings_are_frozen_and_their_text_shows_no_url() -> None:
    settings = load_settings(
        {"HOLDFAST_DATABASE_URL": "postgresql://u:hunter2@h/d", "HOLDFAST_RPC_ETHEREUM": "https://node/hunter2"}
    )
    assert "hunter2" not in repr(settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.inputs = Path("/")  # type: ignore[misc]
