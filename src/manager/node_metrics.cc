// SPDX-License-Identifier: Apache-2.0
#include "manager/node_metrics.h"

#include <fmt/format.h>

#include <string_view>

#include "wire/unpack.h"

namespace tq::manager {
namespace {

// Of what one node tells; its own bound is lower.
constexpr size_t kGaugesMax = 100'000;

double number(const Value* value) {
  if (value == nullptr) return 0;
  if (const auto* v = value->get_if<double>()) return *v;
  if (const auto* v = value->get_if<int64_t>()) return static_cast<double>(*v);
  return 0;
}

int64_t count(const Value* value) {
  const auto* v = value != nullptr ? value->get_if<int64_t>() : nullptr;
  return v != nullptr && *v > 0 ? *v : 0;
}

std::string text(const Value* value) {
  const auto* v = value != nullptr ? value->get_if<std::string>() : nullptr;
  return v != nullptr ? *v : std::string();
}

template <class Container>
const Container& of(const Value* value) {
  static const Container kNone;
  const auto* v = value != nullptr ? value->get_if<Container>() : nullptr;
  return v != nullptr ? *v : kNone;
}

runtime::OperationCounters operation_of(const Value& value) {
  runtime::OperationCounters op;
  const auto counted = [&](const char* name) {
    return static_cast<uint64_t>(count(value.find(name)));
  };
  op.requests = counted("requests");
  op.errors = counted("errors");
  op.samples = counted("samples");
  op.slow = counted("slow");
  op.received_bytes = counted("received_bytes");
  op.sent_bytes = counted("sent_bytes");
  op.seconds = number(value.find("seconds"));
  const Array& durations = of<Array>(value.find("durations"));
  for (size_t i = 0; i < durations.size() && i < op.durations.size(); ++i) {
    op.durations[i] = static_cast<uint64_t>(count(&durations[i]));
  }
  return op;
}

void read_gauges(const Array& gauges, NodeMetrics& metrics) {
  for (const Value& entry : gauges) {
    const Array& parts = of<Array>(&entry);
    if (parts.size() != 3 || metrics.gauges.size() >= kGaugesMax) continue;
    NodeGauge gauge{text(&parts[0]), {}, number(&parts[2])};
    for (const auto& [name, value] : of<Map>(&parts[1])) {
      gauge.labels.emplace_back(text(&name), text(&value));
    }
    metrics.gauges.push_back(std::move(gauge));
  }
}

void read_ours(const Value& ours, NodeMetrics& metrics) {
  metrics.is_ours = true;
  metrics.version = text(ours.find("version"));
  metrics.uptime_s = number(ours.find("uptime_s"));
  if (const Value* loop = ours.find("loop")) {
    metrics.waiting_requests = count(loop->find("waiting_requests"));
    metrics.connections = count(loop->find("connections"));
    metrics.unsent_bytes = count(loop->find("unsent_bytes"));
  }
  for (const auto& [name, value] : of<Map>(ours.find("operations"))) {
    metrics.operations.emplace_back(text(&name), operation_of(value));
  }
  for (const auto& [reason, value] : of<Map>(ours.find("refusals"))) {
    metrics.refusals.emplace_back(text(&reason), count(&value));
  }
  read_gauges(of<Array>(ours.find("gauges")), metrics);
}

Result<NodeMetrics> read_answer(Answer& answer, const ServerInfo& node, const char* socket) {
  if (!answer) return answer.error();
  if (answer->request_type != wire::MetricsResponse::kType) {
    const std::string* message = message_of(*answer);
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{} tells no metrics: {}", describe(node, socket),
                             message != nullptr ? *message : answer->request_type));
  }
  try {
    NodeMetrics metrics;
    metrics.sender_id = answer->sender_id;
    if (const Value* extension = answer->body.find(wire::Extension::kKey)) {
      if (const Value* ours = extension->find("metrics")) read_ours(*ours, metrics);
    }
    metrics.upstream = wire::unpack_body<wire::MetricsResponse>(answer->body, wire::Limits{});
    return metrics;
  } catch (const Error& error) {
    return Error(error.code(), fmt::format("{}: {}", describe(node, socket), error.what()));
  }
}

const char* socket_of(const ServerInfo& node) {
  return node.role == ServerInfo::kControllerRole ? "request_handle_socket" : "put_get_socket";
}

}  // namespace

double NodeMetrics::gauge(std::string_view name, double otherwise) const {
  for (const NodeGauge& gauge : gauges) {
    if (gauge.name == name && gauge.labels.empty()) return gauge.value;
  }
  return otherwise;
}

std::vector<Result<NodeMetrics>> ask_metrics(ConnectionPool& pool, const std::string& sender_id,
                                             const std::vector<ServerInfo>& nodes,
                                             Deadline deadline) {
  std::vector<Outgoing> requests;
  for (const ServerInfo& node : nodes) {
    const wire::Extension extension{wire::Extension::kVersion, new_request_id(), ""};
    requests.push_back({&node, socket_of(node),
                        wire::pack_request(sender_id, node.id, wire::GetMetrics{}, extension),
                        extension.request_id, wire::GetMetrics::kType.data()});
  }
  std::vector<Answer> answers = exchange(pool, std::move(requests), deadline);
  std::vector<Result<NodeMetrics>> metrics;
  for (size_t i = 0; i < answers.size(); ++i) {
    metrics.push_back(read_answer(answers[i], nodes[i], socket_of(nodes[i])));
  }
  return metrics;
}

}  // namespace tq::manager
