// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "manager/connection_pool.h"
#include "metrics/families.h"
#include "metrics/http_server.h"
#include "transfer_queue/endpoint.h"

namespace tq::metrics {

struct ExporterOptions {
  std::string host;
  int port = 0;                   // 0: a free one
  std::vector<ServerInfo> nodes;  // of this process
  /// With a controller: the folder of which the storage-N.json name all storage units, read at each
  /// scrape. Empty: the units of this process.
  std::filesystem::path units_dir;
  /// For all nodes together to answer a scrape.
  std::chrono::milliseconds timeout{2000};
  zmtp::CurvePointer curve{};  // as a client of these nodes
};

/// Serves /metrics for Prometheus, /healthz (the nodes of this process answer) and /readyz (and
/// clients can find them). Asks nodes by GET_METRICS over their own sockets, so their loops know
/// nothing of it. Thread-safe; the destructor ends its threads.
class Exporter {
 public:
  /// Throws Error(kUnavailable) when it cannot listen.
  explicit Exporter(ExporterOptions options);

  void set_ready(bool ready) noexcept { is_ready_ = ready; }
  /// "http://127.0.0.1:9400".
  std::string url() const;

 private:
  struct Asked {
    std::vector<ServerInfo> nodes;  // own ones first
    std::vector<Result<manager::NodeMetrics>> answers;
  };

  std::vector<ServerInfo> other_units() const;
  Asked ask(std::vector<ServerInfo> nodes);
  Scrape scrape();
  HttpAnswer metrics_page();
  HttpAnswer health_page();
  HttpAnswer ready_page();

  const ExporterOptions options_;
  const bool has_controller_;
  std::atomic<bool> is_ready_{false};
  manager::ConnectionPool pool_;
  std::mutex scraping_;  // one at a time: a second one would only ask the same nodes again
  HttpServer server_;    // last: its threads use all of the above
};

}  // namespace tq::metrics
