// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/batch_meta.h"
#include "wire/value.h"

/// The one list of messages. Each struct names its type string, who answers it, and its fields
/// once, in `fields()`; unpacking, packing, printing, the protocol page, fuzz seeds and tests walk
/// that list (wire/unpack.h, wire/pack.h). `required` fields must be in a request's body;
/// `optional` ones keep their default when they are absent. Unknown body keys are ignored, as in
/// Python.
namespace tq::wire {

using Indexes = std::vector<int64_t>;
using Names = std::vector<std::string>;

#define TQ_FIELDS(...)                          \
  template <class Self, class Visitor>          \
  static void fields(Self& self, Visitor&& v) { \
    (void)self, (void)v;                        \
    __VA_ARGS__                                 \
  }
#define TQ_REQUIRED(name) v.required(#name, self.name);
#define TQ_OPTIONAL(name) v.optional(#name, self.name);

// ---- requests
// ------------------------------------------------------------------------------------

struct Handshake {
  static constexpr std::string_view kType = "HANDSHAKE";
  std::optional<std::string> storage_manager_id;
  std::optional<std::string> storage_manager_type;
  TQ_FIELDS(TQ_OPTIONAL(storage_manager_id) TQ_OPTIONAL(storage_manager_type))
};

struct GetMeta {
  static constexpr std::string_view kType = "GET_META";
  std::optional<Names> data_fields;
  std::optional<int64_t> batch_size;
  std::string partition_id;
  std::string mode = "fetch";
  std::optional<std::string> task_name;
  Value sampling_config;  // nil or a map: the sampler's keyword arguments
  TQ_FIELDS(TQ_REQUIRED(data_fields) TQ_REQUIRED(batch_size) TQ_REQUIRED(partition_id)
                TQ_OPTIONAL(mode) TQ_OPTIONAL(task_name) TQ_OPTIONAL(sampling_config))
};

struct GetPartitionMeta {
  static constexpr std::string_view kType = "GET_PARTITION_META";
  std::string partition_id;
  TQ_FIELDS(TQ_REQUIRED(partition_id))
};

/// partition -> global index -> the row's whole tag dict.
using PartitionTags = std::vector<std::pair<std::string, std::vector<std::pair<int64_t, Value>>>>;

struct SetCustomMeta {
  static constexpr std::string_view kType = "SET_CUSTOM_META";
  PartitionTags partition_custom_meta;
  TQ_FIELDS(TQ_REQUIRED(partition_custom_meta))
};

struct MarkClearing {
  static constexpr std::string_view kType = "MARK_CLEARING";
  Indexes global_indexes;
  Names partition_ids;
  TQ_FIELDS(TQ_REQUIRED(global_indexes) TQ_REQUIRED(partition_ids))
};

struct ClearMeta {
  static constexpr std::string_view kType = "CLEAR_META";
  Indexes global_indexes;
  Names partition_ids;
  TQ_FIELDS(TQ_REQUIRED(global_indexes) TQ_REQUIRED(partition_ids))
};

struct ClearPartition {
  static constexpr std::string_view kType = "CLEAR_PARTITION";
  std::string partition_id;
  TQ_FIELDS(TQ_REQUIRED(partition_id))
};

struct GetConsumption {
  static constexpr std::string_view kType = "GET_CONSUMPTION";
  std::string partition_id;
  std::string task_name;
  std::optional<Indexes> sample_filter;  // positions in the reply; deprecated upstream
  TQ_FIELDS(TQ_REQUIRED(partition_id) TQ_REQUIRED(task_name) TQ_OPTIONAL(sample_filter))
};

struct ResetConsumption {
  static constexpr std::string_view kType = "RESET_CONSUMPTION";
  std::string partition_id;
  std::optional<std::string> task_name;  // nothing: all tasks
  TQ_FIELDS(TQ_REQUIRED(partition_id) TQ_OPTIONAL(task_name))
};

struct GetProduction {
  static constexpr std::string_view kType = "GET_PRODUCTION";
  std::string partition_id;
  std::optional<Names> data_fields;
  TQ_FIELDS(TQ_REQUIRED(partition_id) TQ_REQUIRED(data_fields))
};

struct GetListPartitions {
  static constexpr std::string_view kType = "GET_LIST_PARTITIONS";
  TQ_FIELDS()
};

/// One field of NOTIFY_DATA_UPDATE's columnar schema.
struct FieldUpdate {
  Value dtype;  // nil, a PyObject global `torch float32`, or opaque
  std::optional<Shape> shape;
  std::optional<bool> is_nested;
  std::optional<bool> is_non_tensor;
  /// global index -> shape; upstream's map has integer keys.
  std::optional<std::vector<std::pair<int64_t, Shape>>> per_sample_shapes;
};

struct NotifyDataUpdate {
  static constexpr std::string_view kType = "NOTIFY_DATA_UPDATE";
  std::optional<std::string> partition_id;
  Indexes global_indexes;
  std::vector<std::pair<std::string, FieldUpdate>> field_schema;
  /// nil, or global index -> field -> anything (other storage backends).
  Value custom_backend_meta;
  TQ_FIELDS(TQ_OPTIONAL(partition_id) TQ_OPTIONAL(global_indexes) TQ_OPTIONAL(field_schema)
                TQ_OPTIONAL(custom_backend_meta))
};

struct KvRetrieveMeta {
  static constexpr std::string_view kType = "KV_RETRIEVE_META";
  Names keys;
  std::string partition_id;
  bool create = false;
  TQ_FIELDS(TQ_REQUIRED(keys) TQ_REQUIRED(partition_id) TQ_REQUIRED(create))
};

/// Today's request has global_indexes; February 2026's had keys and create (see docs/protocol.md).
struct KvRetrieveKeys {
  static constexpr std::string_view kType = "KV_RETRIEVE_KEYS";
  std::optional<std::vector<std::optional<int64_t>>> global_indexes;
  std::string partition_id;
  std::optional<Names> keys;
  std::optional<bool> create;
  TQ_FIELDS(TQ_OPTIONAL(global_indexes) TQ_REQUIRED(partition_id) TQ_OPTIONAL(keys)
                TQ_OPTIONAL(create))
};

struct KvList {
  static constexpr std::string_view kType = "KV_LIST";
  std::optional<std::string> partition_id;  // nothing: all partitions
  TQ_FIELDS(TQ_REQUIRED(partition_id))
};

struct SaveControllerCheckpoint {
  static constexpr std::string_view kType = "SAVE_CONTROLLER_CHECKPOINT";
  std::string path;
  TQ_FIELDS(TQ_REQUIRED(path))
};

struct LoadControllerCheckpoint {
  static constexpr std::string_view kType = "LOAD_CONTROLLER_CHECKPOINT";
  std::string path;
  TQ_FIELDS(TQ_REQUIRED(path))
};

/// Ours: Python has no such request (docs/protocol.md, "Requests of our own").
struct GetPartitionSnapshot {
  static constexpr std::string_view kType = "GET_PARTITION_SNAPSHOT";
  std::string partition_id;
  TQ_FIELDS(TQ_REQUIRED(partition_id))
};

/// Ours: another sampler in place of the controller's own.
struct RegisterSampler {
  static constexpr std::string_view kType = "REGISTER_SAMPLER";
  std::string sampler;
  Value arguments;  // nil or a map
  TQ_FIELDS(TQ_REQUIRED(sampler) TQ_OPTIONAL(arguments))
};

struct PutData {
  static constexpr std::string_view kType = "PUT";
  Indexes global_indexes;
  Value data;         // field -> column; see protocol.md for the kinds of column
  Value data_parser;  // nil, or a callable that this runtime refuses
  TQ_FIELDS(TQ_REQUIRED(global_indexes) TQ_REQUIRED(data) TQ_OPTIONAL(data_parser))
};

struct GetData {
  static constexpr std::string_view kType = "GET";
  Names fields_;
  Indexes global_indexes;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& v) {
    v.required("fields", self.fields_);
    v.required("global_indexes", self.global_indexes);
  }
};

struct ClearData {
  static constexpr std::string_view kType = "CLEAR_DATA";
  Indexes global_indexes;
  TQ_FIELDS(TQ_REQUIRED(global_indexes))
};

struct GetMetrics {
  static constexpr std::string_view kType = "GET_METRICS";
  TQ_FIELDS()
};

struct SaveStorageCheckpoint {
  static constexpr std::string_view kType = "SAVE_STORAGE_CHECKPOINT";
  std::string path;
  TQ_FIELDS(TQ_REQUIRED(path))
};

struct LoadStorageCheckpoint {
  static constexpr std::string_view kType = "LOAD_STORAGE_CHECKPOINT";
  std::string path;
  TQ_FIELDS(TQ_REQUIRED(path))
};

// ---- replies
// -------------------------------------------------------------------------------------

struct HandshakeAck {
  static constexpr std::string_view kType = "HANDSHAKE_ACK";
  TQ_FIELDS()
};

struct RequestError {
  static constexpr std::string_view kType = "REQUEST_ERROR";
  bool success = false;
  std::string message;
  TQ_FIELDS(TQ_REQUIRED(success) TQ_REQUIRED(message))
};

/// A reply that is only `{"message": text}`; the type string is the template argument's.
#define TQ_MESSAGE_REPLY(Name, type_string)                \
  struct Name {                                            \
    static constexpr std::string_view kType = type_string; \
    std::string message;                                   \
    TQ_FIELDS(TQ_REQUIRED(message))                        \
  };

TQ_MESSAGE_REPLY(SetCustomMetaResponse, "SET_CUSTOM_META_RESPONSE")
TQ_MESSAGE_REPLY(MarkClearingResponse, "MARK_CLEARING_RESPONSE")
TQ_MESSAGE_REPLY(ClearMetaResponse, "CLEAR_META_RESPONSE")
TQ_MESSAGE_REPLY(ClearPartitionResponse, "CLEAR_PARTITION_RESPONSE")
TQ_MESSAGE_REPLY(ClearDataResponse, "CLEAR_DATA_RESPONSE")
TQ_MESSAGE_REPLY(RegisterSamplerResponse, "REGISTER_SAMPLER_RESPONSE")
TQ_MESSAGE_REPLY(PutError, "PUT_ERROR")
TQ_MESSAGE_REPLY(GetError, "GET_ERROR")
TQ_MESSAGE_REPLY(ClearDataError, "CLEAR_DATA_ERROR")
TQ_MESSAGE_REPLY(PutGetOperationError, "PUT_GET_OPERATION_ERROR")
TQ_MESSAGE_REPLY(PutGetError, "PUT_GET_ERROR")
TQ_MESSAGE_REPLY(NotifyDataUpdateError, "NOTIFY_DATA_UPDATE_ERROR")
#undef TQ_MESSAGE_REPLY

struct GetMetaResponse {
  static constexpr std::string_view kType = "GET_META_RESPONSE";
  BatchMeta metadata;
  TQ_FIELDS(TQ_REQUIRED(metadata))
};

struct GetPartitionMetaResponse {
  static constexpr std::string_view kType = "GET_PARTITION_META_RESPONSE";
  std::optional<BatchMeta> metadata;  // nothing: no such partition
  TQ_FIELDS(TQ_REQUIRED(metadata))
};

struct KvRetrieveMetaResponse {
  static constexpr std::string_view kType = "KV_RETRIEVE_META_RESPONSE";
  BatchMeta metadata;
  TQ_FIELDS(TQ_REQUIRED(metadata))
};

struct KvRetrieveKeysResponse {
  static constexpr std::string_view kType = "KV_RETRIEVE_KEYS_RESPONSE";
  std::vector<std::optional<std::string>> keys;
  TQ_FIELDS(TQ_REQUIRED(keys))
};

/// The answer to February 2026's KV_RETRIEVE_KEYS: the same type string, today's metadata in it.
struct OldKvRetrieveKeysResponse {
  static constexpr std::string_view kType = "KV_RETRIEVE_KEYS_RESPONSE";
  BatchMeta metadata;
  TQ_FIELDS(TQ_REQUIRED(metadata))
};

/// key -> tag dict, and partition -> that.
using KeyTags = std::vector<std::pair<std::string, Value>>;
using PartitionKeys = std::vector<std::pair<std::string, KeyTags>>;

struct KvListResponse {
  static constexpr std::string_view kType = "KV_LIST_RESPONSE";
  PartitionKeys partition_info;
  std::string message = "success";
  TQ_FIELDS(TQ_REQUIRED(partition_info) TQ_REQUIRED(message))
};

struct ConsumptionResponse {
  static constexpr std::string_view kType = "CONSUMPTION_RESPONSE";
  std::string partition_id;
  std::optional<Tensor> global_index;        // int64 [N], ascending
  std::optional<Tensor> consumption_status;  // int8 [N], 1 for consumed
  TQ_FIELDS(TQ_REQUIRED(partition_id) TQ_REQUIRED(global_index) TQ_REQUIRED(consumption_status))
};

struct ResetConsumptionResponse {
  static constexpr std::string_view kType = "RESET_CONSUMPTION_RESPONSE";
  std::string partition_id;
  bool success = true;
  std::string message;
  TQ_FIELDS(TQ_REQUIRED(partition_id) TQ_REQUIRED(success) TQ_REQUIRED(message))
};

struct ProductionResponse {
  static constexpr std::string_view kType = "PRODUCTION_RESPONSE";
  std::string partition_id;
  std::optional<Tensor> global_index;       // int64 [N], ascending
  std::optional<Tensor> production_status;  // int8 [N, fields], in order of registration
  TQ_FIELDS(TQ_REQUIRED(partition_id) TQ_REQUIRED(global_index) TQ_REQUIRED(production_status))
};

struct ListPartitionsResponse {
  static constexpr std::string_view kType = "LIST_PARTITIONS_RESPONSE";
  Names partition_ids;
  TQ_FIELDS(TQ_REQUIRED(partition_ids))
};

/// Everything that a controller knows of a partition, as Python's DataPartitionStatus holds it.
struct GetPartitionSnapshotResponse {
  static constexpr std::string_view kType = "GET_PARTITION_SNAPSHOT_RESPONSE";
  /// All active samples with all fields, in order of registration; nothing: no such partition. The
  /// rest is empty then.
  std::optional<BatchMeta> metadata;
  Tensor pre_allocated;                                  // int64 [N], ascending
  std::vector<std::pair<std::string, Tensor>> produced;  // field -> int64 [N], ascending
  std::vector<std::pair<std::string, Tensor>> consumed;  // task -> int64 [N], ascending
  std::vector<std::pair<std::string, int64_t>> keys;     // key -> global index
  TQ_FIELDS(TQ_REQUIRED(metadata) TQ_REQUIRED(pre_allocated) TQ_REQUIRED(produced)
                TQ_REQUIRED(consumed) TQ_REQUIRED(keys))
};

struct NotifyDataUpdateAck {
  static constexpr std::string_view kType = "NOTIFY_DATA_UPDATE_ACK";
  std::string controller_id;
  std::optional<std::string> partition_id;
  bool success = true;
  std::optional<std::string> message;  // ours: why not; absent on success
  TQ_FIELDS(TQ_REQUIRED(controller_id) TQ_REQUIRED(partition_id) TQ_REQUIRED(success)
                TQ_OPTIONAL(message))
};

struct PutDataResponse {
  static constexpr std::string_view kType = "PUT_DATA_RESPONSE";
  TQ_FIELDS()
};

/// Its `data` maps a field to a list of rows or to one dense tensor of all rows;
/// storage/get_reply.cc writes it straight into the encoder, so no row is copied into a tree first.
struct GetDataResponse {
  static constexpr std::string_view kType = "GET_DATA_RESPONSE";
  Value data;
  TQ_FIELDS(TQ_REQUIRED(data))
};

struct MetricsResponse {
  static constexpr std::string_view kType = "METRICS_RESPONSE";
  std::string storage_unit_id;
  std::optional<int64_t> capacity;  // samples; nothing: no bound
  int64_t active_keys = 0;
  int64_t process_rss_bytes = 0;
  int64_t ssd_offload_enabled = 0;
  int64_t ssd_active_values = 0;
  int64_t ssd_active_bytes = 0;
  int64_t ssd_fallback_values_total = 0;
  int64_t requests_arrived = 0;
  Value arrivals_by_op;  // upstream's enum name -> count
  /// Upstream's enum name -> {request_count, latency_avg, latency_p50, latency_p99}, in seconds.
  std::optional<Value> op_stats;
  // What may be left out is not there in releases before 0.1.11, or where metrics are off.
  TQ_FIELDS(TQ_REQUIRED(storage_unit_id) TQ_REQUIRED(capacity) TQ_REQUIRED(active_keys)
                TQ_REQUIRED(process_rss_bytes) TQ_OPTIONAL(ssd_offload_enabled)
                    TQ_OPTIONAL(ssd_active_values) TQ_OPTIONAL(ssd_active_bytes)
                        TQ_OPTIONAL(ssd_fallback_values_total) TQ_OPTIONAL(requests_arrived)
                            TQ_OPTIONAL(arrivals_by_op) TQ_OPTIONAL(op_stats))
};

/// The reply to a checkpoint request; fails in the body.
#define TQ_CHECKPOINT_REPLY(Name, type_string)             \
  struct Name {                                            \
    static constexpr std::string_view kType = type_string; \
    bool success = true;                                   \
    std::optional<std::string> message;                    \
    TQ_FIELDS(TQ_REQUIRED(success) TQ_OPTIONAL(message))   \
  };
TQ_CHECKPOINT_REPLY(SaveControllerCheckpointResponse, "SAVE_CONTROLLER_CHECKPOINT_RESPONSE")
TQ_CHECKPOINT_REPLY(LoadControllerCheckpointResponse, "LOAD_CONTROLLER_CHECKPOINT_RESPONSE")
TQ_CHECKPOINT_REPLY(SaveStorageCheckpointResponse, "SAVE_STORAGE_CHECKPOINT_RESPONSE")
TQ_CHECKPOINT_REPLY(LoadStorageCheckpointResponse, "LOAD_STORAGE_CHECKPOINT_RESPONSE")
#undef TQ_CHECKPOINT_REPLY

// ---- the list
// ------------------------------------------------------------------------------------

template <class... Messages>
struct MessageList {
  /// Calls f.template operator()<Message>() for each message.
  template <class F>
  static void for_each(F&& f) {
    (f.template operator()<Messages>(), ...);
  }
  static constexpr size_t kSize = sizeof...(Messages);
};

using ControllerRequests =
    MessageList<Handshake, GetMeta, GetPartitionMeta, SetCustomMeta, MarkClearing, ClearMeta,
                ClearPartition, GetConsumption, ResetConsumption, GetProduction, GetListPartitions,
                NotifyDataUpdate, KvRetrieveMeta, KvRetrieveKeys, KvList, SaveControllerCheckpoint,
                LoadControllerCheckpoint, GetPartitionSnapshot, RegisterSampler>;

using StorageRequests = MessageList<PutData, GetData, ClearData, GetMetrics, SaveStorageCheckpoint,
                                    LoadStorageCheckpoint>;

using Replies =
    MessageList<HandshakeAck, RequestError, SetCustomMetaResponse, MarkClearingResponse,
                ClearMetaResponse, ClearPartitionResponse, ClearDataResponse, PutError, GetError,
                ClearDataError, PutGetOperationError, PutGetError, NotifyDataUpdateError,
                GetMetaResponse, GetPartitionMetaResponse, KvRetrieveMetaResponse,
                KvRetrieveKeysResponse, KvListResponse, ConsumptionResponse,
                ResetConsumptionResponse, ProductionResponse, ListPartitionsResponse,
                NotifyDataUpdateAck, PutDataResponse, GetDataResponse, MetricsResponse,
                SaveControllerCheckpointResponse, LoadControllerCheckpointResponse,
                SaveStorageCheckpointResponse, LoadStorageCheckpointResponse,
                GetPartitionSnapshotResponse, RegisterSamplerResponse>;

}  // namespace tq::wire
