// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

struct mg_context;
struct mg_connection;

namespace tq::metrics {

struct HttpAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// A small HTTP server for pages of this process: GET and HEAD only, two requests at a time, five
/// seconds for each to come. Its threads end in the destructor.
class HttpServer {
 public:
  /// A page is made anew for each request, on a thread of the server, several at a time.
  using Pages = std::map<std::string, std::function<HttpAnswer()>>;

  /// Listens at `host`, an IP address, and `port`; 0: a free one. Throws Error(kUnavailable) when
  /// it cannot. Start it after the process has blocked the signals that its own threads shall not
  /// get.
  HttpServer(const std::string& host, int port, Pages pages);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const noexcept { return port_; }

 private:
  static int answer(mg_connection* connection, void* self);

  const Pages pages_;
  mg_context* context_ = nullptr;
  int port_ = 0;
};

}  // namespace tq::metrics
