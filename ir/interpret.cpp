#include "ir/interpret.h"

#include "ir/detail/bytecode.h"

namespace tessera::ir {

namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (const std::int64_t n : shape) out += (out.size() > 1 ? ", " : "") + std::to_string(n);
  return out + "]";
}

/// Calls f(position in the tensor, offset in storage) for every element.
template <class F>
void for_each_element(const detail::Storage& s, F f) {
  std::int64_t n = 1;
  for (const std::int64_t x : s.extents) n *= x;
  std::vector<std::int64_t> index(s.extents.size(), 0);
  for (std::int64_t i = 0; i < n; ++i) {
    f(i, s.buffer->layout.offset(index), index);
    for (std::size_t d = index.size(); d-- > 0 && ++index[d] == s.extents[d];) index[d] = 0;
  }
}

Status fill(detail::Storage& s, const Tensor& t) {
  const Buffer& b = s.buffer;
  if (t.dtype != b->dtype || t.shape != s.extents) {
    return refuse("input ", b->name, " is ", t.dtype, shape_text(t.shape), ", the program takes ",
                  b->dtype, shape_text(s.extents));
  }
  s.values.assign(static_cast<std::size_t>(b->layout.size()), Scalar{.i = 0});
  s.written.assign(s.values.size(), 0);
  for_each_element(s, [&](std::int64_t i, std::int64_t o, const auto&) {
    s.values[static_cast<std::size_t>(o)] = t.at(i);
    s.written[static_cast<std::size_t>(o)] = 1;
  });
  return Done{};
}

Result<Tensor> read(const detail::Storage& s, bool check_initialised) {
  Tensor t(s.buffer->dtype, s.extents);
  std::string missing;
  for_each_element(s, [&](std::int64_t i, std::int64_t o, const auto& index) {
    t.put(i, s.values[static_cast<std::size_t>(o)]);
    if (s.written[static_cast<std::size_t>(o)] == 0 && missing.empty()) missing = shape_text(index);
  });
  if (check_initialised && !missing.empty())
    return refuse("output ", s.buffer->name, missing, " was never written");
  return t;
}

}  // namespace

Result<std::vector<Tensor>> interpret(const Program& p, const std::map<std::string, Tensor>& inputs,
                                      const InterpretOptions& options) {
  try {
    detail::Code code = detail::compile(p, options);
    for (std::size_t i = 0; i < p.buffers.size(); ++i) {
      const BufferRole role = p.buffers[i].role;
      if (role != BufferRole::kInput && role != BufferRole::kConstant) continue;
      const auto it = inputs.find(p.buffers[i].buffer->name);
      if (it == inputs.end())
        return refuse("no tensor given for ", to_string(role), " ", p.buffers[i].buffer->name);
      TESSERA_TRY_DONE(fill(code.storages[i], it->second));
    }
    detail::run(code, options);
    std::vector<Tensor> out;
    for (std::size_t i = 0; i < p.buffers.size(); ++i) {
      if (p.buffers[i].role != BufferRole::kOutput) continue;
      TESSERA_TRY(t, read(code.storages[i], options.check_initialised));
      out.push_back(std::move(t));
    }
    return out;
  } catch (const detail::Fault& f) {
    return Refusal{f.why};
  }
}

}  // namespace tessera::ir
