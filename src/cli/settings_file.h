// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "transfer_queue/error.h"

namespace tq::cli {

/// The configuration file: upstream's YAML as it is, and a section `tq` in which each flag of
/// `tq up` may stand under its name without dashes. A flag on the command line wins over an
/// environment variable, that over the file, the file over the default.
class SettingsFile {
 public:
  /// A flag that the file gives a value.
  struct Setting {
    std::string option;  // "--capacity"
    std::string value;
    std::string key;  // "backend.SimpleStorage.total_storage_size"
    int line;
  };

  /// Throws Error(kNotFound) for a file that cannot be read, Error(kInvalidArgument) with line and
  /// key for one that makes no sense.
  static SettingsFile read(const std::filesystem::path& file);

  /// Makes the file's values the defaults of every command that has such a flag. Throws
  /// Error(kInvalidArgument) naming line and key of a value that does not fit, or of a flag that no
  /// command has.
  void apply(CLI::App& program) const;

  const Setting* find(const std::string& option) const noexcept;
  /// "tq.yaml:12".
  std::string place(const Setting& setting) const;
  /// Keys that mean nothing here, a sentence each.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  explicit SettingsFile(std::filesystem::path file) : file_(std::move(file)) {}
  void apply_one(CLI::App& command, const Setting& setting) const;

  std::filesystem::path file_;
  std::vector<Setting> settings_;
  std::vector<std::string> warnings_;
  friend class SettingsReader;
};

/// The file that --config of these arguments names, or TQ_CONFIG; looked for before anything else
/// is parsed, for it changes the defaults.
std::optional<std::filesystem::path> settings_file_of(const std::vector<std::string>& arguments);

/// How the program was started, for those who explain where a setting comes from.
struct Start {
  std::vector<std::string> arguments;
  std::optional<SettingsFile> file;
};

}  // namespace tq::cli
