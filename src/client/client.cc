// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/client.h"

#include <fmt/format.h>

#include <cstdlib>
#include <random>
#include <unordered_map>

#include "client/client_impl.h"
#include "manager/put_message.h"
#include "runtime/curve_files.h"

namespace tq {
namespace {

ClientOptions with_id(ClientOptions options) {
  if (options.client_id.empty()) {
    options.client_id = fmt::format("TQ_CLIENT_{:08x}", std::random_device{}());
  }
  return options;
}

zmtp::CurvePointer keys_of(const CurveOptions& curve) {
  return runtime::client_curve(
      {"--curve-key (CurveOptions::key_file)", curve.key_file},
      {"--curve-server-key (CurveOptions::server_key_file)", curve.server_key_file});
}

void require_units(const Nodes& nodes) {
  if (nodes.storage_units.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "a client needs at least one storage unit");
  }
}

void check_partition_ids(const BatchMeta& meta) {
  if (meta.partition_ids.size() == meta.size() || meta.partition_ids.size() == 1) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("the metadata has {} partition ids for {} samples; give one a sample, or "
                          "one for all",
                          meta.partition_ids.size(), meta.size()));
}

// One a sample, as messages have them; metadata may name a single one for all.
std::vector<std::string> partition_of_each(const BatchMeta& meta) {
  check_partition_ids(meta);
  if (meta.partition_ids.size() == meta.size()) return meta.partition_ids;
  return std::vector<std::string>(meta.size(), meta.partition_ids[0]);
}

const std::string& one_partition(const BatchMeta& meta) {
  check_partition_ids(meta);
  for (const std::string& partition_id : meta.partition_ids) {
    if (partition_id != meta.partition_ids[0]) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("one put stores samples of one partition; these are of '{}' and '{}'",
                              meta.partition_ids[0], partition_id));
    }
  }
  return meta.partition_ids[0];
}

// Each partition once, for it is a key of a map.
wire::PartitionTags tags_by_partition(const BatchMeta& meta) {
  const std::vector<std::string> partition_ids = partition_of_each(meta);
  std::unordered_map<std::string_view, size_t> places;
  wire::PartitionTags tags;
  for (size_t i = 0; i < meta.size(); ++i) {
    const auto [place, is_new] = places.emplace(partition_ids[i], tags.size());
    if (is_new) tags.emplace_back(partition_ids[i], std::vector<std::pair<int64_t, Value>>());
    const Value& tag = meta.custom_meta[i];
    tags[place->second].second.emplace_back(meta.global_indexes[i],
                                            tag.is_nil() ? Value(Map{}) : tag);
  }
  return tags;
}

Batch contiguous_columns(const Batch& batch) {
  Batch contiguous;
  for (const auto& [name, column] : batch.columns()) {
    if (column.kind() != Column::Kind::kRows || !column.has_one_dtype()) {
      contiguous.set(name, column);
    } else {
      contiguous.set(name,
                     column.is_uniform() ? column.to_dense() : Column::jagged(column.to_jagged()));
    }
  }
  return contiguous;
}

}  // namespace

CurveOptions CurveOptions::from_environment() {
  const auto file = [](const char* variable) -> std::filesystem::path {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
    const char* value = std::getenv(variable);
    return value != nullptr ? value : "";
  };
  return {file("TQ_CURVE_KEY"), file("TQ_CURVE_SERVER_KEY")};
}

TransferQueueClient::Impl::Impl(Nodes nodes_in, ClientOptions options_in)
    : nodes(std::move(nodes_in)),
      options(with_id(std::move(options_in))),
      // Units of 0.1.11 serve only identities that begin so.
      pool(fmt::format("TQ_STORAGE_{}_{:08x}", options.client_id, std::random_device{}()),
           keys_of(options.curve)),
      controller(nodes.controller, pool, options.client_id),
      storage(nodes.storage_units, pool, options.client_id) {}

// The rows are stored already: whatever goes wrong now must say so.
void TransferQueueClient::Impl::notify(const wire::NotifyDataUpdate& message,
                                       manager::Deadline until) {
  std::string reason;
  ErrorCode code = ErrorCode::kInvalidArgument;
  try {
    const auto ack =
        controller.ask<wire::NotifyDataUpdateAck>(message, until, controller.notify_socket());
    if (ack.success) return;
    reason = ack.message.value_or(
        "it does not say why; is the partition there, and have the fields the dtype of earlier "
        "rows?");
  } catch (const Error& error) {
    code = error.code();
    reason = error.what();
  }
  throw Error(code, fmt::format("the rows of partition '{}' are stored, but the controller did not "
                                "take the whole report of them: {}",
                                message.partition_id.value_or(""), reason));
}

TransferQueueClient::TransferQueueClient(Nodes nodes, ClientOptions options) {
  require_units(nodes);
  impl_ = std::make_unique<Impl>(std::move(nodes), std::move(options));
  impl_->controller.handshake(std::chrono::steady_clock::now() +
                              std::min(impl_->options.deadline, manager::kFirstContactMax));
}

TransferQueueClient::~TransferQueueClient() {
  if (impl_ != nullptr) impl_->stopping.notify();
}

const ClientOptions& TransferQueueClient::options() const noexcept { return impl_->options; }
const Nodes& TransferQueueClient::nodes() const noexcept { return impl_->nodes; }

BatchMeta TransferQueueClient::kv_retrieve_meta(const std::vector<std::string>& keys,
                                                const std::string& partition_id, bool create) {
  return impl_->controller
      .ask<wire::KvRetrieveMetaResponse>(wire::KvRetrieveMeta{keys, partition_id, create},
                                         impl_->deadline())
      .metadata;
}

std::vector<std::optional<std::string>> TransferQueueClient::kv_retrieve_keys(
    const std::vector<int64_t>& global_indexes, const std::string& partition_id) {
  wire::KvRetrieveKeys request;
  request.global_indexes.emplace(global_indexes.begin(), global_indexes.end());
  request.partition_id = partition_id;
  return impl_->controller.ask<wire::KvRetrieveKeysResponse>(request, impl_->deadline()).keys;
}

std::vector<std::pair<std::string, std::vector<std::pair<std::string, Value>>>>
TransferQueueClient::kv_list(const std::optional<std::string>& partition_id) {
  return impl_->controller.ask<wire::KvListResponse>(wire::KvList{partition_id}, impl_->deadline())
      .partition_info;
}

void TransferQueueClient::put(const Batch& data, const BatchMeta& meta) {
  if (data.empty() || meta.size() == 0) {
    throw Error(ErrorCode::kInvalidArgument, "a put needs at least one column and one sample");
  }
  if (data.size() != meta.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the columns have {} rows, but the metadata names {} samples",
                            data.size(), meta.size()));
  }
  const std::string& partition_id = one_partition(meta);
  const manager::Deadline deadline = impl_->deadline();
  impl_->storage.put(data, meta.global_indexes, deadline);
  wire::NotifyDataUpdate notify;
  notify.partition_id = partition_id;
  notify.global_indexes = meta.global_indexes;
  notify.field_schema = manager::field_schema(data, meta.global_indexes);
  impl_->notify(notify, deadline);
}

BatchMeta TransferQueueClient::put(const Batch& data, const std::string& partition_id) {
  std::vector<std::string> fields;
  for (const auto& [name, column] : data.columns()) fields.push_back(name);
  const size_t rows = data.empty() ? 0 : data.size();
  GetMetaOptions insert;
  insert.mode = GetMetaMode::kInsert;
  BatchMeta meta = rows == 0 ? BatchMeta{} : get_meta(fields, rows, partition_id, insert);
  put(data, meta);
  return meta.with_data_fields(data);
}

Batch TransferQueueClient::get_data(const BatchMeta& meta, const std::vector<std::string>& fields,
                                    GetForm form) {
  if (meta.size() == 0 || fields.empty()) return {};
  if (form == GetForm::kRows) {
    return impl_->storage.get(meta.global_indexes, fields, impl_->deadline());
  }
  const manager::Landing landing(meta, fields);
  return contiguous_columns(
      impl_->storage.get(meta.global_indexes, fields, impl_->deadline(), &landing));
}

void TransferQueueClient::set_custom_meta(const BatchMeta& meta) {
  if (meta.custom_meta.size() != meta.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("there are {} tags for {} samples; give one a sample",
                            meta.custom_meta.size(), meta.size()));
  }
  impl_->controller.ask<wire::SetCustomMetaResponse>(wire::SetCustomMeta{tags_by_partition(meta)},
                                                     impl_->deadline());
}

void TransferQueueClient::clear_samples(const BatchMeta& meta) {
  if (meta.size() == 0) return;
  const std::vector<std::string> partition_ids = partition_of_each(meta);
  const manager::Deadline deadline = impl_->deadline();
  // No consumer may find the samples any more before their rows go.
  if (impl_->controller.knows_mark_clearing(deadline)) {
    impl_->controller.ask<wire::MarkClearingResponse>(
        wire::MarkClearing{meta.global_indexes, partition_ids}, deadline);
  }
  impl_->storage.clear(meta.global_indexes, deadline);
  impl_->controller.ask<wire::ClearMetaResponse>(
      wire::ClearMeta{meta.global_indexes, partition_ids}, deadline);
}

void TransferQueueClient::clear_partition(const std::string& partition_id) {
  const manager::Deadline deadline = impl_->deadline();
  const auto found = impl_->controller.ask<wire::GetPartitionMetaResponse>(
      wire::GetPartitionMeta{partition_id}, deadline);
  if (!found.metadata) {
    throw Error(ErrorCode::kNotFound, fmt::format("there is no partition '{}'", partition_id));
  }
  if (found.metadata->size() > 0) impl_->storage.clear(found.metadata->global_indexes, deadline);
  impl_->controller.ask<wire::ClearPartitionResponse>(wire::ClearPartition{partition_id}, deadline);
}

std::vector<std::string> TransferQueueClient::get_partition_list() {
  return impl_->controller
      .ask<wire::ListPartitionsResponse>(wire::GetListPartitions{}, impl_->deadline())
      .partition_ids;
}

void TransferQueueClient::run_async(std::function<void()> work) {
  impl_->threads.run(std::move(work));
}

}  // namespace tq
