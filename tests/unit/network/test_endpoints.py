import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.network.endpoints import EndpointError, endpoints_of


def test_a_label_is_the_host_and_nothing_else():
    urls = [
        "https://user:pass@A.Example/v2/secret?k=v#f",
        "http://127.0.0.1:8545",
        "https://a.example:443/other",
        "https://[::1]:1/",
        "https://a.example:8443",
    ]
    endpoints = endpoints_of(urls)
    assert [one.label for one in endpoints] == [
        "a.example",
        "127.0.0.1:8545",
        "a.example#2",
        "[::1]:1",
        "a.example:8443",
    ]
    assert [one.rank for one in endpoints] == [0, 1, 2, 3, 4]
    assert [one.host for one in endpoints] == ["a.example", "127.0.0.1:8545", "a.example", "[::1]:1", "a.example:8443"]
    assert endpoints[0].url == urls[0]


def test_the_same_address_twice_is_one_endpoint():
    assert len(endpoints_of(["https://a.example/x", "https://a.example/x"])) == 1


def test_a_key_in_the_name_of_the_host_is_hidden():
    (endpoint,) = endpoints_of(["https://d3b07384d113edec49eaa6238ad5ff00.rpc.example/"])
    assert endpoint.label == "….rpc.example"
    assert "d3b07384" not in repr(endpoint)
    assert endpoints_of(["https://arbitrum-sepolia-rpc-2.publicnode.example"])[0].label.startswith("arbitrum-sepolia")


@given(st.text("abcdefgh0123456789-_", min_size=12, max_size=40))
def test_nothing_that_prints_an_endpoint_shows_its_address(key):
    (endpoint,) = endpoints_of([f"https://{key}:{key}@host.example/v2/{key}?q={key}"])
    for shown in (str(endpoint), repr(endpoint), f"{endpoint}", f"{[endpoint]}"):
        assert key not in shown
        assert "host.example" in shown


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h.example/KEY",
        "KEY",
        "https://",
        "https:///KEY",
        "https://h.example:port/KEY",
        "wss://h.example/KEY",
        "https://[KEY",
        "https://h.example/K EY",
        "",
    ],
)
def test_an_unusable_address_is_named_by_its_place(url):
    with pytest.raises(EndpointError, match="address 2 ") as caught:
        endpoints_of(["https://good.example", url])
    assert "KEY" not in str(caught.value)
    assert caught.value.__cause__ is None
