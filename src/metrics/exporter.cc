// SPDX-License-Identifier: Apache-2.0
#include "metrics/exporter.h"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "runtime/unit_file.h"

namespace tq::metrics {
namespace {

// Units of 0.1.11 answer peers of certain names only; upstream's own collector has this one.
constexpr const char* kSenderId = "metrics_collector";
constexpr std::chrono::seconds kHealthTimeout{1};

bool is_controller(const ServerInfo& node) { return node.role == ServerInfo::kControllerRole; }

}  // namespace

Exporter::Exporter(ExporterOptions options)
    : options_(std::move(options)),
      has_controller_(std::any_of(options_.nodes.begin(), options_.nodes.end(), is_controller)),
      pool_("TQ_STORAGE_metrics_collector_", options_.curve),
      server_(options_.host, options_.port,
              {{"/metrics", [this] { return metrics_page(); }},
               {"/healthz", [this] { return health_page(); }},
               {"/readyz", [this] { return ready_page(); }}}) {}

std::string Exporter::url() const {
  const std::string endpoint = tcp_endpoint(options_.host, server_.port());
  return "http" + endpoint.substr(endpoint.find(':'));
}

// The units that the folder names and that are not of this process.
std::vector<ServerInfo> Exporter::other_units() const {
  std::map<int, ServerInfo> units;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.units_dir, error)) {
    const std::optional<int> number = runtime::unit_number(entry.path());
    if (!number) continue;
    try {
      ServerInfo unit = ServerInfo::read(entry.path());
      unit.endpoint("put_get_socket");  // throws where there is none
      const bool is_own = std::any_of(options_.nodes.begin(), options_.nodes.end(),
                                      [&](const ServerInfo& node) { return node.id == unit.id; });
      if (!is_own) units.emplace(*number, std::move(unit));
    } catch (const Error& problem) {
      spdlog::warn("metrics leave out a storage unit: {}", problem.what());
    }
  }
  std::vector<ServerInfo> found;
  found.reserve(units.size());
  for (auto& [number, unit] : units) found.push_back(std::move(unit));
  return found;
}

Exporter::Asked Exporter::ask(std::vector<ServerInfo> nodes) {
  Asked asked{std::move(nodes), {}};
  asked.answers = manager::ask_metrics(pool_, kSenderId, asked.nodes,
                                       std::chrono::steady_clock::now() + options_.timeout);
  return asked;
}

Scrape Exporter::scrape() {
  std::vector<ServerInfo> nodes = options_.nodes;
  if (has_controller_ && !options_.units_dir.empty()) {
    for (ServerInfo& unit : other_units()) nodes.push_back(std::move(unit));
  }
  Asked asked = ask(std::move(nodes));
  Scrape scrape;
  for (size_t i = 0; i < asked.nodes.size(); ++i) {
    const bool is_own = i < options_.nodes.size();
    Result<manager::NodeMetrics>& answer = asked.answers[i];
    if (!answer) {
      spdlog::warn("metrics: {}", answer.error().what());
      if (!is_controller(asked.nodes[i])) scrape.silent_units.push_back(asked.nodes[i].id);
    } else if (is_controller(asked.nodes[i])) {
      scrape.controllers.push_back(std::move(*answer));
    } else {
      if (is_own) scrape.own_units.push_back(*answer);
      scrape.units.push_back(std::move(*answer));
    }
  }
  return scrape;
}

HttpAnswer Exporter::metrics_page() {
  const std::lock_guard lock(scraping_);
  return {200, "text/plain; version=0.0.4; charset=utf-8",
          prometheus::TextSerializer().Serialize(families(scrape()))};
}

HttpAnswer Exporter::health_page() {
  const auto answers = manager::ask_metrics(pool_, kSenderId, options_.nodes,
                                            std::chrono::steady_clock::now() + kHealthTimeout);
  for (const auto& answer : answers) {
    if (!answer.ok()) {
      return {503, "text/plain; charset=utf-8", fmt::format("{}\n", answer.error().what())};
    }
  }
  return {200, "text/plain; charset=utf-8", "ok\n"};
}

HttpAnswer Exporter::ready_page() {
  if (!is_ready_) {
    return {503, "text/plain; charset=utf-8", "the nodes' addresses are not published\n"};
  }
  return health_page();
}

}  // namespace tq::metrics
