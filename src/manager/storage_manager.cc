// SPDX-License-Identifier: Apache-2.0
#include "manager/storage_manager.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "manager/get_message.h"
#include "manager/put_message.h"
#include "wire/messages.h"
#include "wire/missing_rows.h"

namespace tq::manager {
namespace {

constexpr const char* kSocket = "put_get_socket";
constexpr const char* kLost =
    " (the unit was restarted since this client joined; what it held before is lost)";
constexpr const char* kMissing =
    " (never put, cleared meanwhile, or lost when the unit was restarted before this client "
    "joined)";

// Units of both languages speak of their capacity when they are full, and name no kind of error.
ErrorCode code_of(const std::string& message) {
  const bool is_full = message.find("capacity") != std::string::npos ||
                       message.find("out of memory") != std::string::npos;
  return is_full ? ErrorCode::kCapacity : ErrorCode::kInvalidArgument;
}

// Units mark a row that they do not have since 0.1.11, and never a field of which they have no row
// at all: a unit that was restarted and got no put since. Python's has one beginning for both.
bool is_missing(const std::string& message) {
  const auto has = [&](std::string_view text) { return message.find(text) != std::string::npos; };
  return message.starts_with(wire::kKeyNotFound) ||
         has(fmt::format(" cannot get the data: {}", wire::kNoField)) ||
         (has("StorageUnitData get_data: ") && has(" not found"));
}

// The first few samples of a group, for errors.
std::string samples_of(const RoutingGroup& group) {
  constexpr size_t kShown = 5;
  const size_t shown = std::min(kShown, group.global_indexes.size());
  const std::vector<int64_t> first(group.global_indexes.begin(),
                                   group.global_indexes.begin() + static_cast<ptrdiff_t>(shown));
  return fmt::format("{} samples (global indexes {}{})", group.global_indexes.size(),
                     fmt::join(first, ", "), shown < group.global_indexes.size() ? ", ..." : "");
}

void pack_indexes(wire::Encoder& e, const std::vector<int64_t>& global_indexes) {
  e.str("global_indexes");
  wire::pack_field(e, global_indexes);
}

// The positions of all rows.
std::vector<size_t> positions_below(size_t rows) {
  std::vector<size_t> positions(rows);
  std::iota(positions.begin(), positions.end(), size_t{0});
  return positions;
}

void pack_no_indexes(wire::Encoder& e, const RoutingGroup&) { pack_indexes(e, {}); }

}  // namespace

void StorageManager::note_incarnation(size_t unit, const wire::Envelope& reply) {
  // A node draws its id anew at each start; Python's nodes as well as ours send it with every
  // reply.
  const std::lock_guard lock(mutex_);
  std::string& known = incarnations_[unit];
  if (known.empty()) known = units_[unit].id;
  if (known == reply.sender_id) return;
  known = reply.sender_id;
  restarted_.insert(unit);
}

bool StorageManager::was_restarted(size_t unit) {
  const std::lock_guard lock(mutex_);
  return restarted_.contains(unit);
}

Error StorageManager::refusal(const char* type, const RoutingGroup& group,
                              const wire::Envelope& reply) {
  const std::string* text = message_of(reply);
  std::string message = text != nullptr ? *text : fmt::format("it answered {}", reply.request_type);
  const bool missing = is_missing(message);
  const ErrorCode code = missing ? ErrorCode::kNotFound : code_of(message);
  constexpr std::string_view kMarker = wire::kKeyNotFound;
  if (message.starts_with(kMarker)) message.erase(0, kMarker.size());
  if (missing) message += was_restarted(group.unit) ? kLost : kMissing;
  return Error(code, fmt::format("{} of {} at {} failed: {}", type, samples_of(group),
                                 describe(units_[group.unit], kSocket), message));
}

Outgoing StorageManager::request(const char* type, size_t body_keys, const RoutingGroup& group,
                                 const Body& body) {
  const wire::Extension extension{wire::Extension::kVersion, new_request_id(), ""};
  const ServerInfo& unit = units_[group.unit];
  return {&unit, kSocket,
          wire::pack_message({type, id_, unit.id},
                             [&](wire::Encoder& e) {
                               e.map(body_keys + 1);
                               body(e, group);
                               wire::internal::pack_extension(e, extension);
                             }),
          extension.request_id, type};
}

void StorageManager::greet(const char* call, const std::vector<RoutingGroup>& groups,
                           Deadline deadline) {
  std::vector<Outgoing> greetings;
  for (const RoutingGroup& group : groups) {
    // An order to clear nothing: the smallest request that units of every version answer.
    if (pool_.has_answered(units_[group.unit].endpoint(kSocket))) continue;
    greetings.push_back(request("CLEAR_DATA", 1, group, pack_no_indexes));
    greetings.back().what = call;
  }
  const Deadline soon = std::chrono::steady_clock::now() + kFirstContactMax;
  for (Answer& answer : exchange(pool_, std::move(greetings), std::min(deadline, soon))) {
    answer.value();
  }
}

std::vector<Answer> StorageManager::ask(const char* type, const char* reply_type, size_t body_keys,
                                        const std::vector<RoutingGroup>& groups, const Body& body,
                                        Deadline deadline, const Landing* landing) {
  std::vector<Outgoing> requests;
  for (const RoutingGroup& group : groups) {
    requests.push_back(request(type, body_keys, group, body));
    if (landing != nullptr) requests.back().placement = landing->placement_of(group);
  }
  std::vector<Answer> answers = exchange(pool_, std::move(requests), deadline);
  for (size_t k = 0; k < groups.size(); ++k) {
    if (!answers[k].ok()) continue;
    note_incarnation(groups[k].unit, *answers[k]);
    if (answers[k]->request_type != reply_type) {
      answers[k] = refusal(type, groups[k], *answers[k]);
    }
  }
  return answers;
}

void StorageManager::put(const Batch& batch, std::span<const int64_t> indexes, Deadline deadline) {
  const std::vector<RoutingGroup> groups = route(indexes, units_.size());
  try {
    greet("PUT", groups, deadline);
  } catch (const Error& error) {
    throw PartialPutError(error, positions_below(indexes.size()));
  }
  const std::vector<Answer> answers = ask(
      "PUT", "PUT_DATA_RESPONSE", 3, groups,
      [&](wire::Encoder& e, const RoutingGroup& group) {
        pack_indexes(e, group.global_indexes);
        e.str("data");
        pack_columns(e, batch, group);
        e.str("data_parser");
        e.nil();
      },
      deadline);
  const Error* first = nullptr;
  std::vector<size_t> not_stored;
  for (size_t k = 0; k < groups.size(); ++k) {
    if (answers[k].ok()) continue;
    if (first == nullptr) first = &answers[k].error();
    not_stored.insert(not_stored.end(), groups[k].batch_positions.begin(),
                      groups[k].batch_positions.end());
  }
  if (first == nullptr) return;
  std::sort(not_stored.begin(), not_stored.end());
  throw PartialPutError(*first, std::move(not_stored));
}

Batch StorageManager::get(std::span<const int64_t> indexes, const std::vector<std::string>& fields,
                          Deadline deadline, const Landing* landing) {
  const std::vector<RoutingGroup> groups = route(indexes, units_.size());
  greet("GET", groups, deadline);
  std::vector<Answer> replies = ask(
      "GET", "GET_DATA_RESPONSE", 2, groups,
      [&](wire::Encoder& e, const RoutingGroup& group) {
        e.str("fields");
        wire::pack_field(e, landing != nullptr ? landing->fields() : fields);
        pack_indexes(e, group.global_indexes);
      },
      deadline, landing);
  std::vector<Value> parts;
  for (size_t k = 0; k < groups.size(); ++k) {
    Value* data = replies[k].value().body.find("data");
    parts.push_back(data != nullptr ? std::move(*data) : Value());
    try {
      check_part(fields, groups[k], parts.back());
    } catch (const Error& error) {
      throw Error(error.code(),
                  fmt::format("{} answered GET with something else: {}",
                              describe(units_[groups[k].unit], kSocket), error.what()));
    }
  }
  return assemble(fields, groups, std::move(parts), indexes.size());
}

void StorageManager::clear(std::span<const int64_t> indexes, Deadline deadline) {
  const std::vector<RoutingGroup> groups = route(indexes, units_.size());
  greet("CLEAR_DATA", groups, deadline);
  std::vector<Answer> answers = ask(
      "CLEAR_DATA", "CLEAR_DATA_RESPONSE", 1, groups,
      [&](wire::Encoder& e, const RoutingGroup& group) { pack_indexes(e, group.global_indexes); },
      deadline);
  for (Answer& answer : answers) answer.value();
}

}  // namespace tq::manager
