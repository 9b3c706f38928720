// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/cluster_view.h"
#include "cli/json_value.h"

namespace tq::cli {

/// What `tq status` prints of a view; with an earlier one, rates since then.
std::string status_text(const ClusterView& view, const ClusterView* before);
Json status_json(const ClusterView& view, const ClusterView* before);

}  // namespace tq::cli
