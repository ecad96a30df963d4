// How a program is gathered from its outputs: its stages in order, and names that tell them apart.
#pragma once

#include <map>
#include <vector>

#include "dsl/dag.h"

namespace tessera::dsl::detail {

/// Every operation that `outputs` read as a stage, producers first; reads of a scan's state have become
/// reads of the scan.
std::vector<Stage> collect(const std::vector<Buffer>& outputs);
/// Numbers clashing names, of axes too, and rewrites the bodies to the renamed buffers.
void make_names_unique(std::vector<Stage>& stages, std::vector<Buffer>& outputs);
/// The symbols of all extents, in the order in which they occur.
std::vector<Var> symbols_of(const std::vector<Stage>& stages);
/// What an extern reads, under new buffers.
void replace_reads(Stage& s, const std::map<std::uint64_t, Buffer>& with);

}  // namespace tessera::dsl::detail
