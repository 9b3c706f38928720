// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "controller/partition.h"
#include "wire/batch_meta.h"

namespace tq::controller {

/// How BatchMeta.production_status is filled.
enum class Production {
  kNone,     // 0: the samples are to be produced (insert)
  kAll,      // 1: the caller chose produced samples
  kAsKnown,  // 1 where all those of the fields that are registered are produced
};

/// The metadata of some samples of a partition and of those of the fields that it knows, in the
/// order of both lists. With kNone, the fields that it does not know follow without dtype and
/// shape, so that the client can put them.
wire::BatchMeta make_batch_meta(const Partition& partition, wire::Indexes samples,
                                const wire::Names& fields, Production production);

}  // namespace tq::controller
