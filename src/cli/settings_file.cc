// SPDX-License-Identifier: Apache-2.0
#include "cli/settings_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>

#include "runtime/whole_file.h"

namespace tq::cli {
namespace {

// A file of settings has some hundred lines; aliases inside could unfold to any size.
constexpr size_t kBytesMax = size_t{1} << 20;

[[noreturn]] void fail(const std::string& place, const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: {}", place, why));
}

constexpr const char* kOwnSection = "tq";

std::vector<CLI::App*> below(CLI::App& command) {
  return command.get_subcommands([](CLI::App*) { return true; });
}

bool has_option(CLI::App& command, const std::string& option) {
  const std::vector<CLI::App*> commands = below(command);
  return command.get_option_no_throw(option) != nullptr ||
         std::any_of(commands.begin(), commands.end(),
                     [&](CLI::App* sub) { return has_option(*sub, option); });
}

}  // namespace

/// Walks the YAML once and notes what it means.
class SettingsReader {
 public:
  explicit SettingsReader(const std::filesystem::path& file) : result_(file) {}

  SettingsFile read() {
    const YAML::Node root = load();
    if (root.IsNull()) return std::move(result_);
    if (!root.IsMap()) fail(place(root), "a configuration file is a map of sections");
    for (const auto& [key, value] : entries(root)) {
      if (key != kOwnSection) read_section(key, value);
    }
    // Ours last, so that it wins where two keys mean one flag.
    if (const YAML::Node own = root[std::string(kOwnSection)]) read_own(own);
    return std::move(result_);
  }

 private:
  using Entries = std::vector<std::pair<std::string, YAML::Node>>;

  YAML::Node load() const {
    const std::string text = runtime::read_file(result_.file_);
    if (text.size() > kBytesMax) {
      fail(result_.file_.string(),
           fmt::format("it has {} bytes, which is no configuration file", text.size()));
    }
    try {
      return YAML::Load(text);
    } catch (const YAML::Exception& error) {
      fail(fmt::format("{}:{}", result_.file_.string(), error.mark.line + 1),
           fmt::format("it is no YAML: {}", error.msg));
    }
  }

  std::string place(const YAML::Node& node) const {
    return fmt::format("{}:{}", result_.file_.string(), node.Mark().line + 1);
  }

  Entries entries(const YAML::Node& map) const {
    Entries found;
    if (map.IsNull()) return found;
    if (!map.IsMap()) fail(place(map), "a section is a map of settings");
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) fail(place(entry.first), "a setting's name is a text");
      found.emplace_back(entry.first.Scalar(), entry.second);
    }
    return found;
  }

  void set(const std::string& option, const std::string& key, const YAML::Node& value,
           std::optional<std::string> text = std::nullopt) {
    if (value.IsNull()) return;
    if (!value.IsScalar())
      fail(place(value), fmt::format("{} is a list or a map, not a value", key));
    result_.settings_.push_back(
        {option, text ? *text : value.Scalar(), key, value.Mark().line + 1});
  }
  void warn(const std::string& key, const YAML::Node& value) {
    result_.warnings_.push_back(
        fmt::format("{}: {} means nothing here and is left out", place(value), key));
  }

  void read_section(const std::string& key, const YAML::Node& value);
  void read_own(const YAML::Node& section);
  void read_metrics(const YAML::Node& section);
  void read_controller(const YAML::Node& section);
  void read_backend(const YAML::Node& section);
  void read_simple_storage(const YAML::Node& section);
  void read_ssd(const YAML::Node& section);

  bool boolean(const std::string& key, const YAML::Node& value) const {
    try {
      return value.as<bool>();
    } catch (const YAML::Exception&) {
      fail(place(value), fmt::format("{} must be true or false", key));
    }
  }
  int64_t count(const std::string& key, const YAML::Node& value) const {
    try {
      const auto number = value.as<int64_t>();
      if (number > 0) return number;
    } catch (const YAML::Exception&) {
    }
    fail(place(value), fmt::format("{} must be a positive number", key));
  }

  SettingsFile result_;
};

void SettingsReader::read_section(const std::string& key, const YAML::Node& value) {
  if (key == "metrics") return read_metrics(value);
  if (key == "controller") return read_controller(value);
  if (key == "backend") return read_backend(value);
  warn(key, value);
}

void SettingsReader::read_own(const YAML::Node& section) {
  for (const auto& [name, value] : entries(section)) set("--" + name, "tq." + name, value);
}

void SettingsReader::read_metrics(const YAML::Node& section) {
  bool enabled = false;
  std::optional<YAML::Node> port;
  for (const auto& [name, value] : entries(section)) {
    if (name == "enabled") {
      enabled = !value.IsNull() && boolean("metrics.enabled", value);
    } else if (name == "port") {
      if (!value.IsNull()) port.emplace(value);
    } else if (name != "endpoint") {  // which upstream writes into it
      warn("metrics." + name, value);
    }
  }
  if (!enabled) return;
  if (!port) {
    result_.settings_.push_back(
        {"--metrics-port", "0", "metrics.enabled", section.Mark().line + 1});
  } else {
    set("--metrics-port", "metrics.port", *port);
  }
}

void SettingsReader::read_controller(const YAML::Node& section) {
  for (const auto& [name, value] : entries(section)) {
    if (name == "sampler") {
      set("--sampler", "controller.sampler", value);
    } else if (name == "polling_mode") {
      if (value.IsNull()) continue;
      set("--polling", "controller.polling_mode", value,
          boolean("controller.polling_mode", value) ? "true" : "false");
    } else if (name != "zmq_info") {  // upstream's note of where its nodes are
      warn("controller." + name, value);
    }
  }
}

void SettingsReader::read_backend(const YAML::Node& section) {
  for (const auto& [name, value] : entries(section)) {
    if (name == "storage_backend") {
      if (value.IsNull() || (value.IsScalar() && value.Scalar() == "SimpleStorage")) continue;
      fail(place(value),
           fmt::format("backend.storage_backend is {}, but these nodes are SimpleStorage; other "
                       "backends have nodes of their own",
                       value.IsScalar() ? value.Scalar() : std::string("no text")));
    }
    if (name == "SimpleStorage") read_simple_storage(value);
    // The sections of other backends stand in upstream's file whether they are used or not.
  }
}

void SettingsReader::read_simple_storage(const YAML::Node& section) {
  const std::string prefix = "backend.SimpleStorage.";
  int64_t units = 2;  // upstream's default, as ours
  std::optional<YAML::Node> total;
  for (const auto& [name, value] : entries(section)) {
    if (name == "num_data_storage_units") {
      if (value.IsNull()) continue;
      units = count(prefix + name, value);
      set("--units", prefix + name, value);
    } else if (name == "total_storage_size") {
      if (!value.IsNull()) total.emplace(value);
    } else if (name == "ssd_offload") {
      read_ssd(value);
    } else if (name != "zmq_info" && name != "required_node_resource") {
      warn(prefix + name, value);
    }
  }
  if (!total) return;
  const int64_t samples = count(prefix + "total_storage_size", *total);
  // Of all units together; each takes its share, rounded up as upstream does it.
  const int64_t share = samples / units + (samples % units != 0 ? 1 : 0);
  set("--capacity", prefix + "total_storage_size", *total, fmt::format("{}", share));
}

void SettingsReader::read_ssd(const YAML::Node& section) {
  const std::string prefix = "backend.SimpleStorage.ssd_offload.";
  std::optional<YAML::Node> enabled, path, threshold;
  for (const auto& [name, value] : entries(section)) {
    if (name == "enabled") {
      if (!value.IsNull() && boolean(prefix + name, value)) enabled.emplace(value);
    } else if (name == "path") {
      if (!value.IsNull()) path.emplace(value);
    } else if (name == "threshold_bytes") {
      if (!value.IsNull() && count(prefix + name, value) > 0) threshold.emplace(value);
    } else if (name != "glibc_mmap_threshold_bytes") {  // of an allocator that is not used here
      warn(prefix + name, value);
    }
  }
  if (!enabled) return;
  if (!path) {
    fail(place(*enabled),
         fmt::format("{0}enabled is true, but there is no {0}path; name a folder of the SSD, or "
                     "set it to false",
                     prefix));
  }
  set("--ssd-path", prefix + "path", *path);
  if (threshold) set("--ssd-threshold-bytes", prefix + "threshold_bytes", *threshold);
}

SettingsFile SettingsFile::read(const std::filesystem::path& file) {
  return SettingsReader(file).read();
}

void SettingsFile::apply(CLI::App& program) const {
  for (const Setting& setting : settings_) {
    if (!has_option(program, setting.option)) {
      fail(place(setting), fmt::format("{} is no setting; 'tq config up' lists them", setting.key));
    }
    apply_one(program, setting);
  }
}

void SettingsFile::apply_one(CLI::App& command, const Setting& setting) const {
  for (CLI::App* sub : below(command)) apply_one(*sub, setting);
  if (command.get_option_no_throw(setting.option) == nullptr) return;
  CLI::Option& option = *command.get_option(setting.option);
  // Upstream's port is the controller's; its units take free ones.
  const bool is_unit_port = setting.key == "metrics.port" && command.get_name() == "storage";
  try {
    option.run_callback_for_default()->default_val(is_unit_port ? "0" : setting.value);
    option.required(false);
  } catch (const CLI::Error& error) {
    fail(place(setting), fmt::format("{}: {}", setting.key, error.what()));
  }
}

const SettingsFile::Setting* SettingsFile::find(const std::string& option) const noexcept {
  // Of two keys for one flag the section `tq` stands last and wins.
  const auto found = std::find_if(settings_.rbegin(), settings_.rend(),
                                  [&](const Setting& s) { return s.option == option; });
  return found != settings_.rend() ? &*found : nullptr;
}

std::string SettingsFile::place(const Setting& setting) const {
  return fmt::format("{}:{}", file_.string(), setting.line);
}

std::optional<std::filesystem::path> settings_file_of(const std::vector<std::string>& arguments) {
  constexpr std::string_view kFlag = "--config";
  for (size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string_view word = arguments[i];
    if (word == kFlag && i + 1 < arguments.size()) return arguments[i + 1];
    if (word.starts_with(kFlag) && word.substr(kFlag.size()).starts_with("=")) {
      return std::string(word.substr(kFlag.size() + 1));
    }
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
  const char* variable = std::getenv("TQ_CONFIG");
  if (variable == nullptr || *variable == '\0') return std::nullopt;
  return variable;
}

}  // namespace tq::cli
