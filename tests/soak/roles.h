// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "soak/session.h"

/// What a worker's threads do until the session ends; each then clears what it put.
namespace tq::soak {

/// Puts, overwrites, reads, lists and clears batches of keys of its own, and reads those of others.
void work_on_keys(Session& session, uint64_t seed);

/// Fills partitions for two tasks, one after the other, and clears each when both have consumed it.
void produce(Session& session, uint64_t seed);

/// Fetches of what producers put, for either task, and reads it.
void consume(Session& session, uint64_t seed);

/// Clears the partitions of a worker that was killed.
void inherit(Session& session, int number);

/// Clears all partitions, until there are none.
void clear_all(Session& session);

}  // namespace tq::soak
