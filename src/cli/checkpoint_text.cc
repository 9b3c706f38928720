// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/checkpoint_view.h"
#include "cli/table.h"

namespace tq::cli {
namespace {

using File = CheckpointView::File;
using Partition = CheckpointView::Partition;
using storage::FieldSummary;

const char* role_of(const File& file) { return file.is_controller ? "controller" : "storage unit"; }

std::string files_table(const CheckpointView& view) {
  Table table({"file", "node", "version>", "bytes>", "partitions>", "keys>", "samples>", "fields>",
               "checksums"});
  for (const File& file : view.files) {
    const bool is_read = file.problem.empty();
    const auto told = [&](bool has, size_t count) {
      return has && is_read ? fmt::format("{}", count) : std::string("-");
    };
    table.add({file.path, file.node().empty() ? "-" : file.node(),
               file.version ? fmt::format("{}", *file.version) : "-",
               file.size_bytes ? bytes_text(static_cast<double>(*file.size_bytes)) : "-",
               told(file.is_controller, file.partitions.size()),
               told(file.is_controller, file.keys()),
               told(true, static_cast<size_t>(file.samples())),
               told(!file.is_controller, file.unit.fields.size()), is_read ? "fine" : "DAMAGED"});
  }
  std::string text = table.text();
  for (const File& file : view.files) {
    if (!file.problem.empty()) text += fmt::format("! {}\n", file.problem);
  }
  return text;
}

std::string partitions_table(const CheckpointView& view) {
  Table table({"partition", "keys>", "samples>", "field or task", "samples>", ""});
  for (const File& file : view.files) {
    for (const Partition& partition : file.partitions) {
      std::string name = partition.id;
      std::string keys = fmt::format("{}", partition.keys);
      std::string samples = fmt::format("{}", partition.samples);
      const auto add = [&](const std::string& what, size_t count, const char* done) {
        table.add({name, keys, samples, what, fmt::format("{}", count), done});
        name = keys = samples = "";  // once is enough
      };
      for (const auto& [field, count] : partition.produced) add(field, count, "produced");
      for (const auto& [task, count] : partition.consumed) add(task, count, "consumed");
      if (!name.empty()) table.add({name, keys, samples, "-", "-", ""});
    }
  }
  return table.empty() ? "" : "\n" + table.text();
}

std::string fields_table(const CheckpointView& view) {
  Table table({"node", "field", "dtype", "shape", "rows>", "bytes>"});
  for (const File& file : view.files) {
    std::string name = file.node();
    for (const FieldSummary& field : file.unit.fields) {
      table.add({name, field.name, field.dtype.empty() ? "-" : field.dtype,
                 field.shape.empty() ? "-" : field.shape, fmt::format("{}", field.rows),
                 bytes_text(static_cast<double>(field.bytes))});
      name = "";
    }
  }
  return table.empty() ? "" : "\n" + table.text();
}

Json counts_json(const std::vector<std::pair<std::string, size_t>>& counts) {
  Json json = Json::object();
  for (const auto& [name, count] : counts) json[name] = count;
  return json;
}

Json file_json(const File& file) {
  Json json = {{"path", file.path},
               {"role", role_of(file)},
               {"node", file.node()},
               {"version", file.version ? Json(*file.version) : Json(nullptr)},
               {"size_bytes", file.size_bytes ? Json(*file.size_bytes) : Json(nullptr)},
               {"checksums_fine", file.problem.empty()}};
  if (!file.problem.empty()) {
    json["problem"] = file.problem;
    return json;
  }
  json["checksum"] = file.checksum;
  json["samples"] = file.samples();
  if (!file.is_controller) {
    json["fields"] = Json::object();
    for (const FieldSummary& field : file.unit.fields) {
      json["fields"][field.name] = {{"dtype", field.dtype},
                                    {"shape", field.shape},
                                    {"rows", field.rows},
                                    {"bytes", field.bytes}};
    }
    return json;
  }
  json["keys"] = file.keys();
  json["partitions"] = Json::object();
  for (const Partition& partition : file.partitions) {
    json["partitions"][partition.id] = {{"keys", partition.keys},
                                        {"samples", partition.samples},
                                        {"produced", counts_json(partition.produced)},
                                        {"consumed", counts_json(partition.consumed)}};
  }
  return json;
}

}  // namespace

std::string checkpoint_text(const CheckpointView& view) {
  std::string text = fmt::format("{}, saved {}\n", view.folder.string(), view.saved_at);
  if (!view.metadata.empty()) text += fmt::format("metadata {}\n", view.metadata.dump());
  if (!view.has_manifest) text += "no manifest, as a Python client saves\n";
  return text + "\n" + files_table(view) + partitions_table(view) + fields_table(view);
}

Json checkpoint_json(const CheckpointView& view) {
  Json json = {{"folder", view.folder.string()},
               {"saved_at", view.saved_at},
               {"metadata", view.metadata},
               {"has_manifest", view.has_manifest},
               {"files", Json::array()}};
  for (const File& file : view.files) json["files"].push_back(file_json(file));
  return json;
}

}  // namespace tq::cli
