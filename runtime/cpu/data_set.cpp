#include "runtime/cpu/data_set.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/wire.h"

namespace tessera::runtime {

namespace {

// File: 8 bytes with the length of the index, the index, then the blobs, each on a multiple of 64
// bytes from the start of the blobs, which is itself such a multiple of the file.
constexpr std::uint64_t kBlobAlignment = 64;
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

std::uint64_t aligned(std::uint64_t x) {
  return (x + kBlobAlignment - 1) / kBlobAlignment * kBlobAlignment;
}

class IndexWriter {
 public:
  void add(const OperandSet& set) {
    index_.list(set.inputs, [&](const Operand& o) {
      index_.text(o.name);
      blob(std::as_bytes(std::span(o.bytes)));
    });
    index_.list(set.outputs, [&](const ExpectedOutput& e) {
      index_.text(e.name);
      index_.put(e.comparison);
      blob(std::as_bytes(std::span(e.values)));
      blob(std::as_bytes(std::span(e.points)));
      index_.put(e.absolute);
      index_.put(e.relative);
      blob(std::as_bytes(std::span(e.bounds)));
    });
  }
  std::vector<std::byte> take_index() { return index_.take(); }
  const std::vector<std::pair<std::uint64_t, std::span<const std::byte>>>& blobs() const {
    return blobs_;
  }

 private:
  void blob(std::span<const std::byte> bytes) {
    index_.put(end_);
    index_.put<std::uint64_t>(bytes.size());
    blobs_.emplace_back(end_, bytes);
    end_ = aligned(end_ + bytes.size());
  }
  WireWriter index_;
  std::vector<std::pair<std::uint64_t, std::span<const std::byte>>> blobs_;
  std::uint64_t end_ = 0;
};

void write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    TESSERA_ENVIRONMENT_CHECK(n > 0) << "no memory for the operands: " << std::strerror(errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

class IndexReader {
 public:
  IndexReader(std::span<const std::byte> index, std::span<const std::byte> blobs)
      : index_(index), blobs_(blobs) {}

  void read(OperandSetView& set) {
    index_.list(24, [&] {
      OperandView o;
      o.name = name();
      o.bytes = blob<std::byte>();
      set.inputs.push_back(o);
    });
    index_.list(73, [&] {
      ExpectedView e;
      e.name = name();
      e.comparison = index_.choice(Comparison::kBounded);
      e.values = blob<std::byte>();
      e.points = blob<std::int64_t>();
      e.absolute = index_.get<double>();
      e.relative = index_.get<double>();
      e.bounds = blob<float>();
      set.outputs.push_back(e);
    });
  }
  bool done() const { return index_.done(); }

 private:
  std::string_view name() {
    const auto b = index_.blob();
    return {reinterpret_cast<const char*>(b.data()), b.size()};
  }
  template <class T>
  std::span<const T> blob() {
    const auto offset = index_.get<std::uint64_t>(), bytes = index_.get<std::uint64_t>();
    if (offset % kBlobAlignment != 0 || bytes % sizeof(T) != 0 || offset > blobs_.size() ||
        bytes > blobs_.size() - offset) {
      index_.fail();
      return {};
    }
    return {reinterpret_cast<const T*>(blobs_.data() + offset), bytes / sizeof(T)};
  }
  WireReader index_;
  std::span<const std::byte> blobs_;
};

}  // namespace

FileDescriptor make_data_file(const DataSet& data) {
  IndexWriter writer;
  writer.add(data.exact);
  writer.add(data.real);
  const std::vector<std::byte> index = writer.take_index();
  const std::uint64_t index_bytes = index.size(), blobs = aligned(8 + index_bytes);
  FileDescriptor file(::memfd_create("tessera-operands", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  TESSERA_ENVIRONMENT_CHECK(file) << "no memory for the operands: " << std::strerror(errno);
  write_at(file.get(), std::as_bytes(std::span(&index_bytes, 1)), 0);
  write_at(file.get(), index, 8);
  const auto& last = writer.blobs();
  const std::uint64_t end =
      last.empty() ? blobs : blobs + aligned(last.back().first + last.back().second.size());
  TESSERA_ENVIRONMENT_CHECK(::ftruncate(file.get(), static_cast<off_t>(end)) == 0)
      << "no memory for the operands: " << std::strerror(errno);
  for (const auto& [offset, bytes] : writer.blobs()) write_at(file.get(), bytes, blobs + offset);
  ::fcntl(file.get(), F_ADD_SEALS, kSeals);
  return file;
}

const OperandView* OperandSetView::input(std::string_view name) const {
  for (const OperandView& o : inputs)
    if (o.name == name) return &o;
  return nullptr;
}

Result<MappedDataSet> MappedDataSet::map(int fd) {
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0 || info.st_size < 8)
    return refuse("no operands were installed");
  // Without the seals the other side could shrink the file under our feet.
  if ((::fcntl(fd, F_GET_SEALS) & kSeals) != kSeals)
    return refuse("the operand file is not sealed");
  const auto bytes = static_cast<std::size_t>(info.st_size);
  void* base = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return refuse("cannot map the operands: ", std::strerror(errno));
  MappedDataSet out;
  out.base_ = base;
  out.bytes_ = bytes;
  const std::span<const std::byte> all(static_cast<const std::byte*>(base), bytes);
  std::uint64_t index_bytes = 0;
  std::memcpy(&index_bytes, all.data(), 8);
  if (index_bytes > bytes - 8 || aligned(8 + index_bytes) > bytes)
    return refuse("damaged operand file");
  IndexReader reader(all.subspan(8, index_bytes), all.subspan(aligned(8 + index_bytes)));
  reader.read(out.exact_);
  reader.read(out.real_);
  if (!reader.done()) return refuse("damaged operand file");
  return out;
}

MappedDataSet::MappedDataSet(MappedDataSet&& o) noexcept
    : base_(std::exchange(o.base_, nullptr)),
      bytes_(o.bytes_),
      exact_(std::move(o.exact_)),
      real_(std::move(o.real_)) {}

MappedDataSet::~MappedDataSet() {
  if (base_ != nullptr) ::munmap(base_, bytes_);
}

}  // namespace tessera::runtime
