// SPDX-License-Identifier: Apache-2.0
#include "controller/controller.h"

#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "controller/error_reply.h"
#include "controller/handlers/handlers.h"
#include "controller/metrics.h"
#include "wire/unpack.h"

namespace tq::controller {
namespace {

using Handler = runtime::Outcome (*)(State&, runtime::Request&, runtime::TimePoint);

// These may wait and be handled again, so their bodies stay whole.
template <class Message>
constexpr bool kMayWait =
    std::is_same_v<Message, wire::GetMeta> || std::is_same_v<Message, wire::KvList>;

template <class Message>
Message unpack(wire::Value& body, const wire::Limits& limits) {
  if constexpr (kMayWait<Message>) {
    wire::Value copy = body;
    return wire::unpack_body<Message>(copy, limits);
  } else {
    return wire::unpack_body<Message>(body, limits);
  }
}

template <class Message>
runtime::Outcome unpack_and_handle(State& state, runtime::Request& request,
                                   runtime::TimePoint now) {
  wire::Envelope& envelope = request.envelope;
  return handle(state, Call{envelope, request.received_at, now},
                unpack<Message>(envelope.body, state.config.limits));
}

struct TableBuilder {
  std::unordered_map<std::string_view, Handler>& table;
  template <class Message>
  void operator()() const {
    table.emplace(Message::kType, &unpack_and_handle<Message>);
  }
};

const std::unordered_map<std::string_view, Handler>& handlers() {
  static const auto table = [] {
    std::unordered_map<std::string_view, Handler> built;
    wire::ControllerRequests::for_each(TableBuilder{built});
    return built;
  }();
  return table;
}

}  // namespace

Controller::Controller(ControllerConfig config, std::unique_ptr<Sampler> sampler,
                       SamplerRegistry registry)
    : state_(std::move(config), std::move(sampler), std::move(registry)) {}

runtime::Outcome Controller::handle(runtime::Request& request, runtime::TimePoint now) {
  const wire::Envelope& envelope = request.envelope;
  // Python's controllers know no such request; who sends it with our extension is one of us.
  if (envelope.request_type == wire::GetMetrics::kType && wire::extension_of(envelope.body)) {
    return tell_metrics(envelope);
  }
  const auto handler = handlers().find(envelope.request_type);
  if (handler == handlers().end()) return unknown_type_reply(state_.id, envelope);
  const std::optional<std::string> partition_id = partition_of(envelope.body);
  try {
    return handler->second(state_, request, now);
  } catch (const Error& error) {
    return error_reply(state_.id, envelope, partition_id, error);
  } catch (const std::exception& error) {
    return error_reply(state_.id, envelope, partition_id,
                       Error(ErrorCode::kInternal, error.what()));
  }
}

std::string_view Controller::operation_of(std::string_view request_type) const {
  if (request_type == wire::GetMetrics::kType) return wire::GetMetrics::kType;
  const auto handler = handlers().find(request_type);
  return handler != handlers().end() ? handler->first : kOtherOperation;
}

runtime::Reply Controller::tell_metrics(const wire::Envelope& request) const {
  wire::MetricsResponse metrics;
  metrics.storage_unit_id = state_.id;
  metrics.process_rss_bytes = runtime::process_rss_bytes();
  std::optional<wire::Extension> extension = wire::reply_extension(state_.id, request);
  extension->more.emplace_back("metrics", metrics_map(gauges(state_)));
  return {wire::pack_message({wire::MetricsResponse::kType, state_.id, request.sender_id},
                             [&](wire::Encoder& e) { wire::pack_body(e, metrics, extension); }),
          {}};
}

runtime::Reply Controller::undecodable(const Error& error) {
  return undecodable_reply(state_.id, error);
}

}  // namespace tq::controller
