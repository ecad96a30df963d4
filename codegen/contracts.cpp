#include "codegen/contracts.h"

namespace tessera::codegen {

std::vector<runtime::ArgumentContract> argument_contracts(const ir::Program& program,
                                                          const std::function<int(const ir::ProgramBuffer&)>& alignment) {
  std::vector<runtime::ArgumentContract> out;
  for (const ir::ProgramBuffer& p : program.buffers) {
    if (p.role == ir::BufferRole::kWorkspace) continue;
    runtime::ArgumentContract c;
    c.name = p.buffer->name;
    c.dtype = p.buffer->dtype;
    // A prepared operand is opaque to its owner: its storage order is the kernel's own.
    c.shape = p.role == ir::BufferRole::kPrepared ? std::vector<std::int64_t>{p.buffer->layout.size()} : p.buffer.extents();
    c.bytes = p.buffer->layout.size() * p.buffer->dtype.bytes();
    c.alignment = alignment(p);
    switch (p.role) {
      case ir::BufferRole::kInput: c.role = runtime::ArgumentRole::kInput; break;
      case ir::BufferRole::kConstant: c.role = runtime::ArgumentRole::kConstant; break;
      case ir::BufferRole::kPrepared: c.role = runtime::ArgumentRole::kPrepared; break;
      default: c.role = runtime::ArgumentRole::kOutput; break;
    }
    out.push_back(std::move(c));
  }
  return out;
}

}  // namespace tessera::codegen
