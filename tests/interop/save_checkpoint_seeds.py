# SPDX-License-Identifier: Apache-2.0
"""save_checkpoint_seeds.py FOLDER: saves by the nodes themselves what the fuzzer of checkpoints begins with.

One file a node: of the rows of every kind of column, and of a controller with keys, tags, consumption and batches that a
sampler keeps. Run it when the format changes, with FOLDER tests/fuzz/checkpoints.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "peer"))

import columns  # noqa: E402
import nodes  # noqa: E402
import torch  # noqa: E402
from peer_client import connect  # noqa: E402
from tensordict import TensorDict  # noqa: E402

BYTES_MAX = 16383  # libFuzzer's -max_len in run_fuzzer.sh, and the byte that picks the kind of node
COLUMNS_A_FILE = 12


def save(work: Path, number: int, folder: Path, fill, *controller_args: str) -> None:
    root = work / f"{number}"
    root.mkdir()
    cluster = nodes.Cluster(root / "nodes", "cpp", ("cpp",), env={"TQ_CHECKPOINT_ROOT": str(root)}, controller_args=controller_args)
    try:
        fill(connect(*cluster.addresses()))
        command = [nodes.tq_binary(), "ckpt", "save", "--info-dir", root / "nodes", root / "saved"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    finally:
        cluster.stop()
    unit = json.loads((root / "saved/simple_storage/storage_unit_info.json").read_text())[0]["storage_unit_id"]
    for name, path in (("controller", "controller_state.pkl"), ("unit", f"simple_storage/su_0_{unit}.pkl")):
        file = root / "saved" / path
        if file.stat().st_size <= BYTES_MAX:
            shutil.copy(file, folder / f"{name}-{number}")
        else:
            print(f"left out {name}-{number}: {file.stat().st_size} bytes", file=sys.stderr)


def put(client, partition: str, keys: list[str], data: dict):
    meta = client.kv_retrieve_meta(keys=keys, partition_id=partition, create=True)
    return client.put(TensorDict(data, batch_size=[len(keys)]), meta)


def fill_columns(names: list[str]):
    def fill(client) -> None:
        for name in names:
            try:
                put(client, "train", [f"k{i}" for i in range(columns.ROWS)], {name: columns.COLUMNS[name]()})
            except Exception as error:  # what this client cannot put
                print(f"left out {name}: {error}", file=sys.stderr)

    return fill


def fill_state(client) -> None:
    meta = put(client, "train", [f"ключ{i}" for i in range(12)], {"x": torch.arange(24.0).reshape(12, 2)})
    meta.update_custom_meta([{"score": 0.5, "t": torch.arange(3), "deep": [1, None, {"a": "b"}]} for _ in range(12)])
    client.set_custom_meta(meta)
    gone = client.kv_retrieve_meta(keys=["ключ3", "ключ7"], partition_id="train", create=False)
    client.clear_samples(gone)
    for rank in range(2):
        client.get_meta(["x"], 2, "train", mode="fetch", task_name="trainer",
                        sampling_config={"dp_rank": rank, "batch_index": 0})
    put(client, "other", ["a"], {"x": torch.zeros(1, 2)})


def main() -> None:
    folder = Path(sys.argv[1])
    names = list(columns.COLUMNS)
    with tempfile.TemporaryDirectory() as work:
        count = 0
        for begin in range(0, len(names), COLUMNS_A_FILE):
            save(Path(work), count, folder, fill_columns(names[begin : begin + COLUMNS_A_FILE]))
            count += 1
        save(Path(work), count, folder, fill_state, "--sampler", "RankAwareSampler")


main()
