// SPDX-License-Identifier: Apache-2.0
#include "storage/storage_unit.h"

#include <fmt/format.h>

#include <exception>
#include <random>
#include <type_traits>

#include "storage/get_reply.h"
#include "storage/process_memory.h"
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
  return make_reply(
      id_, envelope,
      wire::PutGetOperationError{
          fmt::format("storage unit {} does not serve '{}' requests", id_, envelope.request_type)});
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
  const char* marker = error.code() == ErrorCode::kNotFound ? kKeyNotFound : "";
  const std::string message =
      fmt::format("{}storage unit {} cannot {}: {}", marker, id_, How::kVerb, error.what());
  if constexpr (std::is_same_v<Message, wire::GetData>) {
    // Upstream's handler of GET, and no other, fails itself on a body without its keys.
    const bool is_dict = request.body.get_if<wire::Map>() != nullptr;
    if (!is_dict || error.code() == ErrorCode::kMissingKey) {
      return make_reply(id_, request, wire::PutGetError{message});
    }
  }
  return make_reply(id_, request, typename How::Type{message});
}

Reply StorageUnit::serve(const Envelope& request, wire::PutData put) {
  if (!put.data_parser.is_nil()) {
    throw Error(ErrorCode::kUnsupported,
                "body.data_parser is a function of Python, and this unit runs no code that it is "
                "sent; apply the function to the data before the put");
  }
  store_.put(put.global_indexes, std::move(put.data));
  return make_reply(id_, request, wire::PutDataResponse{});
}

Reply StorageUnit::serve(const Envelope& request, wire::GetData get) {
  return {get_reply(store_, id_, request, get, config_.limits), {}};
}

Reply StorageUnit::serve(const Envelope& request, wire::ClearData clear) {
  store_.clear(clear.global_indexes);
  return make_reply(id_, request,
                    wire::ClearDataResponse{fmt::format("storage unit {} cleared the data", id_)});
}

Reply StorageUnit::serve(const Envelope& request, wire::GetMetrics) {
  wire::MetricsResponse metrics;
  metrics.storage_unit_id = id_;
  metrics.capacity = config_.capacity_samples;
  metrics.active_keys = static_cast<int64_t>(store_.active_keys());
  metrics.process_rss_bytes = process_rss_bytes();
  metrics.requests_arrived = requests_arrived_;
  wire::Map arrivals;
  for (const auto& [name, count] : arrivals_) arrivals.emplace_back(name, count);
  metrics.arrivals_by_op = std::move(arrivals);
  return make_reply(id_, request, metrics);
}

}  // namespace tq::storage
