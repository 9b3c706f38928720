// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// The pickle opcodes that the reader knows, by the names of Python's pickletools.
namespace tq::wire::op {

inline constexpr uint8_t kMark = '(', kStop = '.', kPop = '0', kPopMark = '1', kDup = '2';
inline constexpr uint8_t kProto = 0x80, kFrame = 0x95;
inline constexpr uint8_t kNone = 'N', kNewTrue = 0x88, kNewFalse = 0x89;
inline constexpr uint8_t kBinInt = 'J', kBinInt1 = 'K', kBinInt2 = 'M';
inline constexpr uint8_t kLong1 = 0x8a, kLong4 = 0x8b, kBinFloat = 'G';
inline constexpr uint8_t kShortBinUnicode = 0x8c, kBinUnicode = 'X', kBinUnicode8 = 0x8d;
inline constexpr uint8_t kShortBinBytes = 'C', kBinBytes = 'B', kBinBytes8 = 0x8e;
inline constexpr uint8_t kByteArray8 = 0x96;
inline constexpr uint8_t kEmptyList = ']', kAppend = 'a', kAppends = 'e';
inline constexpr uint8_t kEmptyTuple = ')', kTuple = 't';
inline constexpr uint8_t kTuple1 = 0x85, kTuple2 = 0x86, kTuple3 = 0x87;
inline constexpr uint8_t kEmptyDict = '}', kSetItem = 's', kSetItems = 'u';
inline constexpr uint8_t kEmptySet = 0x8f, kAddItems = 0x90, kFrozenSet = 0x91;
inline constexpr uint8_t kMemoize = 0x94, kBinPut = 'q', kLongBinPut = 'r';
inline constexpr uint8_t kBinGet = 'h', kLongBinGet = 'j';
inline constexpr uint8_t kGlobal = 'c', kStackGlobal = 0x93;
inline constexpr uint8_t kReduce = 'R', kNewObj = 0x81, kBuild = 'b', kBinPersId = 'Q';

}  // namespace tq::wire::op
