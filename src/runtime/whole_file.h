// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace tq::runtime {

/// Writes a file so that a reader, also after a crash, finds the whole of it or what was there
/// before. Throws Error(kUnavailable) naming the path and the reason. Blocks on the disk.
void write_file(const std::filesystem::path& file, std::string_view bytes);

/// All bytes of a file. Throws Error(kNotFound) naming the path and the reason. Blocks on the disk.
std::string read_file(const std::filesystem::path& file);

}  // namespace tq::runtime
