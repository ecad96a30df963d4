#include "runtime/emulator/detail/clocks.h"

#include <algorithm>

namespace tessera::runtime::emulator {

ClockTable join(const ClockTable& a, const ClockTable& b) {
  if (!a || a == b) return b;
  if (!b) return a;
  auto table = std::make_shared<std::vector<Clock>>(*a);
  for (std::size_t i = 0; i < table->size(); ++i) (*table)[i] = std::max((*table)[i], (*b)[i]);
  return table;
}

BlockClocks join(const BlockClocks& a, const BlockClocks& b) {
  if (!a || a == b) return b;
  if (!b) return a;
  auto both = std::make_shared<std::map<std::uint32_t, ClockTable>>(*a);
  for (const auto& [block, table] : *b) {
    ClockTable& at = (*both)[block];
    at = join(at, table);
  }
  return both;
}

void ViewJoin::add(const View& view) {
  others_ = join(others_, view.others);
  if (std::find(seen_.begin(), seen_.end(), view.own.get()) != seen_.end()) return;
  seen_.push_back(view.own.get());
  kept_.push_back(view.own);
  if (table_.empty()) {
    table_ = *view.own;
    return;
  }
  for (std::size_t i = 0; i < table_.size(); ++i) table_[i] = std::max(table_[i], (*view.own)[i]);
}

View ViewJoin::take() {
  return {std::make_shared<const std::vector<Clock>>(std::move(table_)), others_};
}

}  // namespace tessera::runtime::emulator
