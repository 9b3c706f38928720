// SPDX-License-Identifier: Apache-2.0
#include "cli/warm_memory.h"

#ifdef TQ_HAVE_MIMALLOC
#include <mimalloc.h>
#endif

namespace tq::cli {

void keep_memory_warm() noexcept {
#ifdef TQ_HAVE_MIMALLOC
  constexpr long kKeepMs = 10'000;
  mi_option_set_enabled_default(mi_option_large_os_pages, true);
  mi_option_set_default(mi_option_decommit_delay, kKeepMs);
  mi_option_set_default(mi_option_segment_decommit_delay, kKeepMs);
#endif
}

void release_kept_memory() noexcept {
#ifdef TQ_HAVE_MIMALLOC
  mi_collect(true);
#endif
}

}  // namespace tq::cli
