// SPDX-License-Identifier: Apache-2.0
#include "transfer_queue/kv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>

#include "cli/client_options.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/json_value.h"
#include "cli/kv_fields.h"
#include "cli/leaf.h"

namespace tq::cli {
namespace {

constexpr size_t kPreviewWidth = 60;

struct KvSettings {
  ClientSettings client;
  std::string partition;
  std::vector<std::string> keys;
  std::vector<std::string> fields;
  std::string tag;
  std::filesystem::path out;
  bool json = false;
  bool all = false;
};

Map parse_tag(const std::string& text) {
  const Value value = to_value(parse_json(text, "--tag"));
  if (const Map* map = value.get_if<Map>()) return *map;
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("--tag {}: a tag is a JSON object, for instance {{\"score\": 0.5}}", text));
}

int run_put(const KvSettings& s) {
  std::vector<std::pair<std::string, Value>> fields;
  for (const std::string& field : s.fields) fields.push_back(parse_field(field));
  std::optional<Map> tag;
  if (!s.tag.empty()) tag = parse_tag(s.tag);
  if (fields.empty() && !tag) {
    throw Error(ErrorCode::kInvalidArgument, "kv put: give at least one --field or a --tag");
  }
  const auto client = join(s.client);
  const KVBatchMeta meta = kv_put(*client, s.keys.at(0), s.partition, fields, tag);
  fmt::print("stored '{}' in partition '{}', which now has the field{} {}\n", s.keys[0],
             s.partition, meta.fields.size() == 1 ? "" : "s",
             meta.fields.empty() ? "(none)" : fmt::format("{}", fmt::join(meta.fields, ", ")));
  return kOk;
}

void print_values(const std::vector<std::string>& keys, const Batch& batch) {
  std::vector<std::array<std::string, 4>> lines = {{"key", "field", "type", "value"}};
  for (size_t i = 0; i < keys.size(); ++i) {
    for (const auto& [name, column] : batch.columns()) {
      const Value value = column.row(i);
      lines.push_back({keys[i], name, type_text(value), preview(value, kPreviewWidth)});
    }
  }
  std::array<size_t, 3> widths{};
  for (const auto& line : lines) {
    for (size_t c = 0; c < widths.size(); ++c) widths[c] = std::max(widths[c], line[c].size());
  }
  for (const auto& line : lines) {
    fmt::print("{:<{}}  {:<{}}  {:<{}}  {}\n", line[0], widths[0], line[1], widths[1], line[2],
               widths[2], line[3]);
  }
}

int run_get(const KvSettings& s) {
  const auto client = join(s.client);
  const Batch batch = kv_batch_get(*client, s.keys, s.partition, s.fields, GetForm::kRows);
  if (!s.out.empty()) {
    for (size_t i = 0; i < s.keys.size(); ++i) {
      for (const auto& [name, column] : batch.columns()) {
        fmt::print("{}\n", write_field(s.out, s.keys[i], name, column.row(i)).string());
      }
    }
    return kOk;
  }
  if (!s.json) {
    print_values(s.keys, batch);
    return kOk;
  }
  Json result = Json::object();
  for (size_t i = 0; i < s.keys.size(); ++i) {
    for (const auto& [name, column] : batch.columns()) {
      result[s.keys[i]][name] = to_json(column.row(i));
    }
  }
  fmt::print("{}", json_text(result));
  return kOk;
}

int run_list(const KvSettings& s) {
  const auto client = join(s.client);
  std::optional<std::string> partition;
  if (!s.partition.empty()) partition = s.partition;
  const KVListing listing = kv_list(*client, partition);
  if (s.json) {
    Json result = Json::object();
    for (const auto& [name, keys] : listing) {
      result[name] = Json::object();
      for (const auto& [key, tag] : keys) result[name][key] = to_json(tag);
    }
    fmt::print("{}", json_text(result));
    return kOk;
  }
  size_t name_width = std::string_view("partition").size();
  size_t key_width = std::string_view("key").size();
  size_t count = 0;
  for (const auto& [name, keys] : listing) {
    if (!keys.empty()) name_width = std::max(name_width, name.size());
    for (const auto& [key, tag] : keys) key_width = std::max(key_width, key.size());
    count += keys.size();
  }
  if (count == 0) {
    fmt::print("no keys\n");
    return kOk;
  }
  fmt::print("{:<{}}  {:<{}}  tag\n", "partition", name_width, "key", key_width);
  for (const auto& [name, keys] : listing) {
    for (const auto& [key, tag] : keys) {
      fmt::print("{:<{}}  {:<{}}  {}\n", name, name_width, key, key_width,
                 preview(tag, kPreviewWidth));
    }
  }
  return kOk;
}

int run_clear(const KvSettings& s) {
  if (s.all == !s.keys.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "kv clear: name the keys to clear, or say --all for the whole partition");
  }
  const auto client = join(s.client);
  if (s.all) {
    client->clear_partition(s.partition);
    fmt::print("cleared partition '{}'\n", s.partition);
    return kOk;
  }
  kv_clear(*client, s.keys, s.partition);
  fmt::print("cleared {} key{} of partition '{}'\n", s.keys.size(), s.keys.size() == 1 ? "" : "s",
             s.partition);
  return kOk;
}

using KvLeaf = Leaf<KvSettings>;

KvLeaf new_leaf(CLI::App& kv, const char* name, const char* description,
                int (*run)(const KvSettings&)) {
  KvLeaf leaf(kv, name, description, run);
  add_client_options(*leaf.app, leaf.settings->client)->required();
  return leaf;
}

CLI::Option* add_partition(const KvLeaf& leaf) {
  return leaf.app->add_option("-p,--partition", leaf.settings->partition, "Partition of the keys")
      ->type_name("PARTITION");
}

KvLeaf add_put(CLI::App& kv) {
  KvLeaf leaf =
      new_leaf(kv, "put", "Store one sample, or change fields or the tag of one.", run_put);
  KvSettings& s = *leaf.settings;
  add_partition(leaf)->required();
  leaf.app->add_option("key", s.keys, "Key of the sample")
      ->required()
      ->expected(1)
      ->type_name("KEY");
  leaf.app
      ->add_option("--field", s.fields,
                   "A field of the sample: NAME=TEXT, NAME:=JSON, NAME=@FILE.npy for a tensor, "
                   "NAME=@FILE.json; may be given several times")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  leaf.app->add_option("--tag", s.tag, "Entries to add to the sample's tag, a JSON object")
      ->type_name("JSON");
  leaf.app->footer(
      "Example: tq kv put --info-dir DIR -p train k1 --field ids=@ids.npy --field note='a text' "
      "--tag '{\"score\": 0.5}'");
  return leaf;
}

KvLeaf add_get(CLI::App& kv) {
  KvLeaf leaf = new_leaf(kv, "get", "Read samples: as a table, as JSON, or into files.", run_get);
  KvSettings& s = *leaf.settings;
  add_partition(leaf)->required();
  leaf.app->add_option("keys", s.keys, "Keys of the samples")->required()->type_name("KEY");
  leaf.app
      ->add_option(
          "--field", s.fields,
          "Only this field; may be given several times (default: all that the samples share)")
      ->type_name("NAME")
      ->allow_extra_args(false);
  CLI::Option* out =
      leaf.app
          ->add_option("--out", s.out,
                       "Write OUTDIR/KEY/FIELD.npy for tensors, FIELD.json for text and objects")
          ->type_name("OUTDIR");
  leaf.app->add_flag("--json", s.json, "Print everything as JSON")->excludes(out);
  leaf.app->footer("Example: tq kv get --info-dir DIR -p train k1 k2 --field ids --out samples");
  return leaf;
}

KvLeaf add_list(CLI::App& kv) {
  KvLeaf leaf = new_leaf(kv, "list", "List keys and their tags.", run_list);
  add_partition(leaf)->description("Only this partition (default: all)");
  leaf.app->add_flag("--json", leaf.settings->json, "Print {partition: {key: tag}} as JSON");
  leaf.app->footer("Example: tq kv list --info-dir DIR -p train --json");
  return leaf;
}

KvLeaf add_clear(CLI::App& kv) {
  KvLeaf leaf = new_leaf(kv, "clear", "Remove samples: their rows, keys and metadata.", run_clear);
  add_partition(leaf)->required();
  leaf.app->add_option("keys", leaf.settings->keys, "Keys to clear")->type_name("KEY");
  leaf.app->add_flag("--all", leaf.settings->all, "The whole partition");
  leaf.app->footer("Example: tq kv clear --info-dir DIR -p train k1 k2");
  return leaf;
}

}  // namespace

Run add_kv(CLI::App& program) {
  CLI::App* kv = program.add_subcommand(
      "kv", "Put, get, list and clear samples by key, on running nodes (C++ or Python).");
  kv->require_subcommand(1);
  kv->footer(
      "'tq kv put --help' and so on tell more; the environment variable TQ_INFO_DIR saves "
      "--info-dir.");
  const Run chosen =
      run_chosen<KvSettings>({add_put(*kv), add_get(*kv), add_list(*kv), add_clear(*kv)});
  return [chosen] { return reaching(chosen); };
}

}  // namespace tq::cli
