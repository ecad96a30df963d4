// Whether an output holds what it must.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "runtime/cpu/data_set.h"
#include "runtime/kernel_image.h"
#include "runtime/measurement.h"

namespace tessera::runtime {

struct Mismatch {
  MeasureStatus
      status;           // kWrongAnswer, kUninitialised, or kInternal when `expected` fits no output
  std::string message;  // output, element (flat and by coordinates), expected and found value
};

/// The first element of `got` that is wrong, in flat order (in the order of the points where there
/// are points). `poison` is the byte the output was filled with before the run: a wrong element
/// that still consists of it was never written. Float outputs are searched for poison everywhere,
/// also where no value is expected: its bits are a NaN that no computation produces. Bounds are taken
/// times `error_factor`.
std::optional<Mismatch> compare_output(const ArgumentContract& argument,
                                       std::span<const std::byte> got, const ExpectedView& expected,
                                       std::byte poison, double error_factor = 1);

/// The value of one element as text: "1.5", "-3"; hexadecimal for types without a decimal form.
std::string element_text(ir::Type dtype, const std::byte* element);

}  // namespace tessera::runtime
