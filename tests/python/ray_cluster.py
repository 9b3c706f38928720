# SPDX-License-Identifier: Apache-2.0
"""A Ray cluster of two nodes on this machine until standard input ends. Prints its address as JSON."""

import json
import sys

from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 8, "include_dashboard": False})
cluster.add_node(num_cpus=8, resources={"storage": 1}, include_dashboard=False)
cluster.wait_for_nodes()
print(json.dumps({"address": cluster.address}), flush=True)
sys.stdin.read()
cluster.shutdown()
