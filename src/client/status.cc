// SPDX-License-Identifier: Apache-2.0
// What the low-level client asks of the controller: samples for a task, and how far tasks are.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "client/client_impl.h"

namespace tq {
namespace {

constexpr const char* name_of(GetMetaMode mode) {
  switch (mode) {
    case GetMetaMode::kInsert:
      return "insert";
    case GetMetaMode::kForceFetch:
      return "force_fetch";
    case GetMetaMode::kFetch:
      break;
  }
  return "fetch";
}

std::vector<int64_t> integers(const std::optional<Tensor>& tensor) {
  if (!tensor) return {};
  if (tensor->dtype != DType::int64) {
    throw Error(ErrorCode::kDecode, "the controller's global_index is no int64 tensor");
  }
  std::vector<int64_t> values(tensor->data.size / sizeof(int64_t));
  if (!values.empty()) std::memcpy(values.data(), tensor->data.data, tensor->data.size);
  return values;
}

// Of an int8 tensor of `rows` rows.
std::vector<int8_t> flags(const std::optional<Tensor>& tensor, size_t rows, const char* what) {
  if (!tensor) return {};
  if (tensor->dtype != DType::int8 || tensor->shape.empty() ||
      static_cast<size_t>(tensor->shape[0]) != rows) {
    throw Error(ErrorCode::kDecode,
                fmt::format("the controller's {} is no int8 tensor of {} rows", what, rows));
  }
  std::vector<int8_t> values(tensor->data.size);
  if (!values.empty()) std::memcpy(values.data(), tensor->data.data, tensor->data.size);
  return values;
}

bool all_ones(const std::vector<int8_t>& values) {
  return std::all_of(values.begin(), values.end(), [](int8_t value) { return value == 1; });
}

wire::GetMeta get_meta_request(const std::vector<std::string>& data_fields, size_t batch_size,
                               const std::string& partition_id, const GetMetaOptions& options) {
  wire::GetMeta request;
  request.data_fields = data_fields;
  request.batch_size = static_cast<int64_t>(batch_size);
  request.partition_id = partition_id;
  request.mode = name_of(options.mode);
  if (options.mode != GetMetaMode::kFetch) {
    if (options.wait) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("get_meta in mode {} never waits; leave out wait", request.mode));
    }
    return request;
  }
  if (options.task_name.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "get_meta in mode fetch needs a task_name");
  }
  request.task_name = options.task_name;
  if (!options.sampling_config.empty()) request.sampling_config = options.sampling_config;
  return request;
}

}  // namespace

BatchMeta TransferQueueClient::get_meta(const std::vector<std::string>& data_fields,
                                        size_t batch_size, const std::string& partition_id,
                                        const GetMetaOptions& options) {
  const wire::GetMeta request = get_meta_request(data_fields, batch_size, partition_id, options);
  client::Ask ask{impl_->deadline()};
  ask.once = options.mode != GetMetaMode::kForceFetch;
  if (options.mode == GetMetaMode::kFetch && !options.sampler.empty()) {
    impl_->controller.require_samplers(options.sampler);
    ask.extension = {{"sampler", options.sampler},
                     {"sampler_arguments", options.sampler_arguments}};
  }
  if (options.wait) return impl_->fetch_waiting(request, std::move(ask), *options.wait);
  return impl_->controller.ask<wire::GetMetaResponse>(request, ask).metadata;
}

ConsumptionStatus TransferQueueClient::get_consumption_status(const std::string& task_name,
                                                              const std::string& partition_id) {
  const auto reply = impl_->controller.ask<wire::ConsumptionResponse>(
      wire::GetConsumption{partition_id, task_name, std::nullopt}, impl_->deadline());
  ConsumptionStatus status{integers(reply.global_index), {}};
  status.consumed =
      flags(reply.consumption_status, status.global_indexes.size(), "consumption_status");
  return status;
}

bool TransferQueueClient::check_consumption_status(const std::string& task_name,
                                                   const std::string& partition_id) {
  const ConsumptionStatus status = get_consumption_status(task_name, partition_id);
  return !status.consumed.empty() && all_ones(status.consumed);
}

ProductionStatus TransferQueueClient::get_production_status(
    const std::vector<std::string>& data_fields, const std::string& partition_id) {
  const auto reply = impl_->controller.ask<wire::ProductionResponse>(
      wire::GetProduction{partition_id, data_fields}, impl_->deadline());
  ProductionStatus status{integers(reply.global_index), 0, {}};
  const size_t rows = status.global_indexes.size();
  status.produced = flags(reply.production_status, rows, "production_status");
  if (rows > 0) status.fields = status.produced.size() / rows;
  return status;
}

bool TransferQueueClient::check_production_status(const std::vector<std::string>& data_fields,
                                                  const std::string& partition_id) {
  const ProductionStatus status = get_production_status(data_fields, partition_id);
  return !status.produced.empty() && all_ones(status.produced);
}

void TransferQueueClient::reset_consumption(const std::string& partition_id,
                                            const std::optional<std::string>& task_name) {
  const auto reply = impl_->controller.ask<wire::ResetConsumptionResponse>(
      wire::ResetConsumption{partition_id, task_name}, impl_->deadline());
  if (!reply.success) throw Error(ErrorCode::kInvalidArgument, reply.message);
}

}  // namespace tq
