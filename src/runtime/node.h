// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/event_loop.h"
#include "transfer_queue/endpoint.h"

namespace tq::runtime {

/// How a node's sockets are opened.
struct NodeOptions {
  BindAddress bind;
  std::string advertise;  // the IP address that peers are told; the bound one when empty
  int backlog = 4096;     // connections that may wait to be accepted: trainers connect all at once
  AllowedPeers allowed;
  zmtp::CurvePointer curve{};  // who may come in by which key; nullptr: anybody, unencrypted
  HeavyRequest heavy;
  std::function<void()> when_idle;  // see EventLoop
  wire::Limits limits;
};

/// One actor served on its own sockets and thread. Starts in the constructor, stops
/// and joins in the destructor. With a fixed port in `options.bind` the sockets take it and the
/// ones after it, in the order of their names.
class Node {
 public:
  /// Throws Error(kUnavailable) when a socket cannot be bound.
  Node(std::unique_ptr<Actor> actor, std::string_view role,
       const std::vector<std::string>& socket_names, const NodeOptions& options);
  ~Node();
  /// Begins what the destructor waits for, so that several nodes can end at the same time. Does not
  /// block.
  void stop() noexcept { loop_->stop(); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const ServerInfo& info() const noexcept { return info_; }

 private:
  std::unique_ptr<Actor> actor_;
  ServerInfo info_;
  std::unique_ptr<EventLoop> loop_;
  std::thread thread_;
};

}  // namespace tq::runtime
