// SPDX-License-Identifier: Apache-2.0
#include "wire/checkpoint_extension.h"

#include <fmt/format.h>

#include "transfer_queue/error.h"
#include "wire/pack.h"
#include "wire/unpack.h"

namespace tq::wire {
namespace {

constexpr const char* kKey = "checkpoint";

const Value* find_checkpoint(const Value& body) {
  const Value* extension = body.find(Extension::kKey);
  const Value* checkpoint = extension != nullptr ? extension->find(kKey) : nullptr;
  return checkpoint != nullptr && !checkpoint->is_nil() ? checkpoint : nullptr;
}

template <class T>
void read_key(Value& map, const char* name, const Path& path, const Limits& limits, T& out) {
  Value* value = map.find(name);
  if (value != nullptr) unpack_field(*value, Path{&path, name, std::nullopt}, limits, out);
}

void check_share(const char* name, int64_t unit, int64_t units) {
  if (units > 0 && unit >= 0 && unit < units) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("body.x_tq.checkpoint.{}: there is no unit {} of {}", name, unit, units));
}

}  // namespace

Map CheckpointOrder::to_extension() const {
  Array list;
  for (const CheckpointFile& file : files) {
    Map entry{{"path", file.path}, {"unit", file.unit}};
    if (file.checksum) entry.emplace_back("checksum", *file.checksum);
    list.emplace_back(std::move(entry));
  }
  return Map{{kKey, Map{{"phase", phase},
                        {"token", token},
                        {"unit", unit},
                        {"units", units},
                        {"saved_units", saved_units},
                        {"files", std::move(list)}}}};
}

std::optional<CheckpointOrder> CheckpointOrder::of(const Value& body, const Limits& limits) {
  const Value* found = find_checkpoint(body);
  if (found == nullptr) return std::nullopt;
  Value map = *found;
  const Path root{nullptr, "body.x_tq.checkpoint", std::nullopt};
  entries_of(map, root, limits);
  CheckpointOrder order;
  read_key(map, "phase", root, limits, order.phase);
  read_key(map, "token", root, limits, order.token);
  read_key(map, "unit", root, limits, order.unit);
  read_key(map, "units", root, limits, order.units);
  read_key(map, "saved_units", root, limits, order.saved_units);
  check_share("unit", order.unit, order.units);
  if (Value* files = map.find("files")) {
    const Path path{&root, "files", std::nullopt};
    for (Value& entry : items_of(*files, path, limits)) {
      entries_of(entry, path, limits);
      CheckpointFile& file = order.files.emplace_back();
      read_key(entry, "path", path, limits, file.path);
      read_key(entry, "unit", path, limits, file.unit);
      read_key(entry, "checksum", path, limits, file.checksum);
      check_share("files", file.unit, order.saved_units);
    }
  }
  return order;
}

Map CheckpointReceipt::to_extension() const {
  return Map{{kKey, Map{{"size_bytes", size_bytes}, {"checksum", checksum}}}};
}

std::optional<CheckpointReceipt> CheckpointReceipt::of(const Value& body) {
  const Value* found = find_checkpoint(body);
  const Value* size = found != nullptr ? found->find("size_bytes") : nullptr;
  const Value* checksum = found != nullptr ? found->find("checksum") : nullptr;
  if (size == nullptr || checksum == nullptr) return std::nullopt;
  const int64_t* bytes = size->get_if<int64_t>();
  const std::string* text = checksum->get_if<std::string>();
  if (bytes == nullptr || text == nullptr) return std::nullopt;
  return CheckpointReceipt{*bytes, *text};
}

}  // namespace tq::wire
