# SPDX-License-Identifier: Apache-2.0
"""A Python client that does as it is told: a JSON object a line on standard input, such as
    {"do": "play", "chapter": "tags", "prefix": "by-cpp-", "read_only": true}    steps of the scenario
    {"do": "put", "prefix": "py-"}               every kind of column, as the scenario's chapter "columns" puts them
    {"do": "read", "prefix": "copy-"}            metadata and data of these, also when another client put them
each answered by one JSON line: {step: outcome}.

    scenario_server.py --controller controller.json --storage storage-0.json storage-1.json
"""

import argparse
import json
import logging
import os
import sys
import warnings

os.environ.setdefault("TQ_LOGGING_LEVEL", "CRITICAL")
warnings.filterwarnings("ignore")

import chapters  # noqa: E402, F401  registers its steps
import torch  # noqa: E402
from columns import COLUMNS, ROWS  # noqa: E402
from story import STEPS, VERSION, Client  # noqa: E402
from transcript import attempt  # noqa: E402


def play(client: Client, prefix: str, chapter: str, read_only: bool) -> dict:
    """The outcomes of a chapter's steps. With `read_only` they read what another client put."""
    client.prefix, client.read_only = prefix, read_only
    return _each_step(chapter, prefix, lambda partition, function: function(client, partition))


def put(client: Client, prefix: str) -> dict:
    """Puts every kind of column; outcomes are errors or None."""
    client.prefix, client.read_only = prefix, False

    def put_one(partition: str, _):
        column = COLUMNS[partition.removeprefix(f"{prefix}columns: ")]()
        client.put(partition, {"column": column, "beside": torch.arange(ROWS)})

    return _each_step("columns", prefix, put_one)


def read(client: Client, prefix: str) -> dict:
    """Metadata and data, under the names that the scenario has for them."""
    client.prefix, client.read_only = prefix, True

    def read_one(partition: str, _):
        client.register(partition)
        return {"metadata": attempt(lambda: client.meta(partition)), "all": attempt(lambda: client.get(partition))}

    return _each_step("columns", prefix, read_one)


def _each_step(chapter: str, prefix: str, do) -> dict:
    outcomes = {}
    for its_chapter, name, since, function in STEPS:
        if its_chapter == chapter and VERSION >= since:
            outcome = attempt(lambda: do(f"{prefix}{chapter}: {name}", function))
            outcomes[name] = json.loads(json.dumps(outcome, ensure_ascii=False).replace(prefix, ""))
    return outcomes


DO = {"play": play, "put": put, "read": read}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--controller", required=True)
    parser.add_argument("--storage", nargs="+", required=True)
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    client = Client(args.controller, args.storage)
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(DO[command.pop("do")](client, **command)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
