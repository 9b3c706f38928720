// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/router_socket.h"
#include "runtime/wakeup.h"
#include "transfer_queue/endpoint.h"

namespace tq::test {

/// A RouterSocket served on a thread of its own, as the event loop serves it, but with any frames.
class RouterNode {
 public:
  using Handler = std::function<void(runtime::RouterSocket&, runtime::Incoming)>;

  static void echo(runtime::RouterSocket& socket, runtime::Incoming incoming) {
    socket.send(incoming.peer, std::move(incoming.frames));
  }

  explicit RouterNode(Handler handler = echo, const wire::Limits& limits = {},
                      const runtime::SocketOptions& options = {})
      : handler_(std::move(handler)),
        socket_(
            std::make_unique<runtime::RouterSocket>(poller_, "node", options, limits, in_flight_)),
        port_(socket_->port()) {
    poller_.watch(wakeup_.descriptor(), [this] { wakeup_.drain(); });
    thread_ = std::thread([this] { run(); });
  }
  ~RouterNode() { stop(); }

  int port() const { return port_; }
  /// On the node's thread only.
  const runtime::InFlight& in_flight() const { return in_flight_; }
  std::string endpoint() const { return tcp_endpoint("127.0.0.1", port_); }

  /// Calls f on the node's thread and returns when it has.
  void call(std::function<void(runtime::RouterSocket&)> f) {
    std::promise<void> done;
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back([&, f = std::move(f)] {
        f(*socket_);
        done.set_value();
      });
    }
    wakeup_.notify();
    done.get_future().wait();
  }
  void stop() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    wakeup_.notify();
    thread_.join();
  }

 private:
  void run() {
    while (!stopping_) {
      poller_.wait(-1);
      std::vector<std::function<void()>> calls;
      {
        const std::lock_guard lock(mutex_);
        calls.swap(calls_);
      }
      for (const auto& call : calls) call();
      while (std::optional<runtime::Incoming> incoming = socket_->receive()) {
        handler_(*socket_, std::move(*incoming));
      }
    }
    socket_.reset();
  }

  const Handler handler_;
  runtime::Poller poller_;
  runtime::Wakeup wakeup_;
  runtime::InFlight in_flight_;
  std::unique_ptr<runtime::RouterSocket> socket_;
  const int port_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<std::function<void()>> calls_;
  std::thread thread_;
};

}  // namespace tq::test
