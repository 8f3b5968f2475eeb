"""`holdfast demo-chains` as a person runs it, on three chains."""

from __future__ import annotations

from tests.conftest import make_home, remove_home
from tests.evm_binary import anvil
from tests.integration.test_command_line import holdfast


def test_three_chains_one_of_them_dead_and_nothing_is_left() -> None:
    # a server of root's is run by another user, who must be able to enter: no folder of pytest's
    home = make_home()
    try:
        (home / "cache").symlink_to(anvil().parents[1])
        (home / "temporary").mkdir()

        # an owner's database and endpoint, neither of which may be asked: nobody is there
        done = holdfast(
            "demo-chains", "--chains", "3", home=home, TMPDIR=str(home / "temporary"),
            HOLDFAST_DATABASE_URL="postgresql://127.0.0.1:9/owners", HOLDFAST_RPC_ETHEREUM="http://127.0.0.1:9",
        )  # fmt: skip

        assert done.returncode == 0, done.stderr
        assert "EVERY BALANCE IS MADE UP" in done.stdout
        assert "made-up balances read back to the last unit: 15 of 15" in done.stdout
        assert "chains read: 67%; the portfolio is marked incomplete" in done.stdout
        rows = {line.split()[1]: line for line in done.stdout.splitlines() if line.endswith("│") and "%" in line}
        assert " 0 of 10 " in rows["bsc"]
        assert "answered by endpoint 2; passed over: 127.0.0.1:" in rows["optimism"]
        assert "100%" in rows["optimism"]
        assert "422 of 422" in rows["ethereum"]
        # what could not be read is unknown, never 0
        assert "│ BNB   │ bsc      │ unknown │" in done.stdout
        assert list((home / "temporary").iterdir()) == []
        assert sorted(path.name for path in home.iterdir()) == ["cache", "temporary"]

        refused = holdfast("demo-chains", "--chains", "3", "--home", home, home=home)
        assert refused.returncode == 2
        assert "is not a home of this demo" in refused.stderr
    finally:
        remove_home(home)
