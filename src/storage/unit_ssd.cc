// SPDX-License-Identifier: Apache-2.0
// The requests of a storage unit that wait for an SSD. Others are served meanwhile, but for those
// that would overtake a put of the same samples: puts and clears of what is being written go behind
// it, so that they take effect in the order in which they came.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "checkpoint/file.h"
#include "storage/get_reply.h"
#include "storage/storage_unit.h"
#include "storage/unit_replies.h"

namespace tq::storage {
namespace {

using runtime::Job;
using runtime::Lane;
using runtime::Reply;
using wire::Envelope;

struct Nothing {};

template <class T, class Work, class Done>
Job make_job(Lane lane, Work work, Done done) {
  Job job = checkpoint::make_job<T>(std::move(work), std::move(done));
  job.lane = lane;
  return job;
}

}  // namespace

std::function<void()> StorageUnit::take_chores() {
  return ssd_ != nullptr ? ssd_->folder->take_chores() : nullptr;
}

bool StorageUnit::is_being_written(const wire::Indexes& indexes) const noexcept {
  return !writing_.empty() && std::any_of(indexes.begin(), indexes.end(), [this](int64_t index) {
    return writing_.contains(index);
  });
}

void StorageUnit::begin_job(const wire::Indexes& written) {
  if (ssd_jobs_ >= config_.limits.waiting_max) {
    throw Error(ErrorCode::kLimit,
                fmt::format("{} requests wait for the SSD already, the most that this node keeps "
                            "waiting; try again later",
                            ssd_jobs_));
  }
  writing_.reserve(written.size() + 1);  // so that end_job() needs no memory
  ++ssd_jobs_;
  for (int64_t index : written) {
    const uint32_t* jobs = writing_.find(index);
    writing_.set(index, jobs != nullptr ? *jobs + 1 : 1);
  }
}

void StorageUnit::end_job(const wire::Indexes& written) noexcept {
  --ssd_jobs_;
  for (int64_t index : written) {
    const uint32_t jobs = *writing_.find(index);
    if (jobs > 1) {
      writing_.set(index, jobs - 1);
    } else {
      writing_.erase(index);
    }
  }
}

Job StorageUnit::put_later(const Envelope& request, Incoming incoming, SsdPlan plan) {
  store_.check(incoming, plan.bytes);
  begin_job(incoming.indexes);
  auto put = std::make_shared<Incoming>(std::move(incoming));
  auto work = [put, plan = std::move(plan), offload = ssd_] {
    offload_rows(*put, plan, offload);
    return Nothing{};
  };
  auto done = [this, request, put](const Result<Nothing>&) -> Reply {
    end_job(put->indexes);
    return std::get<Reply>(guarded<wire::PutData>(
        request, [&]() -> runtime::Outcome { return put_reply(request, std::move(*put)); }));
  };
  return make_job<Nothing>(Lane::kWrites, std::move(work), std::move(done));
}

Job StorageUnit::clear_later(const Envelope& request, wire::Indexes indexes) {
  begin_job(indexes);
  auto done = [this, request, indexes = std::move(indexes)](const Result<Nothing>&) -> Reply {
    end_job(indexes);
    return std::get<Reply>(guarded<wire::ClearData>(
        request, [&]() -> runtime::Outcome { return clear_reply(request, indexes); }));
  };
  return make_job<Nothing>(
      Lane::kWrites, [] { return Nothing{}; }, std::move(done));
}

Job StorageUnit::get_later(const Envelope& request, std::shared_ptr<SsdGet> rows,
                           wire::GetData get) {
  begin_job({});
  rows->pin();
  auto work = [rows, limits = config_.limits] {
    rows->load(limits);
    return Nothing{};
  };
  auto done = [this, request, rows, get = std::move(get)](const Result<Nothing>& loaded) -> Reply {
    end_job({});
    if (!loaded.ok()) return refuse<wire::GetData>(request, loaded.error());
    return std::get<Reply>(guarded<wire::GetData>(request, [&]() -> runtime::Outcome {
      const auto rows_of = [&](const std::string& field) { return rows->rows(field); };
      const size_t stored = store_.bytes_stored() + rows->bytes_loaded();
      return with_samples(
          {get_reply(rows_of, stored, id_, request, get.fields_, config_.limits), {}},
          get.global_indexes.size());
    }));
  };
  return make_job<Nothing>(Lane::kReads, std::move(work), std::move(done));
}

}  // namespace tq::storage
