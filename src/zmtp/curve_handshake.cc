// SPDX-License-Identifier: Apache-2.0
#include "zmtp/curve_handshake.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "transfer_queue/error.h"
#include "zmtp/curve_box.h"
#include "zmtp/refusal.h"

namespace tq::zmtp {
namespace {

constexpr std::string_view kHello("\x05HELLO\x01\0", 8);  // with CurveZMQ's version
constexpr std::string_view kWelcome = "\x07WELCOME";
constexpr std::string_view kInitiate = "\x08INITIATE";
constexpr std::string_view kReady = "\x05READY";
constexpr std::string_view kError =
    "\x05"
    "ERROR";

constexpr std::string_view kHelloPrefix = "CurveZMQHELLO---";
constexpr std::string_view kWelcomePrefix = "WELCOME-";
constexpr std::string_view kInitiatePrefix = "CurveZMQINITIATE";
constexpr std::string_view kVouchPrefix = "VOUCH---";
constexpr std::string_view kReadyPrefix = "CurveZMQREADY---";

constexpr size_t kHelloPaddingBytes = 72;
constexpr size_t kSignatureBytes = 64;
constexpr size_t kCookieBytes = 96;
constexpr size_t kVouchBytes = kLongNonceBytes + kBoxBytes + 2 * kCurveKeyBytes;

[[noreturn]] void fail(const std::string& reason) { throw Error(ErrorCode::kDecode, reason); }

std::string_view text_of(const CurvePublicKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}
CurvePublicKey key_of(std::string_view text) {
  CurvePublicKey key;
  std::copy(text.begin(), text.end(), key.begin());
  return key;
}

/// Takes a command apart from its front.
class Parts {
 public:
  Parts(std::string_view command, std::string_view name) : left_(command) {
    if (take(name.size()) != name) {
      fail(fmt::format("its handshake command is not CURVE's {}", name.substr(1, name[0])));
    }
  }
  std::string_view take(size_t bytes) {
    if (bytes > left_.size()) fail("its handshake command is cut short");
    const std::string_view taken = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return taken;
  }
  std::string_view rest() { return std::exchange(left_, {}); }
  void end() const {
    if (!left_.empty()) fail("its handshake command is too long");
  }

 private:
  std::string_view left_;
};

// A node may answer either command so.
void check_error(std::string_view command) {
  if (!command.starts_with(kError)) return;
  Parts parts(command, kError);
  const std::string_view size = parts.take(1);
  throw HandshakeRefused(Refusal::kByPeer,
                         std::string(parts.take(static_cast<unsigned char>(size[0]))));
}

}  // namespace

std::string error_command(std::string_view reason) {
  reason = reason.substr(0, 255);
  return std::string(kError).append(1, static_cast<char>(reason.size())).append(reason);
}

CurveHandshake::CurveHandshake(CurvePointer curve, std::string properties)
    : curve_(std::move(curve)),
      properties_(std::move(properties)),
      awaited_(curve_->is_server() ? Awaited::kHello : Awaited::kWelcome) {}

std::string CurveHandshake::begin() {
  if (curve_->is_server()) return {};
  const std::string number = short_nonce(++sent_);
  std::string hello(kHello);
  hello.append(kHelloPaddingBytes, '\0').append(text_of(own_.public_key)).append(number);
  return hello.append(make_box(std::string(kSignatureBytes, '\0'),
                               curve_nonce(kHelloPrefix, number), *curve_->server,
                               own_.secret_key));
}

std::string CurveHandshake::take(std::string_view command) {
  switch (awaited_) {
    case Awaited::kHello:
      return take_hello(command);
    case Awaited::kWelcome:
      return take_welcome(command);
    case Awaited::kInitiate:
      return take_initiate(command);
    case Awaited::kReady:
      return take_ready(command);
    case Awaited::kNothing:
      break;
  }
  fail("it sends another handshake command after its last");
}

std::string CurveHandshake::take_hello(std::string_view command) {
  Parts parts(command, kHello);
  parts.take(kHelloPaddingBytes);
  peer_ = key_of(parts.take(kCurveKeyBytes));
  const std::string_view number = parts.take(kShortNonceBytes);
  const auto signature = open_box(parts.take(kBoxBytes + kSignatureBytes),
                                  curve_nonce(kHelloPrefix, number), peer_, curve_->own.secret_key);
  parts.end();
  if (!signature) {
    throw HandshakeRefused(Refusal::kKey, "it looks for a node with another public key",
                           "this node's public key is not the one that you look for");
  }
  received_ = read_short_nonce(number);
  // The specification's cookie hides this end's keys in the client, so that a server may forget
  // them meanwhile. This one keeps them as long as the connection, and only the very cookie will
  // do.
  cookie_ = random_bytes(kCookieBytes);
  const std::string nonce = random_bytes(kLongNonceBytes);
  awaited_ = Awaited::kInitiate;
  return std::string(kWelcome).append(nonce).append(
      make_box(std::string(text_of(own_.public_key)).append(cookie_),
               curve_nonce(kWelcomePrefix, nonce), peer_, curve_->own.secret_key));
}

std::string CurveHandshake::take_welcome(std::string_view command) {
  check_error(command);
  Parts parts(command, kWelcome);
  const std::string_view nonce = parts.take(kLongNonceBytes);
  const auto welcome =
      open_box(parts.take(kBoxBytes + kCurveKeyBytes + kCookieBytes),
               curve_nonce(kWelcomePrefix, nonce), *curve_->server, own_.secret_key);
  parts.end();
  if (!welcome) {
    throw HandshakeRefused(Refusal::kKey,
                           "it has not the secret key of the public key that we "
                           "were given for it");
  }
  peer_ = key_of(std::string_view(*welcome).substr(0, kCurveKeyBytes));
  awaited_ = Awaited::kReady;
  return initiate(std::string_view(*welcome).substr(kCurveKeyBytes));
}

std::string CurveHandshake::initiate(std::string_view cookie) {
  const std::string vouch_nonce = random_bytes(kLongNonceBytes);
  const std::string vouch =
      make_box(std::string(text_of(own_.public_key)).append(text_of(*curve_->server)),
               curve_nonce(kVouchPrefix, vouch_nonce), peer_, curve_->own.secret_key);
  const std::string number = short_nonce(++sent_);
  const std::string plain = std::string(text_of(curve_->own.public_key))
                                .append(vouch_nonce)
                                .append(vouch)
                                .append(properties_);
  return std::string(kInitiate).append(cookie).append(number).append(
      make_box(plain, curve_nonce(kInitiatePrefix, number), peer_, own_.secret_key));
}

std::string CurveHandshake::take_initiate(std::string_view command) {
  Parts parts(command, kInitiate);
  const bool is_cookie = is_same_secret(parts.take(kCookieBytes), cookie_);
  const std::string_view number = parts.take(kShortNonceBytes);
  if (!is_cookie) fail("its INITIATE belongs to another connection");
  if (read_short_nonce(number) <= received_) fail("its handshake commands come out of order");
  const auto plain =
      open_box(parts.rest(), curve_nonce(kInitiatePrefix, number), peer_, own_.secret_key);
  if (!plain) fail("its INITIATE was changed, or made with another key");
  Parts told(*plain, {});
  const CurvePublicKey client = key_of(told.take(kCurveKeyBytes));
  check_vouch(client, told.take(kVouchBytes));
  if (!curve_->may_connect(client)) {
    const std::string key = curve_key_text(client);
    throw HandshakeRefused(
        Refusal::kKey, fmt::format("its public key {} is none of those that may connect", key),
        fmt::format("the public key {} is none of those that may connect to this node", key));
  }
  received_ = read_short_nonce(number);
  peer_properties_ = told.rest();
  const std::string reply = short_nonce(++sent_);
  awaited_ = Awaited::kNothing;
  return std::string(kReady).append(reply).append(
      make_box(properties_, curve_nonce(kReadyPrefix, reply), peer_, own_.secret_key));
}

// The client's own key says that it made this connection, to this node: without that, a node that
// it talks to could pretend to another to be the client.
void CurveHandshake::check_vouch(const CurvePublicKey& client, std::string_view vouch) const {
  const CurveNonce nonce = curve_nonce(kVouchPrefix, vouch.substr(0, kLongNonceBytes));
  const auto vouched = open_box(vouch.substr(kLongNonceBytes), nonce, client, own_.secret_key);
  const std::string expected = std::string(text_of(peer_)).append(text_of(curve_->own.public_key));
  if (!vouched || !is_same_secret(*vouched, expected)) {
    fail("it does not prove that the public key that it names is its own");
  }
}

std::string CurveHandshake::take_ready(std::string_view command) {
  check_error(command);
  Parts parts(command, kReady);
  const std::string_view number = parts.take(kShortNonceBytes);
  auto plain = open_box(parts.rest(), curve_nonce(kReadyPrefix, number), peer_, own_.secret_key);
  if (!plain) fail("its READY was changed, or made with another key");
  received_ = read_short_nonce(number);
  peer_properties_ = std::move(*plain);
  awaited_ = Awaited::kNothing;
  return {};
}

std::unique_ptr<CurveTraffic> CurveHandshake::traffic() const {
  return std::make_unique<CurveTraffic>(shared_key(peer_, own_.secret_key), curve_->is_server(),
                                        sent_, received_);
}

}  // namespace tq::zmtp
