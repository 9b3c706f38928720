// SPDX-License-Identifier: Apache-2.0
#include "ssd/segment.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "ssd/folder.h"
#include "transfer_queue/error.h"

namespace tq::ssd {
namespace {

// What goes to the kernel in one call: enough for a disk, few enough for its list of pieces.
constexpr size_t kFlushBytes = size_t{8} << 20;
constexpr size_t kFlushPieces = 512;

[[noreturn]] void fail(const char* what, const Segment& segment, const std::string& why) {
  throw Error(ErrorCode::kUnavailable, fmt::format("cannot {} {}: {}", what, segment.path(), why));
}

// Drops the first `written` bytes of the pieces from `first` on; the piece to go on with.
size_t advance(std::vector<iovec>& pieces, size_t first, size_t written) {
  while (first < pieces.size() && written >= pieces[first].iov_len) {
    written -= pieces[first++].iov_len;
  }
  if (written > 0) {
    pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + written;
    pieces[first].iov_len -= written;
  }
  return first;
}

}  // namespace

Segment::~Segment() { folder_->discard(name_); }

std::string Segment::path() const { return (folder_->path() / name_).string(); }

void Segment::release(const Extent& extent) const noexcept { folder_->release(name_, extent); }

SegmentWriter::SegmentWriter(std::shared_ptr<Folder> folder) {
  std::string name = folder->next_name();
  Folder& in = *folder;
  segment_ = std::make_shared<const Segment>(std::move(folder), std::move(name));
  file_ = in.open(segment_->name(), O_WRONLY | O_CREAT | O_EXCL);
  if (!file_.is_open()) fail("write", *segment_, std::generic_category().message(errno));
}

Extent SegmentWriter::append(std::vector<Slice> slices) {
  Extent extent{end_, 0};
  for (Slice& slice : slices) {
    if (slice.empty()) continue;
    extent.size += slice.size;
    pending_bytes_ += slice.size;
    pending_.push_back(std::move(slice));
    if (pending_.size() == kFlushPieces) flush();
  }
  end_ += extent.size;
  if (pending_bytes_ >= kFlushBytes) flush();
  return extent;
}

void SegmentWriter::flush() {
  std::vector<iovec> pieces;
  pieces.reserve(pending_.size());
  for (const Slice& slice : pending_) {
    pieces.push_back({const_cast<std::byte*>(slice.data), slice.size});
  }
  for (size_t first = 0; first < pieces.size();) {
    const ssize_t written =
        ::writev(file_.get(), &pieces[first], static_cast<int>(pieces.size() - first));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      fail("write", *segment_, std::generic_category().message(written < 0 ? errno : ENOSPC));
    }
    first = advance(pieces, first, static_cast<size_t>(written));
  }
  pending_.clear();
  pending_bytes_ = 0;
}

std::shared_ptr<const Segment> SegmentWriter::finish() {
  flush();
  // Some file systems tell only here that there is no room.
  if (::close(file_.release()) != 0) {
    fail("write", *segment_, std::generic_category().message(errno));
  }
  return std::move(segment_);
}

SegmentReader::SegmentReader(const Segment& segment)
    : segment_(segment), file_(segment.folder().open(segment.name(), O_RDONLY)) {
  if (!file_.is_open()) fail("read", segment, std::generic_category().message(errno));
}

void SegmentReader::read(const Extent& extent, std::byte* to) const {
  for (uint64_t done = 0; done < extent.size;) {
    const ssize_t got = ::pread(file_.get(), to + done, extent.size - done,
                                static_cast<off_t>(extent.offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", segment_, std::generic_category().message(errno));
    if (got == 0) {
      fail("read", segment_,
           fmt::format("it ends after {} of the {} bytes from byte {} on; it was cut off", done,
                       extent.size, extent.offset));
    }
    done += static_cast<uint64_t>(got);
  }
}

}  // namespace tq::ssd
