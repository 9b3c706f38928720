// SPDX-License-Identifier: Apache-2.0
#include "storage/storage_unit.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "storage/get_reply.h"
#include "storage/unit_replies.h"
#include "wire/unpack.h"

namespace tq::storage {
namespace {

using runtime::make_reply;
using runtime::Reply;
using wire::Envelope;

std::string draw_id() { return fmt::format("TQ_STORAGE_UNIT_{:08x}", std::random_device{}()); }

template <class... Messages>
bool lists(wire::MessageList<Messages...>, std::string_view type) {
  return ((Messages::kType == type) || ...);
}

bool is_known_type(std::string_view type) {
  return lists(wire::StorageRequests{}, type) || lists(wire::ControllerRequests{}, type) ||
         lists(wire::Replies{}, type);
}

// The name of a message type in upstream's enum, which metrics use; it differs for two.
std::string_view metric_name(std::string_view type) {
  if (type == wire::PutData::kType) return "PUT_DATA";
  if (type == wire::GetData::kType) return "GET_DATA";
  return type;
}

// Fields that metrics tell of; each is a line of what Prometheus stores for ever.
constexpr size_t kFieldsShownMax = 200;

// Upstream's numbers for its three operations, as its exporter for Prometheus computes them.
wire::Map op_stats(const runtime::RequestCounters& counters) {
  wire::Map stats;
  for (const std::string_view name : {"PUT_DATA", "GET_DATA", "CLEAR_DATA"}) {
    runtime::OperationCounters op;
    for (const auto& [known, of_known] : counters.operations()) {
      if (known == name) op = of_known;
    }
    const double average = op.requests > 0 ? op.seconds / static_cast<double>(op.requests) : 0;
    stats.emplace_back(name, wire::Map{{"request_count", static_cast<double>(op.requests)},
                                       {"latency_avg", average},
                                       {"latency_p50", op.quantile(0.5)},
                                       {"latency_p99", op.quantile(0.99)}});
  }
  return stats;
}

SsdPointer make_offload(const StorageConfig& config, const std::string& id) {
  if (config.ssd.path.empty()) return nullptr;
  return std::make_shared<const SsdOffload>(
      SsdOffload{std::make_shared<ssd::Folder>(config.ssd.path, id), config.ssd.threshold_bytes,
                 config.limits});
}

}  // namespace

StorageUnit::StorageUnit(StorageConfig config)
    : id_(draw_id()),
      config_(std::move(config)),
      ssd_(make_offload(config_, id_)),
      store_({config_.capacity_samples, config_.capacity_bytes}, config_.limits) {}

runtime::Outcome StorageUnit::handle(runtime::Request& request, runtime::TimePoint now) {
  Envelope& envelope = request.envelope;
  count_arrival(envelope.request_type);
  now_ = now;
  if (prepared_ && prepared_->until < now) prepared_.reset();  // its client is gone
  std::optional<runtime::Outcome> outcome;
  wire::StorageRequests::for_each([&]<class Message>() {
    if (!outcome && envelope.request_type == Message::kType) outcome = answer<Message>(envelope);
  });
  if (outcome) return std::move(*outcome);
  runtime::Reply reply =
      make_reply(id_, envelope,
                 wire::PutGetOperationError{fmt::format(
                     "storage unit {} does not serve '{}' requests", id_, envelope.request_type)});
  reply.refusal = ErrorCode::kUnsupported;
  return reply;
}

std::string_view StorageUnit::operation_of(std::string_view request_type) const {
  std::string_view name = kOtherOperation;
  wire::StorageRequests::for_each([&]<class Message>() {
    if (request_type == Message::kType) name = metric_name(Message::kType);
  });
  return name;
}

Reply StorageUnit::undecodable(const Error& error) {
  const wire::PutGetError reply{
      fmt::format("storage unit {} cannot decode the request: {}", id_, error.what())};
  return {wire::pack_message({wire::PutGetError::kType, id_, std::nullopt},
                             [&](wire::Encoder& e) { wire::pack_body(e, reply); }),
          {}};
}

void StorageUnit::count_arrival(const std::string& request_type) {
  ++requests_arrived_;
  if (!is_known_type(request_type)) return;  // a peer must not grow the table
  const std::string_view name = metric_name(request_type);
  for (auto& [known, count] : arrivals_) {
    if (known == name) {
      ++count;
      return;
    }
  }
  arrivals_.emplace_back(name, 1);
}

template <class Message>
runtime::Outcome StorageUnit::answer(Envelope& request) {
  return guarded<Message>(request, [&]() -> runtime::Outcome {
    return serve(request, wire::unpack_body<Message>(request.body, config_.limits));
  });
}

runtime::Outcome StorageUnit::serve(const Envelope& request, wire::PutData put) {
  if (!put.data_parser.is_nil()) {
    throw Error(ErrorCode::kUnsupported,
                "body.data_parser is a function of Python, and this unit runs no code that it is "
                "sent; apply the function to the data before the put");
  }
  Incoming incoming = store_.cut(std::move(put.global_indexes), std::move(put.data));
  if (ssd_ != nullptr) {
    SsdPlan plan = plan_offload(incoming, *ssd_);
    if (plan.values > 0 || is_being_written(incoming.indexes)) {
      return put_later(request, std::move(incoming), std::move(plan));
    }
  }
  return put_reply(request, std::move(incoming));
}

Reply StorageUnit::put_reply(const Envelope& request, Incoming incoming) {
  const size_t samples = incoming.indexes.size();
  store_.enter(std::move(incoming));
  return with_samples(make_reply(id_, request, wire::PutDataResponse{}), samples);
}

runtime::Outcome StorageUnit::serve(const Envelope& request, wire::GetData get) {
  const auto reply_of = [&](const RowSource& rows_of) {
    return with_samples(
        {get_reply(rows_of, store_.bytes_stored(), id_, request, get.fields_, config_.limits), {}},
        get.global_indexes.size());
  };
  if (ssd_ == nullptr) {
    const Store::Selection selection = store_.select(get.global_indexes);
    return reply_of([&](const std::string& field) { return store_.rows(field, selection); });
  }
  auto rows = std::make_shared<SsdGet>(store_, get, config_.limits);
  if (rows->needs_load()) return get_later(request, std::move(rows), std::move(get));
  return reply_of([&](const std::string& field) { return rows->rows(field); });
}

runtime::Outcome StorageUnit::serve(const Envelope& request, wire::ClearData clear) {
  if (is_being_written(clear.global_indexes)) {
    return clear_later(request, std::move(clear.global_indexes));
  }
  return clear_reply(request, clear.global_indexes);
}

Reply StorageUnit::clear_reply(const Envelope& request, const wire::Indexes& indexes) {
  store_.clear(indexes);
  return with_samples(
      make_reply(id_, request,
                 wire::ClearDataResponse{fmt::format("storage unit {} cleared the data", id_)}),
      indexes.size());
}

Reply StorageUnit::serve(const Envelope& request, wire::GetMetrics) {
  wire::MetricsResponse metrics;
  metrics.storage_unit_id = id_;
  metrics.capacity = config_.capacity_samples;
  metrics.active_keys = static_cast<int64_t>(store_.active_keys());
  metrics.process_rss_bytes = runtime::process_rss_bytes();
  if (ssd_ != nullptr) {
    const Store::OnSsd on_ssd = store_.on_ssd();
    metrics.ssd_offload_enabled = 1;
    metrics.ssd_active_values = static_cast<int64_t>(on_ssd.values);
    metrics.ssd_active_bytes = static_cast<int64_t>(on_ssd.bytes);
    metrics.ssd_fallback_values_total = ssd_->folder->fallback_values();
  }
  metrics.requests_arrived = requests_arrived_;
  wire::Map arrivals;
  for (const auto& [name, count] : arrivals_) arrivals.emplace_back(name, count);
  metrics.arrivals_by_op = std::move(arrivals);
  metrics.op_stats = op_stats(counters());
  std::optional<wire::Extension> extension = wire::reply_extension(id_, request);
  if (extension) extension->more.emplace_back("metrics", metrics_map(gauges()));
  return {wire::pack_message({wire::MetricsResponse::kType, id_, request.sender_id},
                             [&](wire::Encoder& e) { wire::pack_body(e, metrics, extension); }),
          {}};
}

std::vector<runtime::Gauge> StorageUnit::gauges() const {
  std::vector<runtime::Gauge> gauges = {
      {"tq_storage_stored_bytes", {}, static_cast<double>(store_.bytes_stored())},
      {"tq_storage_held_bytes", {}, static_cast<double>(store_.bytes_held())}};
  if (config_.capacity_bytes) {
    gauges.push_back(
        {"tq_storage_capacity_bytes", {}, static_cast<double>(*config_.capacity_bytes)});
  }
  size_t left = kFieldsShownMax;
  store_.for_each_field([&](const Field& field) {
    if (left == 0) return;
    --left;
    const auto labels = [&] {
      return std::vector<std::pair<std::string_view, std::string>>{{"field_name", field.name()}};
    };
    gauges.push_back({"tq_storage_field_rows", labels(), static_cast<double>(field.row_count())});
    gauges.push_back(
        {"tq_storage_field_held_bytes", labels(), static_cast<double>(field.held_bytes())});
  });
  return gauges;
}

}  // namespace tq::storage
