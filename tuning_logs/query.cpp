#include "tuning_logs/query.h"

#include <algorithm>
#include <tuple>

namespace tessera::tuning_logs {

namespace {

using Key = std::tuple<std::string, std::string, int>;

Key key_of(const Record& r) { return {r.task.hash, r.target, r.threads}; }

/// Finals first, then the smaller median; the earlier record stays among equals.
bool better(const Record& a, const Record& b) {
  const auto rank = [](const Record& r) { return std::tuple(r.kind != RecordKind::kFinal, r.median_ns()); };
  return rank(a) < rank(b);
}

constexpr std::size_t kMaxDistinct = 1000;  // of targets and tasks that a summary lists

void add_distinct(std::vector<std::string>& list, const std::string& s) {
  if (list.size() < kMaxDistinct && std::find(list.begin(), list.end(), s) == list.end()) list.push_back(s);
}

}  // namespace

bool Filter::accepts(const Record& r) const {
  return (task.empty() || task == r.task.hash || task == r.task.name) && (target.empty() || target == r.target) &&
         (threads == 0 || threads == r.threads);
}

std::vector<Record> best_records(const LogContents& log, const Filter& filter) {
  std::map<Key, std::size_t> place;
  std::vector<const Record*> best;
  for (const Record& r : log.records) {
    if (!r.ok() || !filter.accepts(r)) continue;
    const auto [it, fresh] = place.emplace(key_of(r), best.size());
    if (fresh) {
      best.push_back(&r);
    } else if (better(r, *best[it->second])) {
      best[it->second] = &r;
    }
  }
  std::vector<Record> out;
  for (const Record* r : best) out.push_back(*r);
  return out;
}

std::optional<Record> best_record(const LogContents& log, const Filter& filter) {
  const Record* last = nullptr;
  for (const Record& r : log.records) {
    if (r.ok() && filter.accepts(r)) last = &r;
  }
  if (last == nullptr) return std::nullopt;
  const Key key = key_of(*last);
  const Record* best = last;
  for (const Record& r : log.records) {
    if (r.ok() && key_of(r) == key && better(r, *best)) best = &r;
  }
  return *best;
}

Summary summarize(const std::string& path) {
  Summary s;
  s.scan = scan_log(path, [&](Record&& r, std::string_view) {
    add_distinct(s.targets, r.target);
    if (r.kind == RecordKind::kHeader) return;
    add_distinct(s.tasks, r.task.name);
    ++s.statuses[std::string(runtime::to_string(r.status))];
    ++(r.kind == RecordKind::kFinal ? s.finals : s.trials);
  });
  return s;
}

Json to_json_value(const Summary& s) {
  Json j = Json::object();
  j["records"] = s.scan.records;
  j["damaged"] = s.scan.damaged;
  j["newer_schema"] = s.scan.newer_schema;
  j["targets"] = write_json(s.targets);
  j["tasks"] = write_json(s.tasks);
  j["trials"] = s.trials;
  j["finals"] = s.finals;
  j["headers"] = s.scan.headers;
  j["statuses"] = write_json(s.statuses);
  Json places = Json::array();
  for (const Damage& d : s.scan.first_damaged) {
    Json place = Json::object();
    place["byte"] = d.offset;
    place["reason"] = d.reason;
    places.push_back(std::move(place));
  }
  j["first_damaged"] = std::move(places);
  return j;
}

}  // namespace tessera::tuning_logs
