// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <random>
#include <set>

#include "cli/doctor_checks.h"
#include "cli/table.h"
#include "manager/node_metrics.h"
#include "wire/pack.h"

namespace tq::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Level = Finding::Level;
using manager::NodeMetrics;

// A round trip on one machine takes a tenth of a millisecond, in one data centre less than one.
constexpr double kSlowMs = 50;
constexpr double kAlmostFull = 0.9;
constexpr double kMuchUnsent = 256 << 20;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

class NodeChecks {
 public:
  NodeChecks(const AddressFiles& nodes, std::chrono::milliseconds deadline,
             const zmtp::CurvePointer& curve, Findings& findings)
      : nodes_(nodes),
        deadline_(deadline),
        id_(fmt::format("TQ_DOCTOR_{:08x}", std::random_device{}())),
        pool_("TQ_STORAGE_" + id_ + "_", curve),
        findings_(findings) {}

  void check() {
    if (nodes_.controller) check_controller(*nodes_.controller);
    check_units();
    check_versions();
  }

 private:
  manager::Deadline until() const { return Clock::now() + deadline_; }
  void say(Level level, const std::string& subject, std::string text, std::string advice = "") {
    findings_.push_back({level, subject, std::move(text), std::move(advice)});
  }
  void say_silent(const std::string& name, const Error& error) {
    say(Level::kProblem, name, error.what(),
        "see what its log says; continue it if it was stopped (kill -CONT), else start it again: a "
        "node that ends well removes its address file, so this one died, or the file is not of "
        "this "
        "machine");
  }
  // Whether the node is the one of its file.
  bool check_name(const std::string& name, const ServerInfo& info, const std::string& told) {
    if (told == info.id) return true;
    say(Level::kProblem, name,
        fmt::format("at its address answers {}, not {}: another node took the port", told, info.id),
        "remove the file and start the node that it was of; clients must read the addresses again");
    return false;
  }

  void check_controller(const ServerInfo& info);
  void check_units();
  void check_unit(const std::string& name, const NodeMetrics& unit, double round_trip_ms);
  void check_room(const std::string& name, const std::string& what, double used, double capacity,
                  const std::string& flag);
  void check_ours(const std::string& name, const NodeMetrics& node);
  void check_versions();
  double round_trip(const ServerInfo& node);

  const AddressFiles& nodes_;
  const std::chrono::milliseconds deadline_;
  const std::string id_;
  manager::ConnectionPool pool_;
  Findings& findings_;
  std::set<std::string> versions_;  // of C++ nodes
};

void NodeChecks::check_controller(const ServerInfo& info) {
  const wire::Extension extension{wire::Extension::kVersion, manager::new_request_id(), ""};
  const char* socket = "request_handle_socket";
  std::vector<manager::Outgoing> requests;
  // Python's controller acknowledges on a socket for handshakes alone.
  for (const auto& [name, port] : info.ports) {
    if (name == "handshake_socket") socket = "handshake_socket";
  }
  requests.push_back({&info, socket,
                      wire::pack_request(id_, info.id, wire::Handshake{id_, "doctor"}, extension),
                      extension.request_id, wire::Handshake::kType.data()});
  const auto begin = Clock::now();
  auto answers = manager::exchange(pool_, std::move(requests), until());
  const double took_ms = ms_since(begin);
  if (!answers[0].ok()) return say_silent("controller", answers[0].error());
  const wire::Envelope& reply = *answers[0];
  if (reply.request_type != wire::HandshakeAck::kType) {
    return say(Level::kProblem, "controller",
               fmt::format("{} answers a handshake with {}: it is no controller",
                           manager::describe(info, socket), reply.request_type),
               "give the controller's own address file");
  }
  if (!check_name("controller", info, reply.sender_id)) return;
  if (!wire::extension_of(reply.body)) {
    return say(Level::kOk, "controller",
               fmt::format("{}, a Python node, answers in {:.1f} ms", info.id, took_ms));
  }
  auto metrics = manager::ask_metrics(pool_, id_, {info}, until());
  if (!metrics[0].ok()) return say_silent("controller", metrics[0].error());
  say(Level::kOk, "controller",
      fmt::format("{}, C++ {}, up {}, answers in {:.1f} ms", info.id, metrics[0]->version,
                  duration_text(metrics[0]->uptime_s), round_trip(info)));
  check_ours("controller", *metrics[0]);
}

void NodeChecks::check_units() {
  std::vector<ServerInfo> units;
  for (const auto& [name, unit] : nodes_.units) units.push_back(unit);
  auto answers = manager::ask_metrics(pool_, id_, units, until());
  for (size_t i = 0; i < answers.size(); ++i) {
    const auto& [name, info] = nodes_.units[i];
    if (!answers[i].ok() && answers[i].error().code() == ErrorCode::kUnsupported) {
      say(Level::kOk, name, fmt::format("{}, a Python node of before 0.1.8, answers", info.id));
    } else if (!answers[i].ok()) {
      say_silent(name, answers[i].error());
    } else if (check_name(name, info, answers[i]->sender_id)) {
      check_unit(name, *answers[i], round_trip(info));
    }
  }
}

double NodeChecks::round_trip(const ServerInfo& node) {
  const auto begin = Clock::now();
  manager::ask_metrics(pool_, id_, {node}, until());
  return ms_since(begin);
}

void NodeChecks::check_unit(const std::string& name, const NodeMetrics& unit,
                            double round_trip_ms) {
  const size_t before = findings_.size();
  const auto& told = unit.upstream;
  if (round_trip_ms > kSlowMs) {
    say(Level::kWarning, name, fmt::format("a round trip takes {:.0f} ms", round_trip_ms),
        "it is busy or far away: see its log for heavy requests, its machine's load, the network");
  }
  if (told.capacity) {
    check_room(name, "samples", static_cast<double>(told.active_keys),
               static_cast<double>(*told.capacity), "--capacity");
  }
  check_room(name, "bytes", unit.gauge("tq_storage_stored_bytes"),
             unit.gauge("tq_storage_capacity_bytes"), "--capacity-bytes");
  check_ours(name, unit);
  if (findings_.size() > before) return;
  say(Level::kOk, name,
      unit.is_ours ? fmt::format("{}, C++ {}, up {}, {} samples, {}, answers in {:.1f} ms",
                                 told.storage_unit_id, unit.version, duration_text(unit.uptime_s),
                                 told.active_keys,
                                 bytes_text(unit.gauge("tq_storage_stored_bytes")), round_trip_ms)
                   : fmt::format("{}, a Python node, {} samples, answers in {:.1f} ms",
                                 told.storage_unit_id, told.active_keys, round_trip_ms));
}

void NodeChecks::check_room(const std::string& name, const std::string& what, double used,
                            double capacity, const std::string& flag) {
  if (capacity <= 0 || used < kAlmostFull * capacity) return;
  const bool is_bytes = what == "bytes";
  say(used >= capacity ? Level::kProblem : Level::kWarning, name,
      fmt::format("it is {} full: {} of {}{}", percent_text(used, capacity),
                  is_bytes ? bytes_text(used) : fmt::format("{:.0f}", used),
                  is_bytes ? bytes_text(capacity) : fmt::format("{:.0f}", capacity),
                  is_bytes ? "" : " " + what),
      fmt::format("clear samples that are consumed (clear_samples, 'tq kv clear'), add units, or "
                  "start it with a larger {}",
                  flag));
}

void NodeChecks::check_ours(const std::string& name, const NodeMetrics& node) {
  if (!node.is_ours) return;
  versions_.insert(node.version);
  if (static_cast<double>(node.unsent_bytes) > kMuchUnsent) {
    say(Level::kWarning, name,
        fmt::format("{} of replies wait for peers that do not read them",
                    bytes_text(static_cast<double>(node.unsent_bytes))),
        "find the client that asked and stopped reading");
  }
  for (const auto& [reason, count] : node.refusals) {
    if (reason != "capacity" && reason != "undecodable") continue;
    say(Level::kWarning, name,
        reason == "capacity" ? fmt::format("{} put{} refused since it started, for it was full",
                                           count, count == 1 ? " was" : "s were")
                             : fmt::format("{} message{} could not be decoded since it started",
                                           count, count == 1 ? "" : "s"),
        reason == "capacity" ? "clear samples sooner, add units, or raise its capacity"
                             : "its log names the peers: they are of another protocol, or broken");
  }
}

void NodeChecks::check_versions() {
  if (versions_.empty()) return;
  versions_.insert(TQ_VERSION);
  if (versions_.size() == 1) return;
  std::string all;
  for (const std::string& version : versions_) all += (all.empty() ? "" : ", ") + version;
  say(Level::kWarning, "versions",
      fmt::format("nodes and this program are of different versions: {}", all),
      "they work together; update the older ones when convenient");
}

}  // namespace

void check_nodes(const AddressFiles& nodes, std::chrono::milliseconds deadline,
                 const zmtp::CurvePointer& curve, Findings& findings) {
  NodeChecks(nodes, deadline, curve, findings).check();
}

}  // namespace tq::cli
