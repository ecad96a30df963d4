// What explain and report say alike: words for tasks, plans, holes and causes of failure.
#pragma once

#include <string>
#include <vector>

#include "tuning_logs/insight.h"

namespace tessera::autotune {

/// A log is data: characters that would steer a terminal or turn the direction of writing become '?'.
std::string printable(const std::string& text);

/// "matmul k=64, m=64, n=64 f32", or the expression with its extents.
std::string task_title(const tuning_logs::Record& r);
/// "cpu -mcpu=znver5": without the features, which are many.
std::string short_target(const std::string& target);
/// Steps in text form, or the polyhedral decisions as JSON.
std::vector<std::string> plan_lines(const schedule::Plan& plan);
/// "ti=16 tj=8".
std::string decisions_text(const std::map<std::string, std::int64_t>& decisions);
/// "register_tile"; "by hand" for a plan of no sketch.
std::string sketch_text(const std::string& sketch);
/// "16", or "8..16" for several values.
std::string level_text(const tuning_logs::HoleLevel& level);
/// Why there is no share, or why it means little; empty when it stands.
std::string doubt_text(const tuning_logs::HoleImportance& hole);
/// Whether something can be said about one of them that is not chance.
bool stands(const std::vector<tuning_logs::HoleImportance>& holes);
/// "wrong_answer in verify_exact: C[#, #] is #, expected #".
std::string cause_text(const tuning_logs::FailureGroup& group);
/// "no candidate ran correctly: all 16 trials failed"; empty when one did.
std::string nothing_ran_text(const tuning_logs::TaskInsight& task);

/// The log and what is damaged in it, said on stderr. UserError of exit code 1 when nothing can be read.
tuning_logs::LogContents read_with_damage(const std::string& log);

}  // namespace tessera::autotune
