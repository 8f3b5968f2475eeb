"""What a killed test session leaves is removed once, however many test processes begin at that moment."""

import multiprocessing
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import SERVER_FOLDER_PREFIX, sweep_abandoned_homes


def test_processes_that_begin_together_remove_what_a_killed_session_left() -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    home = Path(tempfile.mkdtemp(prefix=f"{SERVER_FOLDER_PREFIX}{dead.pid}-"))
    for folder in range(20):
        (home / str(folder)).mkdir()
        for file in range(100):
            (home / str(folder) / str(file)).touch()
    context = multiprocessing.get_context("fork")
    sweepers = [context.Process(target=sweep_abandoned_homes) for _ in range(4)]
    for sweeper in sweepers:
        sweeper.start()
    for sweeper in sweepers:
        sweeper.join()
    assert [sweeper.exitcode for sweeper in sweepers] == [0, 0, 0, 0]
    assert not home.exists()
