from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.egress.policy import Policy, is_public

REGISTRIES = Path(__file__).parents[2] / "data" / "iana-special-registries.csv"
SPECIAL = [
    ip_network(line.split(",")[0])
    for line in REGISTRIES.read_text().splitlines()
    if line and not line.startswith("#")
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "223.130.195.200", "2606:4700::1111", "2404:6800:4004::1"]


@pytest.mark.parametrize("network", SPECIAL, ids=str)
def test_no_address_of_a_special_block_is_public(network):
    count = network.num_addresses
    sample = {0, 1, count // 3, count // 2, count - 2, count - 1}
    assert [network[i] for i in sample if 0 <= i < count and is_public(network[i])] == []


@pytest.mark.parametrize("network", SPECIAL, ids=str)
@settings(max_examples=20)
@given(data=st.data())
def test_no_random_address_of_a_special_block_is_public(network, data):
    assert not is_public(network[data.draw(st.integers(0, network.num_addresses - 1))])


@pytest.mark.parametrize("text", PUBLIC)
def test_ordinary_hosts_are_public(text):
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_public_exactly_if_no_block_lists_it(address):
    assert is_public(address) == (not any(address.version == n.version and address in n for n in SPECIAL))


def test_a_zone_makes_any_address_foreign():
    assert not is_public(ip_address("2606:4700::1111%eth0"))


def test_an_allow_list_entry_opens_its_own_network_only():
    policy = Policy(allow=(ip_network("10.1.2.3/32"),))
    assert policy.admits(ip_address("10.1.2.3"), scheme="http", port=9000)
    assert not policy.admits(ip_address("10.1.2.4"), scheme="https", port=443)
    assert not policy.admits(ip_address("1.1.1.1"), scheme="http", port=80)
    assert policy.admits(ip_address("1.1.1.1"), scheme="https", port=443)


@pytest.mark.parametrize("port", [0, 22, 25, 80, 6379, 444, 65_535])
def test_public_hosts_are_reached_on_https_ports_only(port):
    assert not Policy().admits(ip_address("1.1.1.1"), scheme="https", port=port)


def test_an_answer_that_is_no_address_is_refused():
    assert not Policy(allow=(ip_network("0.0.0.0/0"),)).admits_text("localhost", scheme="https", port=443)
