// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "controller/controller.h"
#include "support/canonical.h"
#include "support/catch.h"
#include "wire/pack.h"

namespace tq::test {

/// A controller to which requests are given as the event loop gives them, on a clock that a test
/// sets. Replies are shown as the canonical JSON of what a peer decodes.
class ControllerFixture {
 public:
  /// A request that waits, as the event loop keeps it.
  struct Waiting {
    runtime::Request request;
    runtime::Wait wait;
  };

  /// As in the recordings: freed indexes may be handed out at once.
  static controller::ControllerConfig no_rest() {
    controller::ControllerConfig config;
    config.id = "TQ_CONTROLLER_test";
    config.index_rest_s = 0;
    return config;
  }

  explicit ControllerFixture(controller::ControllerConfig config = no_rest(),
                             std::unique_ptr<Sampler> sampler = nullptr)
      : controller(std::move(config), std::move(sampler)) {}

  void advance(double seconds) {
    now += std::chrono::duration_cast<runtime::TimePoint::duration>(
        std::chrono::duration<double>(seconds));
  }

  static wire::Envelope decode(const wire::Frames& frames) {
    Result<wire::Envelope> envelope = wire::decode(frames, wire::Limits{});
    REQUIRE((envelope.ok() ? std::string() : envelope.error().what()) == "");
    return std::move(*envelope);
  }
  runtime::Request request_of(const wire::Frames& frames) const { return {decode(frames), now}; }
  template <class Message>
  runtime::Request request_of(const Message& message) const {
    return request_of(wire::Frames(wire::pack_request("client", controller.id(), message)));
  }

  /// A message by its type and body, for what no typed message can say.
  static wire::Frames frames_of(std::string_view type, const wire::Value& body) {
    return wire::pack_message({type, "client", std::nullopt},
                              [&](wire::Encoder& encoder) { encoder.value(body); });
  }

  runtime::Outcome outcome(runtime::Request request) { return controller.handle(request, now); }

  static Json decoded(const runtime::Reply& reply) { return canonical(decode(reply.frames)); }
  static Json decoded(const runtime::Outcome& outcome) {
    REQUIRE(std::holds_alternative<runtime::Reply>(outcome));
    return decoded(std::get<runtime::Reply>(outcome));
  }

  /// The reply to a typed message, or to frames; there must be one at once.
  template <class Message>
  Json ask(const Message& message) {
    return decoded(outcome(request_of(message)));
  }
  /// The body of the reply; its type must be the given one.
  template <class Response, class Message>
  Json body_of(const Message& message) {
    const Json reply = ask(message);
    INFO(reply.dump());
    REQUIRE(reply.at("request_type") == Response::kType);
    return reply.at("body");
  }
  template <class Response, class Message>
  Json batch_of(const Message& message) {
    return body_of<Response>(message).at("metadata").at("$batchmeta");
  }
  /// The message of the REQUEST_ERROR that a request must get.
  template <class Message>
  std::string error_of(const Message& message) {
    return body_of<wire::RequestError>(message).at("message");
  }

  /// A request that must wait.
  template <class Message>
  Waiting wait(const Message& message) {
    runtime::Request request = request_of(message);
    runtime::Outcome answer = controller.handle(request, now);
    REQUIRE(std::holds_alternative<runtime::Wait>(answer));
    return {std::move(request), std::get<runtime::Wait>(answer)};
  }
  /// Offers a waiting request again.
  runtime::Outcome offer(Waiting& waiting) { return controller.handle(waiting.request, now); }

  // ---- what tests do again and again ----
  std::vector<int64_t> register_keys(const std::string& partition, wire::Names keys) {
    return batch_of<wire::KvRetrieveMetaResponse>(
               wire::KvRetrieveMeta{std::move(keys), partition, true})
        .at("global_indexes");
  }
  std::vector<int64_t> insert(const std::string& partition, int64_t count) {
    return batch_of<wire::GetMetaResponse>(
               wire::GetMeta{wire::Names{"f"}, count, partition, "insert", std::nullopt, {}})
        .at("global_indexes");
  }
  static wire::GetMeta fetch_of(const std::string& partition, int64_t count,
                                wire::Names fields = {"f"}, const std::string& task = "task") {
    return {std::move(fields), count, partition, "fetch", task, {}};
  }
  std::vector<int64_t> fetch(const std::string& partition, int64_t count,
                             wire::Names fields = {"f"}, const std::string& task = "task") {
    return batch_of<wire::GetMetaResponse>(fetch_of(partition, count, std::move(fields), task))
        .at("global_indexes");
  }
  static wire::Value torch_dtype(const std::string& name) {
    return wire::PyObject{wire::PyObject::Kind::kGlobal, "torch", name, {}, {}, {}, {}};
  }
  static wire::FieldUpdate dense(wire::Shape shape, const std::string& dtype = "float32") {
    return {torch_dtype(dtype), std::move(shape), false, false, std::nullopt};
  }
  /// The body of the ACK to a notification that dense fields are there.
  Json notify(const std::string& partition, wire::Indexes indexes,
              const wire::Names& fields = {"f"}, const std::string& dtype = "float32") {
    wire::NotifyDataUpdate message{partition, std::move(indexes), {}, {}};
    for (const std::string& field : fields) {
      message.field_schema.emplace_back(field, dense({2}, dtype));
    }
    return body_of<wire::NotifyDataUpdateAck>(message);
  }
  void produce(const std::string& partition, wire::Indexes indexes,
               const wire::Names& fields = {"f"}) {
    const Json ack = notify(partition, std::move(indexes), fields);
    INFO(ack.dump());
    REQUIRE(ack.at("success") == true);
  }
  void clear(const std::string& partition, const wire::Indexes& indexes) {
    body_of<wire::ClearMetaResponse>(
        wire::ClearMeta{indexes, wire::Names(indexes.size(), partition)});
  }
  /// consumption_status of a task, ascending by global index.
  std::vector<int> consumption(const std::string& partition, const std::string& task = "task");

  controller::Controller controller;
  runtime::TimePoint now = runtime::TimePoint() + std::chrono::hours(1);
};

/// The items of a canonical int8 or int64 tensor, or of an int8 numpy array.
std::vector<int64_t> numbers_of(const Json& tensor);

inline std::vector<int> ControllerFixture::consumption(const std::string& partition,
                                                       const std::string& task) {
  const Json body =
      body_of<wire::ConsumptionResponse>(wire::GetConsumption{partition, task, std::nullopt});
  const std::vector<int64_t> status = numbers_of(body.at("consumption_status"));
  return {status.begin(), status.end()};
}

inline std::string base64_bytes(const std::string& text) {
  static const std::string kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t group = 0;
  int bits = 0;
  for (char c : text.substr(0, text.find('='))) {
    group = (group << 6) | static_cast<uint32_t>(kDigits.find(c));
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xFF);
  }
  return bytes;
}

inline std::vector<int64_t> numbers_of(const Json& array) {
  const Json& content = array.contains("$tensor") ? array.at("$tensor") : array.at("$ndarray");
  const std::string bytes = base64_bytes(content.at("data"));
  std::vector<int64_t> numbers;
  if (content.at("dtype") == "int8") {
    for (char c : bytes) numbers.push_back(c);
  } else {
    REQUIRE(content.at("dtype") == "int64");
    numbers.resize(bytes.size() / sizeof(int64_t));
    if (!numbers.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  }
  return numbers;
}

}  // namespace tq::test
