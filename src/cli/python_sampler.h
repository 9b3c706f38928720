// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "transfer_queue/sampler.h"
#include "wire/limits.h"

namespace tq::cli {

/// The name under which REGISTER_SAMPLER finds a sampler that runs in a Python process. Its one
/// argument is `id`, the process's own number of the sampler.
inline constexpr const char* kPythonSampler = "PythonSampler";

/// The other end of a stream socket at which a Python process runs samplers (BaseSampler) that
/// users wrote. One request at a time; the process answers each.
///
/// A message there and back is, in native order: the number of frames (u32), then each frame's
/// length (u64) and bytes; the frames are a map as wire::encode_value has it. docs/python.md lists
/// its keys.
///
/// A process that does not answer in time is not waited for again before it has: the controller
/// serves nobody else meanwhile. Not thread-safe.
class SamplerProcess {
 public:
  /// Does not own the descriptor, which must be a stream socket. Throws Error(kInvalidArgument).
  SamplerProcess(int descriptor, std::chrono::milliseconds patience);

  /// Sends the request and returns the reply. Throws Error: what the sampler raised, or that the
  /// process is gone or late.
  Value ask(Map request);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  void send(const Map& request, TimePoint deadline);
  /// Bytes received so far, at least `size` of them. Throws at the deadline.
  void receive(size_t size, TimePoint deadline);
  Value next_reply(TimePoint deadline);
  void wait_for(short events, TimePoint deadline);
  [[noreturn]] void fail(const std::string& why);

  const int descriptor_;
  const std::chrono::milliseconds patience_;
  const wire::Limits limits_;  // a reply is no larger than a message
  std::string received_;
  int64_t asked_ = 0;     // the number of the last request
  int64_t answered_ = 0;  // and of the last one that was answered
  bool broken_ = false;   // half a request went out
};

/// Lets `registry` make samplers that the process runs.
void add_python_sampler(SamplerRegistry& registry, std::shared_ptr<SamplerProcess> process);

}  // namespace tq::cli
