# SPDX-License-Identifier: Apache-2.0
"""Python's controller in this process: as it is, with our order of indexes, or with one defect.

The differential test must find no difference between Python's controller and the one with our order of indexes, and
must find each defect: a test of the test.
"""

import judged  # noqa: F401 (knows where peer_node.py lies)
import peer_node  # has Python's nodes bind to loopback, without Ray

controller_module = peer_node.controller_module
Controller = peer_node._plain_class(controller_module.TransferQueueController)
BatchMeta = controller_module.BatchMeta


def python_controller(polling: bool, cls=Controller) -> dict:
    """Starts a controller; its address. It ends with the process."""
    info = cls(polling_mode=polling).get_zmq_server_info()
    return {"id": str(info.id), "ip": info.ip, "ports": dict(info.ports)}


class AscendingIndexes(controller_module.PartitionIndexManager):
    def allocate_indexes(self, partition_id, count=1):
        self.reusable_indexes.sort()
        return super().allocate_indexes(partition_id, count)

    def get_indexes_for_partition(self, partition_id):
        return sorted(super().get_indexes_for_partition(partition_id))


class Ascending(Controller):
    """Hands out the lowest free index first, as ours does: other indexes than Python's, the same behaviour."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.index_manager = AscendingIndexes()


class _Partitions(Ascending):
    """For defects of partitions: each new one passes through spoil()."""

    def create_partition(self, partition_id):
        made = super().create_partition(partition_id)
        self.spoil(self.partitions[partition_id])
        return made


def replaced(partition, name: str, make) -> None:
    """Replaces a method of one object by make(the method)."""
    setattr(partition, name, make(getattr(partition, name)))


class FetchConsumesNothing(_Partitions):
    def spoil(self, partition):
        replaced(partition, "mark_consumed", lambda usual: lambda task, indexes: None)


class TasksShareConsumption(_Partitions):
    def spoil(self, partition):
        replaced(partition, "get_consumption_status", lambda usual: lambda task, mask=False: usual("one for all", mask))


class ConsumptionSurvivesClear(Ascending):
    def clear_meta(self, global_indexes, partition_ids, clear_consumption=True):
        super().clear_meta(global_indexes, partition_ids, False)


class TagsAreMerged(_Partitions):
    def spoil(self, partition):
        def set_custom_meta(tags):
            for index, tag in tags.items():
                partition.custom_meta.setdefault(index, {}).update(tag)

        partition.set_custom_meta = set_custom_meta


class TagsSurviveClear(_Partitions):
    def spoil(self, partition):
        def make(usual):
            def clear_data(indexes, clear_consumption=True):
                kept = dict(partition.custom_meta)
                usual(indexes, clear_consumption)
                partition.custom_meta.update(kept)

            return clear_data

        replaced(partition, "clear_data", make)


class ResetForgetsTheTask(Ascending):
    def reset_consumption(self, partition_id, task_name=None):
        super().reset_consumption(partition_id)


class LastReadyFirst(Ascending):
    def scan_data_status(self, partition_id, data_fields, task_name):
        return super().scan_data_status(partition_id, data_fields, task_name)[::-1]


class FetchWantsOneField(Ascending):
    def scan_data_status(self, partition_id, data_fields, task_name):
        return super().scan_data_status(partition_id, data_fields[:1], task_name)


class ShapesInIndexOrder(_Partitions):
    def spoil(self, partition):
        replaced(
            partition, "get_field_schema", lambda usual: lambda names, indexes=None: usual(names, sorted(indexes or []))
        )


class ProductionInRequestOrder(_Partitions):
    def spoil(self, partition):
        def make(usual):
            def status(names, mask=False):
                index, columns = usual(names, mask)
                if columns is None or columns.shape[1] != len(names):
                    return index, columns
                mapping = partition.field_name_mapping
                order = [sorted(names, key=mapping.get).index(name) for name in names]
                return index, columns[:, order]

            return status

        replaced(partition, "get_production_status_for_fields", make)


class PreAllocatedAreHidden(Ascending):
    def get_partition_index_range(self, partition_id):
        return []

    def get_metadata(self, data_fields, partition_id, mode="fetch", **kwargs):
        if mode != "force_fetch":
            return super().get_metadata(data_fields, partition_id, mode, **kwargs)
        active = [
            i
            for i in self.index_manager.get_indexes_for_partition(partition_id)
            if i in self.partitions[partition_id].global_indexes
        ]
        return self.generate_batch_meta(partition_id, active, data_fields, mode)


class LookUpRegisters(Ascending):
    def kv_retrieve_meta(self, keys, partition_id, create=False):
        return super().kv_retrieve_meta(keys, partition_id, create or partition_id in self.partitions)


class MarkClearingForgotten(Ascending):
    def mark_clearing(self, global_indexes, partition_ids):
        pass


class ClearInAnyPartition(Ascending):
    def clear_meta(self, global_indexes, partition_ids, clear_consumption=True):
        homes = {i: p for p, partition in self.partitions.items() for i in partition.global_indexes}
        super().clear_meta(
            global_indexes, [homes.get(i, p) for i, p in zip(global_indexes, partition_ids)], clear_consumption
        )


class ConflictIsSuccess(Ascending):
    def update_production_status(self, partition_id, global_indexes, field_schema, custom_backend_meta=None):
        super().update_production_status(partition_id, global_indexes, field_schema, custom_backend_meta)
        return partition_id in self.partitions


class ConflictIsNotReady(_Partitions):
    def spoil(self, partition):
        def make(usual):
            def update(indexes, names, schema, backend_meta=None):
                before = partition.production_status.clone()
                done = usual(indexes, names, schema, backend_meta)
                if not done:
                    partition.production_status[: before.shape[0], : before.shape[1]] = before
                return done

            return update

        replaced(partition, "update_production_status", make)


class BackendMetaOfAllFields(_Partitions):
    def spoil(self, partition):
        replaced(
            partition,
            "get_field_custom_backend_meta",
            lambda usual: lambda indexes, names: usual(indexes, [*partition.field_name_mapping]),
        )


class PartitionsByName(Ascending):
    def list_partitions(self):
        return sorted(super().list_partitions())


class PollingIsAnError(Ascending):
    def get_metadata(self, *args, **kwargs):
        found = super().get_metadata(*args, **kwargs)
        if kwargs.get("mode") == "fetch" and found.size == 0:
            raise TimeoutError("nothing is ready")
        return found


class IndexLeaks(Ascending):
    """A cleared index is handed out to two samples at once."""

    def clear_partition(self, partition_id, clear_consumption=True):
        super().clear_partition(partition_id, clear_consumption)
        self.index_manager.reusable_indexes *= 2


class SchemaSurvivesItsRows(_Partitions):
    def spoil(self, partition):
        def make(usual):
            def clear_data(indexes, clear_consumption=True):
                kept = dict(partition.field_metadata)
                usual(indexes, clear_consumption)
                if partition.global_indexes:
                    partition.field_metadata.update(kept)

            return clear_data

        replaced(partition, "clear_data", make)


DEFECTS = [
    FetchConsumesNothing,
    TasksShareConsumption,
    ConsumptionSurvivesClear,
    TagsAreMerged,
    TagsSurviveClear,
    ResetForgetsTheTask,
    LastReadyFirst,
    FetchWantsOneField,
    ShapesInIndexOrder,
    ProductionInRequestOrder,
    PreAllocatedAreHidden,
    LookUpRegisters,
    MarkClearingForgotten,
    ClearInAnyPartition,
    ConflictIsSuccess,
    ConflictIsNotReady,
    BackendMetaOfAllFields,
    PartitionsByName,
    PollingIsAnError,
    IndexLeaks,
    SchemaSurvivesItsRows,
]
SUBJECTS = {"python": Controller, "python-ascending": Ascending, **{cls.__name__: cls for cls in DEFECTS}}
