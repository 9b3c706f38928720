// SPDX-License-Identifier: Apache-2.0
#include "storage/storage_unit.h"

#include <fmt/format.h>

#include <exception>
#include <random>
#include <type_traits>

#include "storage/get_reply.h"
#include "wire/unpack.h"

namespace tq::storage {
namespace {

using runtime::make_reply;
using runtime::Reply;
using wire::Envelope;

// A client raises StorageKeyNotFoundError instead of RuntimeError when an error has this.
constexpr const char* kKeyNotFound = "[TQKeyNotFound] ";

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

Reply with_samples(Reply reply, size_t samples) {
  reply.samples = samples;
  return reply;
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

// The reply to a request that fails, and what its message calls the request.
template <class Message>
struct Failure {
  using Type = wire::PutGetError;
  static constexpr const char* kVerb = "serve the request";
};
template <>
struct Failure<wire::PutData> {
  using Type = wire::PutError;
  static constexpr const char* kVerb = "put the data";
};
template <>
struct Failure<wire::GetData> {
  using Type = wire::GetError;
  static constexpr const char* kVerb = "get the data";
};
template <>
struct Failure<wire::ClearData> {
  using Type = wire::ClearDataError;
  static constexpr const char* kVerb = "clear the data";
};

}  // namespace

StorageUnit::StorageUnit(StorageConfig config)
    : id_(draw_id()),
      config_(config),
      store_({config.capacity_samples, config.capacity_bytes}, config.limits) {}

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
  try {
    return serve(request, wire::unpack_body<Message>(request.body, config_.limits));
  } catch (const Error& error) {
    return refuse<Message>(request, error);
  } catch (const std::bad_alloc&) {
    return refuse<Message>(request, Error(ErrorCode::kCapacity, "the machine is out of memory"));
  } catch (const std::exception& error) {
    return refuse<Message>(request, Error(ErrorCode::kInternal, error.what()));
  }
}

template <class Message>
Reply StorageUnit::refuse(const Envelope& request, const Error& error) const {
  using How = Failure<Message>;
  const auto refusal = [&](const auto& body) {
    Reply reply = make_reply(id_, request, body);
    reply.refusal = error.code();
    return reply;
  };
  const char* marker = error.code() == ErrorCode::kNotFound ? kKeyNotFound : "";
  const std::string message =
      fmt::format("{}storage unit {} cannot {}: {}", marker, id_, How::kVerb, error.what());
  if constexpr (std::is_same_v<Message, wire::GetData>) {
    // Upstream's handler of GET, and no other, fails itself on a body without its keys.
    const bool is_dict = request.body.get_if<wire::Map>() != nullptr;
    if (!is_dict || error.code() == ErrorCode::kMissingKey) {
      return refusal(wire::PutGetError{message});
    }
  }
  return refusal(typename How::Type{message});
}

Reply StorageUnit::serve(const Envelope& request, wire::PutData put) {
  if (!put.data_parser.is_nil()) {
    throw Error(ErrorCode::kUnsupported,
                "body.data_parser is a function of Python, and this unit runs no code that it is "
                "sent; apply the function to the data before the put");
  }
  store_.put(put.global_indexes, std::move(put.data));
  return with_samples(make_reply(id_, request, wire::PutDataResponse{}), put.global_indexes.size());
}

Reply StorageUnit::serve(const Envelope& request, wire::GetData get) {
  return with_samples({get_reply(store_, id_, request, get, config_.limits), {}},
                      get.global_indexes.size());
}

Reply StorageUnit::serve(const Envelope& request, wire::ClearData clear) {
  store_.clear(clear.global_indexes);
  return with_samples(
      make_reply(id_, request,
                 wire::ClearDataResponse{fmt::format("storage unit {} cleared the data", id_)}),
      clear.global_indexes.size());
}

Reply StorageUnit::serve(const Envelope& request, wire::GetMetrics) {
  wire::MetricsResponse metrics;
  metrics.storage_unit_id = id_;
  metrics.capacity = config_.capacity_samples;
  metrics.active_keys = static_cast<int64_t>(store_.active_keys());
  metrics.process_rss_bytes = runtime::process_rss_bytes();
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
