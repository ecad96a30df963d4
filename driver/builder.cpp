#include "driver/builder.h"

#include <cstring>

#include "runtime/isolation/find_tool.h"
#include "runtime/isolation/fork_server.h"

namespace tessera::driver {

namespace {

using runtime::MeasureStatus;

std::vector<std::byte> bytes_of(const std::string& s) {
  std::vector<std::byte> out(s.size());
  std::memcpy(out.data(), s.data(), s.size());
  return out;
}

std::string text_of(std::span<const std::byte> b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }

/// Reply: one byte of status, then the image or the reason.
std::vector<std::byte> reply(MeasureStatus status, std::vector<std::byte> rest) {
  rest.insert(rest.begin(), static_cast<std::byte>(status));
  return rest;
}

Result<runtime::KernelImage> build_here(const std::string& text) {
  TESSERA_TRY(request, parse_json(text, {.depth = 64}));
  TESSERA_TRY(dag_json, json_member(request, "dag"));
  TESSERA_TRY(plan_json, json_member(request, "plan"));
  TESSERA_TRY(target_json, json_member(request, "target"));
  TESSERA_TRY(target_text, json_string(*target_json));
  dsl::ComputeDag dag;
  schedule::Plan plan;
  TESSERA_TRY_DONE(from_json_value(*dag_json, dag));
  TESSERA_TRY_DONE(from_json_value(*plan_json, plan));
  return compile(dag, plan, resolve_target(target_text));
}

}  // namespace

MeasureStatus status_of_refusal(const std::string& reason) {
  if (reason.rfind("resource:", 0) == 0) return MeasureStatus::kResource;
  if (reason.rfind("unsupported_target:", 0) == 0) return MeasureStatus::kUnsupportedTarget;
  return MeasureStatus::kCompileError;
}

Builder::Builder() : Builder(runtime::spawn_program(runtime::find_tool("kernel_builder"))) {}

Builder::Builder(runtime::Spawner spawn) : worker_(std::move(spawn)) {
  limits.wall_ns = 60'000'000'000;
  limits.cpu_ns = 30'000'000'000;
  limits.address_space_bytes = std::int64_t{4} << 30;
}

BuildResult Builder::build(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target) {
  start(dag, plan, target);
  return finish();
}

void Builder::start(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target) {
  Json request = Json::object();
  request["dag"] = to_json_value(dag);
  request["plan"] = to_json_value(plan);
  request["target"] = target.text();
  started_ = std::chrono::steady_clock::now();
  worker_.start(bytes_of(dump_json(request)), limits);
}

BuildResult Builder::finish() {
  const runtime::Reply r = worker_.finish();
  BuildResult out;
  out.wall_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started_).count();
  const auto failed = [&](MeasureStatus status, std::string why) {
    out.status = status;
    out.message = why.empty() ? r.diagnostics.substr(0, 300) : std::move(why);
    return out;
  };
  switch (r.outcome) {
    case runtime::Outcome::kOk: break;
    case runtime::Outcome::kCrashed:
    case runtime::Outcome::kExited: return failed(MeasureStatus::kCompileCrash, r.message.empty() ? r.diagnostics.substr(0, 300) : r.message);
    case runtime::Outcome::kTimeout: return failed(MeasureStatus::kCompileTimeout, "the compiler did not end within " + std::to_string(limits.wall_ns / 1'000'000'000) + " s");
    case runtime::Outcome::kResource: return failed(MeasureStatus::kResource, r.message.empty() ? "the compiler ran out of memory" : r.message);
    case runtime::Outcome::kProtocol: return failed(MeasureStatus::kInternal, r.message);
  }
  if (r.bytes.empty()) return failed(MeasureStatus::kInternal, "the builder sent an empty reply");
  const auto status = static_cast<MeasureStatus>(r.bytes[0]);
  const auto rest = std::span(r.bytes).subspan(1);
  if (status != MeasureStatus::kOk) return failed(status, text_of(rest));
  auto image = runtime::decode_image(rest);
  if (!image.ok()) return failed(MeasureStatus::kInternal, image.reason());
  out.status = MeasureStatus::kOk;
  out.image = std::move(*image);
  return out;
}

std::vector<std::byte> handle_build_request(std::span<const std::byte> request, const runtime::HandlerContext& context) {
  context.stage("compile");
  try {
    auto image = build_here(text_of(request));
    if (!image.ok()) return reply(status_of_refusal(image.reason()), bytes_of(image.reason()));
    return reply(MeasureStatus::kOk, runtime::encode(*image));
  } catch (const UserError& e) {
    return reply(MeasureStatus::kCompileError, bytes_of(e.what()));
  } catch (const InternalError& e) {
    return reply(MeasureStatus::kCompileCrash, bytes_of(e.what()));
  }
}

}  // namespace tessera::driver
