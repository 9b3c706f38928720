# SPDX-License-Identifier: Apache-2.0
"""A Python TransferQueue client at work on nodes that `tq up` started: put, tags, get, list, clear.

    build/release/bin/tq up --units 2 --info-dir nodes
    build/python/venv/bin/python tutorial/python_client.py nodes

The client is the package from PyPI as it is; transfer_queue_cpp.attach() alone does what Ray would do, finding the nodes.
"""

import argparse
import logging
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("TQ_LOGGING_LEVEL", "ERROR")
warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))  # for those who did not pip install ./python

import torch  # noqa: E402
import transfer_queue as tq  # noqa: E402
from tensordict import NonTensorStack, TensorDict  # noqa: E402

import transfer_queue_cpp  # noqa: E402

PARTITION = "tutorial"


def story() -> None:
    prompts = [torch.tensor([1, 5, 7]), torch.tensor([2, 9])]
    samples = TensorDict(
        {
            "prompt": torch.nested.as_nested_tensor(prompts, layout=torch.jagged),
            "reward": torch.zeros(2),
            "text": NonTensorStack("What is 2 + 2?", "Name a colour."),
        },
        batch_size=[2],
    )
    tq.kv_batch_put(keys=["q1", "q2"], partition_id=PARTITION, fields=samples, tags=[{"step": 1}, {"step": 1}])
    print("  put     2 samples with 3 columns: ragged prompts, scalars, text")

    tq.kv_put(key="q2", partition_id=PARTITION, fields={"reward": torch.tensor(0.5)}, tag={"step": 2, "by": "judge"})
    print("  update  the reward and the tags of q2")

    got = tq.kv_batch_get(keys=["q2", "q1"], partition_id=PARTITION)
    print(f"  get     q2: prompt {got['prompt'][0].tolist()}, reward {got['reward'][0]:.1f}, text {got['text'][0]!r}")
    print(f"          q1: prompt {got['prompt'][1].tolist()}, reward {got['reward'][1]:.1f}, text {got['text'][1]!r}")
    assert torch.equal(got["prompt"][0], prompts[1]) and torch.equal(got["prompt"][1], prompts[0])
    assert got["reward"].flatten().tolist() == [0.5, 0.0]

    listed = tq.kv_list(partition_id=PARTITION)
    print(f"  list    {listed}")
    assert listed == {PARTITION: {"q1": {"step": 1}, "q2": {"step": 2, "by": "judge"}}}

    tq.kv_clear(keys=["q1", "q2"], partition_id=PARTITION)
    print(f"  clear   both; what is left: {tq.kv_list(partition_id=PARTITION)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodes", metavar="NODES", help="the folder of `tq up --info-dir`")
    folder = parser.parse_args().nodes
    logging.disable(logging.WARNING)
    try:
        transfer_queue_cpp.attach(folder)
    except transfer_queue_cpp.Error as error:
        sys.exit(f"python_client.py: {error}")
    story()


if __name__ == "__main__":
    main()
