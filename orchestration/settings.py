"""Configuration that is not per portfolio: the `HOLDFAST_*` environment variables, read once into a frozen value.

Belongs here: names, defaults and the shape of each variable. Must not be here: the secrets of accounts (connectors
read the variables that portfolios.yaml names), anything per portfolio, and any reading at import.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

PREFIX = "HOLDFAST_"
_PLAIN = frozenset({"DATABASE_URL", "HOME", "INPUTS", "SOURCES", "RPC_PUBLIC", "MAX_HEAD_AGE_SECONDS", "WORKERS"})
_OWN = frozenset({"DAGSTER_URL", "PROGRESS", "SCHEDULES"})  # what Holdfast's processes tell their children
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


class SettingsError(ValueError):
    """A `HOLDFAST_*` variable has a value that cannot be used; the message names variable, value and remedy."""


@dataclass(frozen=True)
class Settings:
    """The environment of one Holdfast process. URLs may carry keys, so they are left out of `repr`.

    Attributes:
        home: where state lies (embedded server, Dagster), absolute; need not exist yet.
        project_root: the folder with workspace.yaml.
        database_url: PostgreSQL of the owner's own, or None for the embedded server.
        inputs: the inputs folder of schedules and sensors, absolute, or None.
        sources: live sources that may be asked; None = all that the holdings need, () = files only, no network.
        rpc_endpoints: chain (slug) to its endpoints in order; they come before the public ones.
        is_rpc_public: whether public endpoints may be asked too.
        max_head_age_seconds: how old a chain's head may be; None = 20 block times, at least 60 seconds.
        endpoints: source (lower case) to the scheme and host used instead of the provider's own hosts.
        workers: processes that optimise portfolios.
        dask: the address of Dask's scheduler, whose workers optimise them instead; None: this machine.
        unrecognised: `HOLDFAST_*` variables of no known name, most likely mistyped; for a warning.
    """

    home: Path
    project_root: Path
    database_url: str | None = field(default=None, repr=False)
    inputs: Path | None = None
    sources: tuple[str, ...] | None = None
    rpc_endpoints: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    is_rpc_public: bool = True
    max_head_age_seconds: int | None = None
    endpoints: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    workers: int = 1
    dask: str | None = None
    unrecognised: tuple[str, ...] = ()


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ` (default: the process environment). An empty variable counts as unset.

    Relative paths are relative to the current directory, as for any command.

    Raises:
        SettingsError: a value has the wrong shape.
    """
    given = os.environ if environ is None else environ
    values = {
        name.removeprefix(PREFIX): value.strip()
        for name, value in given.items()
        if name.startswith(PREFIX) and value.strip()
    }
    root = find_project_root()
    home, inputs = values.get("HOME"), values.get("INPUTS")
    rpc_slugs = _rpc_slugs(values)
    endpoint_names = [name for name in values if name.startswith("ENDPOINT_")]
    return Settings(
        home=_path(home) if home else root / ".holdfast",
        project_root=root,
        database_url=_database_url(values.get("DATABASE_URL")),
        inputs=_path(inputs) if inputs else None,
        sources=_sources(values.get("SOURCES")),
        rpc_endpoints=MappingProxyType({slug: _urls(name, values[name]) for name, slug in sorted(rpc_slugs.items())}),
        is_rpc_public=_boolean("RPC_PUBLIC", values.get("RPC_PUBLIC"), default=True),
        max_head_age_seconds=_seconds("MAX_HEAD_AGE_SECONDS", values.get("MAX_HEAD_AGE_SECONDS")),
        endpoints=MappingProxyType(
            {name.removeprefix("ENDPOINT_").lower(): _one_url(name, values[name]) for name in sorted(endpoint_names)}
        ),
        workers=_workers(values.get("WORKERS")),
        dask=values["WORKERS"] if "://" in values.get("WORKERS", "") else None,
        unrecognised=tuple(
            sorted(PREFIX + name for name in set(values) - _PLAIN - _OWN - {*rpc_slugs, *endpoint_names})
        ),
    )


def pass_on(settings: Settings) -> None:
    """Put what a run must find again into the environment of this process and its children.

    The embedded server stays unnamed: whoever takes it for the owner's own would not keep the reader's password.
    """
    os.environ[PREFIX + "HOME"] = str(settings.home)
    if settings.database_url:
        os.environ[PREFIX + "DATABASE_URL"] = settings.database_url


def find_project_root() -> Path:
    """The folder with workspace.yaml above this file; without one (an installed wheel), the current directory."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "workspace.yaml").is_file() or (folder / "pyproject.toml").is_file():
            return folder
    return Path.cwd()


def _path(value: str) -> Path:
    return Path(os.path.abspath(Path(value).expanduser()))  # noqa: PTH100 (resolve() would follow symbolic links)


def _database_url(value: str | None) -> str | None:
    if value is None:
        return None
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in {"postgresql", "postgres"}:
        # the value is not shown: it may hold a password
        raise SettingsError(
            f"{PREFIX}DATABASE_URL is not a PostgreSQL URL. Expected postgresql://user:password@host:port/database; "
            "leave it unset to use the embedded server."
        )
    return f"postgresql://{rest}"  # SQLAlchemy refuses the short form postgres://


def _sources(value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = tuple(dict.fromkeys(name.strip().lower() for name in value.split(",") if name.strip()))
    if "none" in names and len(names) > 1:
        raise SettingsError(f"{PREFIX}SOURCES={value!r}: `none` excludes every other source; give one or the other.")
    return () if names == ("none",) else names


def _workers(value: str | None) -> int:
    if value is None or "://" in value:
        return 1
    if not value.isdecimal() or int(value) < 1:
        raise SettingsError(
            f"{PREFIX}WORKERS={value!r}: expected a number of processes, 1 or more, or the address of Dask's "
            "scheduler, as tcp://host:8786."
        )
    return int(value)


def _rpc_slugs(values: Mapping[str, str]) -> dict[str, str]:
    """Variables of known chains' endpoints and the chains' slugs; a mistyped chain's is left to `unrecognised`."""
    names = [name for name in values if name.startswith("RPC_") and name != "RPC_PUBLIC"]
    if not names:
        return {}
    from assets.registry.chains import chains
    from assets.registry.other_chains import other_chains

    slugs = {f"RPC_{chain.variable}": slug for slug, chain in chains().items()}
    slugs |= {f"RPC_{other.variable}": slug for slug, other in other_chains().items()}
    return {name: slugs[name] for name in names if name in slugs}


def _urls(name: str, value: str) -> tuple[str, ...]:
    """The addresses in a variable; an error names the variable and the place in it, since they may hold keys."""
    urls = tuple(value.split())
    for position, url in enumerate(urls, start=1):
        if problem := _problem_of(url):
            place = f"endpoint {position} of {len(urls)}" if len(urls) > 1 else "its value"
            raise SettingsError(
                f"{PREFIX}{name}: {place} {problem}. Every endpoint must start with http:// or https:// and name a "
                "host, as in https://host/path; several are separated by blanks."
            )
    return urls


def _problem_of(url: str) -> str | None:
    """What is wrong with an address, in words that tell nothing of it but a scheme that we know."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # its text quotes the address
        return "has a host or a port that cannot be read"
    if parts.scheme in ("ws", "wss"):
        return f"is a WebSocket ({parts.scheme}://), which is not asked: give the provider's https:// address"
    if parts.scheme not in ("http", "https"):
        return "has no scheme" if "://" not in url else "has a scheme that is not http or https"
    return None if host else "names no host"


def _one_url(name: str, value: str) -> str:
    urls = _urls(name, value)
    if len(urls) > 1:
        raise SettingsError(f"{PREFIX}{name}: expected one URL, got {len(urls)}.")
    return urls[0].rstrip("/")


def _boolean(name: str, value: str | None, *, default: bool) -> bool:
    if value is None:
        return default
    if value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise SettingsError(f"{PREFIX}{name}={value!r}: expected 1 or 0.")


def _seconds(name: str, value: str | None) -> int | None:
    if value is None:
        return None
    if not value.isdecimal() or int(value) < 1:
        raise SettingsError(f"{PREFIX}{name}={value!r}: expected a whole number of seconds, at least 1.")
    return int(value)
