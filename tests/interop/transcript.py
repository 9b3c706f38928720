# SPDX-License-Identifier: Apache-2.0
"""What a client got, as JSON that is the same whatever nodes it talked to, as long as these behave alike.

Global indexes differ between nodes that are both right (upstream hands out freed ones in the order of CPython sets), so
a sample goes by the name under which the scenario registered it: "PARTITION/KEY", or "PARTITION#N" for the N-th row
that was inserted without a key.
"""

from canonical import canonical
from transfer_queue.metadata import BatchMeta


class Transcript:
    def __init__(self):
        self._names: dict[int, str] = {}
        self._inserted: dict[str, int] = {}

    # --- names of samples

    def name_keys(self, meta: BatchMeta, keys: list[str]) -> BatchMeta:
        assert len(meta.global_indexes) == len(keys), f"{len(keys)} keys, {len(meta.global_indexes)} indexes"
        for index, partition, key in zip(meta.global_indexes, meta.partition_ids, keys):
            self._names[index] = f"{partition}/{key}"
        return meta

    def name_inserted(self, meta: BatchMeta) -> BatchMeta:
        for index, partition in zip(meta.global_indexes, meta.partition_ids):
            number = self._inserted[partition] = self._inserted.get(partition, -1) + 1
            self._names[index] = f"{partition}#{number}"
        return meta

    def forget(self, meta: BatchMeta) -> None:
        """To be called before the samples are cleared: their indexes may be used for others after that."""
        for index in meta.global_indexes:
            self._names.pop(index, None)

    def name(self, index: int) -> str:
        return self._names.get(int(index), "unnamed")

    # --- results

    def meta(self, meta: BatchMeta | None, ordered: bool = True) -> dict | None:
        """A BatchMeta by rows; ordered=False where the order of rows is that of a set upstream."""
        if meta is None:
            return None
        slots = canonical(meta)["$batchmeta"]
        schema = slots["field_schema"]
        shapes = {field: about.pop("per_sample_shapes", None) for field, about in schema.items()}
        rows = []
        for i, index in enumerate(meta.global_indexes):
            rows.append({
                "sample": self.name(index),
                "partition": meta.partition_ids[i],
                "ready": int(meta.production_status[i]),
                "tags": slots["custom_meta"][i] if slots["custom_meta"] else None,
                "backend": slots["_custom_backend_meta"][i] if slots["_custom_backend_meta"] else None,
                "shapes": {field: values[i] for field, values in shapes.items() if values is not None},
            })
        return {
            "rows": rows if ordered else sorted(rows, key=lambda row: (row["sample"], row["ready"])),
            "schema": schema,
            "status_type": [str(meta.production_status.dtype), list(meta.production_status.shape)],
            "types": [type(getattr(meta, slot)).__name__ for slot in ("global_indexes", "partition_ids", "custom_meta")],
            **{slot: slots[slot] for slot in ("extra_info", "_size", "_field_names", "_is_ready")},
        }

    def status(self, answer: tuple) -> dict:
        """(global indexes, status of each): consumption or production."""
        indexes, status = answer
        if indexes is None:
            return {"indexes": None, "status": canonical(status)}
        rows = sorted(([self.name(index), canonical(row.tolist())] for index, row in zip(indexes, status)), key=repr)
        return {"rows": rows, "dtypes": [str(indexes.dtype), str(status.dtype)], "columns": list(status.shape[1:])}


def attempt(call):
    """What the call returns, as canonical JSON, or which error it raised."""
    try:
        return canonical(call())
    except Exception as error:  # callers act on the type; the wording is kept to be read, not compared
        return {"$error": type(error).__name__, "$message": str(error)}
