// SPDX-License-Identifier: Apache-2.0
#include "support/golden.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace tq::test {
namespace {

std::string read_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + file.string());
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

}  // namespace

std::string GoldenMessage::name() const {
  const auto relative = std::filesystem::relative(file, TQ_GOLDEN_DIR);
  return (relative.parent_path() / relative.stem()).string();
}

bool GoldenMessage::is_request() const {
  return file.filename().string().find("_request_") != std::string::npos;
}

wire::Frames read_frames(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  wire::Frames frames;
  for (size_t at = 0; at < bytes.size();) {
    uint64_t size = 0;
    std::memcpy(&size, bytes.data() + at, sizeof size);
    at += sizeof size;
    frames.push_back(wire::Slice::copy_of(std::string_view(bytes).substr(at, size)));
    at += size;
  }
  return frames;
}

void write_frames(const std::filesystem::path& file, const wire::Frames& frames) {
  std::ofstream stream(file, std::ios::binary);
  for (const wire::Slice& frame : frames) {
    const uint64_t size = frame.size;
    stream.write(reinterpret_cast<const char*>(&size), sizeof size);
    stream.write(reinterpret_cast<const char*>(frame.data), static_cast<std::streamsize>(size));
  }
  if (!stream) throw std::runtime_error("cannot write " + file.string());
}

std::vector<GoldenMessage> load_golden(std::string_view folder) {
  std::vector<std::filesystem::path> files;
  const auto root = std::filesystem::path(TQ_GOLDEN_DIR) / folder;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() == ".msg") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) throw std::runtime_error("no recorded messages in " + root.string());
  std::vector<GoldenMessage> messages;
  for (const auto& file : files) {
    auto json = file;
    messages.push_back({file, read_frames(file), read_file(json.replace_extension(".json"))});
  }
  return messages;
}

}  // namespace tq::test
