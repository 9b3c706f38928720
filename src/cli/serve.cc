// SPDX-License-Identifier: Apache-2.0
#include "cli/serve.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/node_options.h"
#include "cli/service_manager.h"

namespace tq::cli {

void serve_until_stopped(std::string_view what, metrics::Exporter* exporter,
                         const StopSettings& stop) {
  fmt::print("ready: {}{}\n", what, metrics_note(exporter));
  if (exporter != nullptr) exporter->set_ready(true);
  std::fflush(stdout);
  notify_ready();
  wait_for_stop(stop);
  if (exporter != nullptr) exporter->set_ready(false);
}

}  // namespace tq::cli
