# SPDX-License-Identifier: Apache-2.0
"""Prometheus' metrics: the names, labels, buckets and values of Python's own exporter, and what is ours beside them."""

import json
import re
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from metrics_page import fetch, scrape, scrape_until
from nodes import NEWEST, PEER, ROOT, START_SECONDS, Cluster, Node, python_env, tq_binary
from parts import Parts
from peer_client import connect
from tensordict import TensorDict

SAMPLES, TAKEN, CLEARED = 6, 4, 2
FIELDS = {"ids": (torch.int64, (SAMPLES, 5)), "score": (torch.float32, (SAMPLES,))}


def story(client) -> None:
    """Six samples of two fields and one more without any; four of them consumed by a task; two cleared."""
    client.kv_list()  # Python's request loop chose what counts its first request before it had metrics
    keys = [f"k{i}" for i in range(SAMPLES)]
    meta = client.kv_retrieve_meta(keys=keys, partition_id="train", create=True)
    client.put(TensorDict({name: torch.ones(shape, dtype=dtype) for name, (dtype, shape) in FIELDS.items()},
                          batch_size=[SAMPLES]), meta)
    client.kv_retrieve_meta(keys=["late"], partition_id="train", create=True)
    client.get_meta(data_fields=list(FIELDS), batch_size=TAKEN, partition_id="train", task_name="actor")
    client.get_data(client.kv_retrieve_meta(keys=keys, partition_id="train", create=False))
    client.clear_samples(client.kv_retrieve_meta(keys=keys[:CLEARED], partition_id="train", create=False))
    with pytest.raises(Exception):
        client.get_meta(data_fields=["ids"], batch_size=0, partition_id="train", task_name="actor", mode="no mode")


def url_of(node: Node) -> str:
    """Where it says its metrics are."""
    return re.search(r"metrics at (http://\S+)", node.log.read_text()).group(1)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Our nodes after the story: (page of the controller, page of a storage unit alone)."""
    folder = tmp_path_factory.mktemp("ours")
    parts = Parts(folder, unit_args=(("--metrics-port", "0", "--capacity", "100"), ("--capacity", "100")),
                  controller_args=("--metrics-port", "0"))
    story(connect(str(folder / "controller.json"), [str(folder / f"storage-{i}.json") for i in range(2)]))
    yield SimpleNamespace(controller=scrape(url_of(parts.nodes["controller"])), unit=scrape(url_of(parts.nodes[0])),
                          ids=[parts.address(i)["id"] for i in range(2)])
    parts.stop()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """The same of Python's nodes with Python's exporter."""
    folder = tmp_path_factory.mktemp("theirs")
    env = {**python_env(NEWEST), "TQ_METRICS_COLLECT_INTERVAL": "1"}
    nodes = []

    def start(role: str, name: str, *args) -> str:
        info = folder / f"{name}.json"
        command = [PEER / "peer_node.py", role, "--info", info, "--metrics", folder / f"{name}.metrics", *args]
        nodes.append(Node(name, [sys.executable, *command], [info], env))
        return str(info)

    def wait() -> None:
        for node in nodes:
            node.wait_ready(time.monotonic() + START_SECONDS)

    units = [start("storage", f"storage-{i}", "--capacity", "100") for i in range(2)]
    wait()
    controller = start("controller", "controller", "--metrics-units", *units)
    wait()
    story(connect(controller, units))
    url = {name: f"http://{(folder / name).with_suffix('.metrics').read_text()}/metrics" for name in ("controller", "storage-0")}

    def collected(page) -> bool:
        stored = page.samples("tq_storage_active_keys_total")
        progress = page.samples("tq_partition_consumption_progress")
        return len(stored) == 2 and sum(stored.values()) == SAMPLES - CLEARED and bool(progress)

    page = scrape_until(url["controller"], collected)
    ids = [json.load(open(unit))["id"] for unit in units]
    yield SimpleNamespace(controller=page, unit=scrape(url["storage-0"]), ids=ids)
    for node in nodes:
        node.stop()


# ---- the same as Python's


# What only a node of another kind can have: the probe of the accept queue, which is off at both.
@pytest.mark.parametrize("place", ["controller", "unit"])
def test_names_types_and_labels_are_pythons(ours, theirs, place):
    here, there = getattr(ours, place), getattr(theirs, place)
    wanted = there.label_names()
    assert len(wanted) > (3 if place == "unit" else 25)
    assert {name: here.label_names().get(name) for name in wanted} == wanted
    types = there.types()
    assert {name: here.types().get(name) for name in types} == types


@pytest.mark.parametrize("place, role", [("controller", "controller"), ("unit", "storage")])
def test_buckets_are_pythons(ours, theirs, place, role):
    def bounds(page):
        return {float(dict(labels)["le"]) for labels in page.samples(f"tq_{role}_request_duration_seconds_bucket")}

    assert bounds(getattr(ours, place)) == bounds(getattr(theirs, place)) and len(bounds(getattr(ours, place))) == 11


SAME_VALUES = [
    "tq_partitions_total", "tq_partition_samples_total", "tq_partition_production_progress",
    "tq_partition_consumption_progress", "tq_global_index_allocated_total", "tq_global_index_reusable_total",
    "tq_controller_request_samples_total",
]


@pytest.mark.parametrize("name", SAME_VALUES)
def test_values_are_pythons(ours, theirs, name):
    want = theirs.controller.samples(name)
    got = ours.controller.samples(name)
    assert want and {labels: got.get(labels) for labels in want} == want
    # Ours also counts the samples of operations of which Python counts none.
    assert name.endswith("request_samples_total") or got == want


@pytest.mark.parametrize("name", ["tq_controller_request_total", "tq_controller_request_duration_seconds_count"])
def test_requests_are_counted_as_python_counts_them(ours, theirs, name):
    def of_the_story(page):
        return {dict(labels)["op_type"]: value for labels, value in page.samples(name).items()
                if dict(labels)["op_type"] not in ("HANDSHAKE", "GET_METRICS", "KV_LIST")}

    assert of_the_story(ours.controller) == of_the_story(theirs.controller)


@pytest.mark.parametrize("name", [
    "tq_storage_capacity_total", "tq_storage_active_keys_total", "tq_storage_utilization_ratio",
    "tq_storage_request_ops", "tq_storage_ssd_offload_enabled"])
def test_units_are_told_as_python_tells_them(ours, theirs, name):
    def by_place(nodes):
        place = {unit: i for i, unit in enumerate(nodes.ids)}
        return {(place[dict(labels)["storage_unit_id"]], dict(labels).get("op_type")): value
                for labels, value in nodes.controller.samples(name).items()}

    got, want = by_place(ours), by_place(theirs)
    assert got == want and want


def test_durations_are_between_nothing_and_the_test(ours):
    for name in ("avg", "p50", "p99"):
        values = ours.controller.samples(f"tq_storage_request_latency_{name}")
        assert len(values) == 6 and all(0 < value < 60 for value in values.values())
    count = ours.controller.samples("tq_controller_request_duration_seconds_count")
    for labels, value in count.items():
        op = dict(labels)["op_type"]
        assert ours.controller.value("tq_controller_request_duration_seconds_bucket", op_type=op, le="+Inf") == value


# Every name in the queries of upstream's dashboard, scripts/grafana_dashboard.json.
DASHBOARD = """
    tq_controller_uptime_seconds tq_controller_memory_rss_bytes tq_partitions_total tq_global_index_allocated_total
    tq_global_index_reusable_total tq_controller_request_total tq_controller_request_duration_seconds_bucket
    tq_partition_samples_total tq_partition_production_progress tq_partition_consumption_progress
    tq_storage_utilization_ratio tq_storage_active_keys_total tq_storage_capacity_total tq_storage_memory_rss_bytes
    tq_storage_request_ops tq_storage_request_latency_p50 tq_storage_request_latency_p99
    tq_controller_request_samples_total
""".split()


def test_upstreams_dashboard_finds_all_that_it_asks_for(ours):
    missing = [name for name in DASHBOARD if not ours.controller.samples(name)]
    assert missing == []


# ---- ours beside them


def test_bytes_by_partition_and_field(ours):
    left = SAMPLES - CLEARED
    for field, (dtype, shape) in FIELDS.items():
        row = torch.ones(shape[1:], dtype=dtype).nbytes
        labels = {"partition_id": "train", "field_name": field}
        assert ours.controller.value("tq_partition_field_bytes", **labels) == left * row
        assert ours.controller.value("tq_partition_field_produced_samples", **labels) == left
        rows = [ours.controller.value("tq_storage_field_rows", storage_unit_id=unit, field_name=field) for unit in ours.ids]
        assert sum(rows) == left


def test_stored_bytes(ours):
    stored = sum(ours.controller.samples("tq_storage_stored_bytes").values())
    assert stored == (SAMPLES - CLEARED) * (5 * 8 + 4)
    held = sum(ours.controller.samples("tq_storage_held_bytes").values())
    assert held >= stored


def test_refusals_by_reason(ours):
    assert ours.controller.value("tq_controller_refusals_total", reason="invalid_argument") == 1
    assert ours.controller.value("tq_controller_request_errors_total", op_type="GET_META") == 1


def test_waiting_slow_and_unsent(start, tmp_path):
    """A fetch that waits shows while it waits; with 0 seconds everything is slow; a peer that reads nothing has bytes
    that wait for it."""
    cluster = start("cpp", ("cpp",), controller_args=("--metrics-port", "0", "--warn-seconds", "0",
                                                     "--metadata-timeout", "60"))
    url = url_of(cluster.nodes[0])
    client = connect(*cluster.addresses())
    meta = client.kv_retrieve_meta(keys=["a"], partition_id="p", create=True)
    client.put(TensorDict({"x": torch.ones(1, 64 << 18)}, batch_size=[1]), meta)  # 64 MiB
    waiter = subprocess.Popen(
        [sys.executable, "-c", WAITER, *cluster.join_args()], env={**python_env(NEWEST), "PATH": "/usr/bin"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    scrape_until(url, lambda page: page.value("tq_controller_waiting_requests") == 1)
    waiter.kill()
    waiter.communicate()
    page = scrape(url)
    assert page.value("tq_controller_slow_requests_total", op_type="KV_RETRIEVE_META") == 1
    assert page.value("tq_storage_received_bytes_total", op_type="PUT_DATA") > 64 << 20
    assert page.value("tq_storage_sent_bytes_total", op_type="PUT_DATA") < 1 << 10


WAITER = """
import sys
from peer_client import connect
client = connect(sys.argv[2], sys.argv[4:])
client.get_meta(data_fields=["never"], batch_size=1, partition_id="p", task_name="t")
"""


def test_one_process_tells_of_all_its_units(start):
    cluster = start(controller_args=("--metrics-port", "0"))
    story(connect(*cluster.addresses()))
    page = scrape(url_of(cluster.nodes[0]))
    assert len(page.samples("tq_storage_up")) == 2
    assert page.value("tq_storage_request_total", op_type="PUT_DATA") == 2
    assert page.value("tq_build_info", version=version()) == 1


def version() -> str:
    return subprocess.run([tq_binary(), "--version"], capture_output=True, text=True).stdout.split()[-1]


def test_python_units_are_told_by_our_controller(start):
    cluster = start("cpp", (NEWEST, "cpp"), controller_args=("--metrics-port", "0"))
    client = connect(*cluster.addresses())
    story(client)
    page = scrape(url_of(cluster.nodes[0]))
    assert sum(page.samples("tq_storage_active_keys_total").values()) == SAMPLES - CLEARED
    assert list(page.samples("tq_storage_up").values()) == [1, 1]


def test_the_docs_list_every_name(ours):
    text = (ROOT / "docs/metrics.md").read_text()
    documented = set()
    for name in re.findall(r"^\| `(tq_\w+)`", text, re.MULTILINE):
        documented |= {name.replace("ROLE", role) for role in ("controller", "storage")}
    told = ours.controller.label_names().keys() | ours.unit.label_names().keys()
    families = {re.sub(r"_(bucket|sum|count)$", "", name) if "duration_seconds" in name else name for name in told}
    assert families - documented == set()
    # What only shows where it is: another bound, an undelivered reply.
    assert documented - families == {"tq_storage_capacity_bytes", "tq_storage_refusals_total"}


# ---- health


def test_health_and_readiness(start):
    cluster = start(controller_args=("--metrics-port", "0"))
    base = url_of(cluster.nodes[0]).removesuffix("/metrics")
    assert fetch(f"{base}/healthz") == (200, "ok\n")
    assert fetch(f"{base}/readyz") == (200, "ok\n")
    status, body = fetch(f"{base}/nothing")
    assert status == 404 and "/metrics" in body


def test_a_unit_that_is_gone_is_told_and_holds_nothing_up(tmp_path):
    parts = Parts(tmp_path / "parts", controller_args=("--metrics-port", "0", "--metrics-timeout", "1"))
    try:
        url = url_of(parts.nodes["controller"])
        gone, stays = (parts.address(i)["id"] for i in range(2))
        assert list(scrape(url).samples("tq_storage_up").values()) == [1, 1]
        parts.nodes[0].process.kill()
        parts.nodes[0].process.wait()
        begin = time.monotonic()
        page = scrape(url)
        assert time.monotonic() - begin < 4
        assert page.value("tq_storage_up", storage_unit_id=gone) == 0
        assert page.value("tq_storage_up", storage_unit_id=stays) == 1
        assert fetch(url.replace("/metrics", "/healthz"))[0] == 200  # of this process
    finally:
        parts.stop()


def test_requests_that_are_none_do_no_harm(start):
    cluster = start(controller_args=("--metrics-port", "0"))
    url = url_of(cluster.nodes[0])
    host, port = re.match(r"http://([^:/]+):(\d+)", url).groups()
    for words in (b"\x00\xff nonsense\r\n\r\n", b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
                  b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20000, b""):
        with socket.create_connection((host, int(port)), timeout=10) as peer:
            try:
                peer.sendall(words)
                peer.shutdown(socket.SHUT_WR)
                answer = peer.recv(200)
            except OSError:  # it closed the connection first: reset, or no longer connected
                answer = b""
        assert b" 200 " not in answer
    assert "tq_partitions_total" in fetch(url)[1]


def test_off_unless_asked_for(start):
    cluster = start()
    assert "metrics" not in cluster.nodes[0].log.read_text()


def test_a_port_in_use_is_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        got = subprocess.run([tq_binary(), "up", "--info-dir", tmp_path, "--metrics-port", str(port)],
                             capture_output=True, text=True, timeout=10)
    assert got.returncode == 1 and got.stdout == ""
    assert len(got.stderr.splitlines()) == 1 and "--metrics-port" in got.stderr and str(port) in got.stderr
    assert not list(tmp_path.iterdir())


def test_settings_by_environment(tmp_path):
    folder = tmp_path / "nodes"
    cluster = Cluster(folder, env={"TQ_METRICS_PORT": "0"})
    try:
        assert fetch(url_of(cluster.nodes[0]))[0] == 200
    finally:
        cluster.stop()
