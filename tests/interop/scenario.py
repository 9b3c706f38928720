# SPDX-License-Identifier: Apache-2.0
"""One long story of an unmodified Python client; prints what it got, a JSON object a step.

    scenario.py --controller controller.json --storage storage-0.json storage-1.json [--chapters columns tags ...]

It runs under any version of the package (PYTHONPATH) and on any nodes. Two runs whose transcripts are equal could not be
told apart by this client.
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
import control_chapters  # noqa: E402, F401  registers its steps
from story import STEPS, VERSION, Client  # noqa: E402
from transcript import attempt  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--controller", required=True)
    parser.add_argument("--storage", nargs="+", required=True)
    parser.add_argument("--chapters", nargs="+", default=None, help="default: all")
    parser.add_argument("--prefix", default="", help="of the names of all partitions; left out of the transcript")
    parser.add_argument("--read-only", action="store_true", help="chapter columns: read what another client put")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    client = Client(args.controller, args.storage, args.prefix, args.read_only)
    for chapter, name, since, function in STEPS:
        if VERSION < since or (args.chapters and chapter not in args.chapters):
            continue
        outcome = attempt(lambda: function(client, f"{args.prefix}{chapter}: {name}"))
        line = json.dumps({"chapter": chapter, "step": name, "outcome": outcome}, ensure_ascii=False)
        print(line.replace(args.prefix, "") if args.prefix else line, flush=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
