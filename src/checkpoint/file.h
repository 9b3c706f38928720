// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "checkpoint/reader.h"
#include "checkpoint/root.h"
#include "checkpoint/writer.h"
#include "runtime/actor.h"
#include "transfer_queue/error.h"

namespace tq::checkpoint {

/// Writes a file below the root: whole and synced under its name when this returns, else not there.
/// Blocks on the disk. Throws what `write` and Root::create() throw, Error(kUnavailable).
Summary save_file(const Root& root, const std::string& path, Kind kind,
                  const std::function<void(Writer&)>& write);

/// Reads a file below the root; `read` takes all sections. Blocks on the disk. Throws what `read`
/// and Root::open() throw; Error(kInvalidArgument) when the file's checksum is not the one that is
/// `expected`, if one is.
void load_file(const Root& root, const std::string& path, Kind kind, const wire::Limits& limits,
               const std::optional<std::string>& expected,
               const std::function<void(Reader&)>& read);

/// A job whose `work` runs off the loop and gives a T or throws, and whose `done` then makes the
/// reply of a Result<T>, on the loop. There also ends what `work` holds.
template <class T, class Work, class Done>
runtime::Job make_job(Work work, Done done) {
  const auto attempt = [](Work& tried) -> Result<T> {
    try {
      return tried();
    } catch (const Error& error) {
      return error;
    } catch (const std::bad_alloc&) {
      return Error(ErrorCode::kCapacity, "the machine is out of memory");
    } catch (const std::exception& error) {
      return Error(ErrorCode::kInternal, error.what());
    }
  };
  return {[work = std::move(work), done = std::move(done),
           attempt]() mutable -> std::function<runtime::Reply()> {
    auto result = std::make_shared<Result<T>>(attempt(work));
    return [work = std::move(work), done = std::move(done), result = std::move(result)]() mutable {
      return done(std::move(*result));
    };
  }};
}

/// How many jobs of checkpoints one node queues: each holds the state that it saves.
class JobCount {
 public:
  /// Throws Error(kLimit) when there are too many already.
  void begin();
  void end() noexcept { --running_; }

 private:
  static constexpr int kMost = 4;
  int running_ = 0;
};

}  // namespace tq::checkpoint
