// SPDX-License-Identifier: Apache-2.0
#include "cli/python_sampler.h"

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "transfer_queue/error.h"
#include "wire/decode.h"
#include "wire/encode.h"

namespace tq::cli {
namespace {

constexpr size_t kReplyBytesMax = size_t{1} << 30;

template <class T>
void append(std::string& bytes, T number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

template <class T>
T number_at(const std::string& bytes, size_t place) {
  T number;
  std::memcpy(&number, bytes.data() + place, sizeof(number));
  return number;
}

int64_t integer_of(const Value& map, const char* key) {
  const Value* value = map.find(key);
  const auto* number = value != nullptr ? value->get_if<int64_t>() : nullptr;
  return number != nullptr ? *number : -1;
}

bool flag_of(const Value& reply, const char* key) {
  const Value* value = reply.find(key);
  const bool* flag = value != nullptr ? value->get_if<bool>() : nullptr;
  return flag != nullptr && *flag;
}

std::vector<int64_t> indexes_of(const Value& reply, const char* key) {
  const Value* value = reply.find(key);
  const auto* items = value != nullptr ? value->get_if<Array>() : nullptr;
  std::vector<int64_t> indexes;
  for (const Value& item : items != nullptr ? *items : Array()) {
    const auto* index = item.get_if<int64_t>();
    if (index == nullptr || *index < 0) {
      throw Error(ErrorCode::kWrongType,
                  fmt::format("the sampler's {} must be a list of global indexes", key));
    }
    indexes.push_back(*index);
  }
  return indexes;
}

Tensor index_tensor(const std::vector<int64_t>& indexes) {
  auto [data, bytes] = Slice::allocate(indexes.size() * sizeof(int64_t));
  if (!indexes.empty()) std::memcpy(bytes, indexes.data(), data.size);
  return {DType::int64, {static_cast<int64_t>(indexes.size())}, std::move(data)};
}

/// One sampler of the process.
class PythonSampler final : public Sampler {
 public:
  PythonSampler(std::shared_ptr<SamplerProcess> process, int64_t id)
      : process_(std::move(process)), id_(id) {}

  Sample sample(const SampleRequest& request) override {
    std::vector<int64_t> ready;
    Map tags;
    request.ready.visit([&](int64_t index) {
      ready.push_back(index);
      if (const Value* tag = request.ready.custom_meta(index)) tags.emplace_back(index, *tag);
      return true;
    });
    Map message = about("sample", request.partition_id);
    message.emplace_back("task_name", request.task_name);
    message.emplace_back("batch_size", static_cast<int64_t>(request.batch_size));
    message.emplace_back("sampling_config", request.sampling_config);
    message.emplace_back("ready_indexes", index_tensor(ready));
    message.emplace_back("custom_meta", std::move(tags));
    const Value reply = process_->ask(std::move(message));
    return {indexes_of(reply, "sampled"), indexes_of(reply, "consumed"), flag_of(reply, "is_kept")};
  }

  bool has_cached_result(const std::string& partition_id, const std::string& task_name,
                         const Map& sampling_config) const override {
    Map message = about("has_cached_result", partition_id);
    message.emplace_back("task_name", task_name);
    message.emplace_back("sampling_config", sampling_config);
    return flag_of(process_->ask(std::move(message)), "result");
  }

  void clear_cache(const std::string& partition_id) override {
    try {
      process_->ask(about("clear_cache", partition_id));
    } catch (const Error& error) {
      spdlog::warn("partition '{}' is cleared, but the sampler may keep batches of it: {}",
                   partition_id, error.what());
    }
  }

  // The state is the process's own pickle, which nobody here reads.
  Value save_checkpoint() const override {
    const Value reply = process_->ask(about("save_checkpoint"));
    const Value* state = reply.find("state");
    const Value* name = reply.find("class");
    if (state == nullptr || state->is_nil()) return {};
    if (state->get_if<Bytes>() == nullptr || name == nullptr ||
        name->get_if<std::string>() == nullptr) {
      throw Error(ErrorCode::kWrongType,
                  "the sampler's state must be bytes, and its class have a name");
    }
    return Map{{"python_class", *name}, {"python_state", *state}};
  }

  void load_checkpoint(const Value& saved) override {
    if (saved.is_nil()) return;
    const Value* state = saved.find("python_state");
    const Value* name = saved.find("python_class");
    if (state == nullptr || name == nullptr) return Sampler::load_checkpoint(saved);
    Map message = about("load_checkpoint");
    message.emplace_back("class", *name);
    message.emplace_back("state", *state);
    process_->ask(std::move(message));
  }

 private:
  Map about(const char* operation) const { return {{"operation", operation}, {"id", id_}}; }
  Map about(const char* operation, const std::string& partition_id) const {
    Map message = about(operation);
    message.emplace_back("partition_id", partition_id);
    return message;
  }

  const std::shared_ptr<SamplerProcess> process_;
  const int64_t id_;
};

}  // namespace

SamplerProcess::SamplerProcess(int descriptor, std::chrono::milliseconds patience)
    : descriptor_(descriptor), patience_(patience) {
  int type = 0;
  socklen_t size = sizeof(type);
  if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("--sampler-socket {}: that is no connected stream socket", descriptor));
  }
}

Value SamplerProcess::ask(Map request) {
  const TimePoint now = std::chrono::steady_clock::now();
  if (broken_) fail("is gone");
  while (answered_ < asked_) {  // a late reply, or still none
    answered_ = integer_of(next_reply(now), "number");
  }
  request.emplace_back("number", ++asked_);
  const TimePoint deadline = now + patience_;
  send(request, deadline);
  Value reply = next_reply(deadline);
  answered_ = integer_of(reply, "number");
  if (answered_ != asked_) {
    broken_ = true;
    fail("answered another request than the one asked");
  }
  const Value* error = reply.find("error");
  if (error == nullptr) return reply;
  const auto* text = error->get_if<std::string>();
  throw Error(ErrorCode::kInternal, text != nullptr ? *text : "the sampler raised an error");
}

void SamplerProcess::send(const Map& request, TimePoint deadline) {
  const wire::Frames frames = wire::encode_value(Value(request));
  std::string bytes;
  append(bytes, static_cast<uint32_t>(frames.size()));
  for (const Slice& frame : frames) {
    append(bytes, static_cast<uint64_t>(frame.size));
    bytes += frame.view();
  }
  broken_ = true;  // unless all of it goes out
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t size =
        ::send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size >= 0) {
      sent += static_cast<size_t>(size);
    } else if (errno == EAGAIN || errno == EINTR) {
      wait_for(POLLOUT, deadline);
    } else {
      fail(fmt::format("is gone ({})", std::generic_category().message(errno)));
    }
  }
  broken_ = false;
}

void SamplerProcess::wait_for(short events, TimePoint deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  pollfd watched{descriptor_, events, 0};
  const int64_t patience_ms = std::max<int64_t>(0, left.count());
  if (::poll(&watched, 1, static_cast<int>(patience_ms)) == 0) {
    fail(fmt::format("has not answered within {} ms and is not asked again before it has",
                     patience_.count()));
  }
}

void SamplerProcess::receive(size_t size, TimePoint deadline) {
  while (received_.size() < size) {
    const size_t had = received_.size();
    received_.resize(std::max(size, had + 4096));
    const ssize_t got =
        ::recv(descriptor_, received_.data() + had, received_.size() - had, MSG_DONTWAIT);
    const int error = errno;
    received_.resize(had + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got > 0) continue;
    if (got < 0 && (error == EAGAIN || error == EINTR)) {
      wait_for(POLLIN, deadline);
      continue;
    }
    broken_ = true;
    fail("is gone");
  }
}

Value SamplerProcess::next_reply(TimePoint deadline) {
  size_t end = sizeof(uint32_t);
  receive(end, deadline);
  const auto frame_count = number_at<uint32_t>(received_, 0);
  std::vector<std::pair<size_t, size_t>> places;
  for (uint32_t i = 0; i < frame_count; ++i) {
    receive(end + sizeof(uint64_t), deadline);
    const auto size = number_at<uint64_t>(received_, end);
    if (size > kReplyBytesMax || end + size > kReplyBytesMax) {
      broken_ = true;
      fail(fmt::format("sent a reply of more than {} bytes", kReplyBytesMax));
    }
    end += sizeof(uint64_t);
    receive(end + size, deadline);
    places.emplace_back(end, size);
    end += size;
  }
  wire::Frames frames;
  for (const auto& [place, size] : places) {
    auto [frame, bytes] = Slice::allocate(size);
    std::memcpy(bytes, received_.data() + place, size);
    frames.push_back(std::move(frame));
  }
  received_.erase(0, end);
  Result<Value> reply = wire::decode_value(frames, limits_);
  if (!reply.ok()) {
    broken_ = true;
    fail(fmt::format("sent what cannot be decoded: {}", reply.error().what()));
  }
  return std::move(*reply);
}

void SamplerProcess::fail(const std::string& why) {
  throw Error(ErrorCode::kUnavailable,
              fmt::format("the Python process that runs the sampler {}", why));
}

void add_python_sampler(SamplerRegistry& registry, std::shared_ptr<SamplerProcess> process) {
  registry.add(kPythonSampler, [process = std::move(process)](const Map& arguments) {
    const int64_t id = integer_of(Value(arguments), "id");
    if (id < 0 || arguments.size() != 1) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} has one argument, id, a number from 0 on", kPythonSampler));
    }
    return std::make_unique<PythonSampler>(process, id);
  });
}

}  // namespace tq::cli
