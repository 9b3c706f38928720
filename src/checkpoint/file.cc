// SPDX-License-Identifier: Apache-2.0
#include "checkpoint/file.h"

#include <fmt/format.h>

namespace tq::checkpoint {

Summary save_file(const Root& root, const std::string& path, Kind kind,
                  const std::function<void(Writer&)>& write) {
  const std::unique_ptr<runtime::AtomicFile> file = root.create(path);
  Writer writer(kind, [&](std::string_view bytes) { file->write(bytes); });
  write(writer);
  const Summary summary = writer.finish();
  file->commit();
  return summary;
}

void load_file(const Root& root, const std::string& path, Kind kind, const wire::Limits& limits,
               const std::optional<std::string>& expected,
               const std::function<void(Reader&)>& read) {
  FileSource source = root.open(path);
  Reader reader(source, kind, limits);
  read(reader);
  const std::string checksum = reader.summary().checksum_text();
  if (!expected || *expected == checksum) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{} has the checksum {}, but belongs to a checkpoint whose manifest says "
                          "{}; it was exchanged for another file",
                          source.name(), checksum, *expected));
}

void JobCount::begin() {
  if (running_ >= kMost) {
    throw Error(ErrorCode::kLimit,
                fmt::format("{} checkpoints are being saved or loaded here already; wait for them",
                            running_));
  }
  ++running_;
}

}  // namespace tq::checkpoint
