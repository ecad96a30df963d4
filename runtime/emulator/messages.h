// Requests and reports as bytes, between a program and kernel_emulator.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "runtime/emulator/emulator.h"
#include "runtime/isolation/fork_server.h"

namespace tessera::runtime::emulator {

std::vector<std::byte> encode(const EmulationRequest& request);
std::optional<EmulationRequest> decode_request(std::span<const std::byte> bytes);

std::vector<std::byte> encode(const Result<EmulationReport>& report);
Result<EmulationReport> decode_report(std::span<const std::byte> bytes);

/// A whole file at once; false or nothing when that fails.
bool write_file(int fd, std::span<const std::byte> bytes);
std::optional<std::vector<std::byte>> read_file(int fd);

/// The fork-server handler of kernel_emulator. The attached file holds the request and, when it
/// answers, the report: arguments are too large for a message. The reply is empty.
std::vector<std::byte> handle_emulation_request(std::span<const std::byte> request,
                                                const HandlerContext& context);

}  // namespace tessera::runtime::emulator
