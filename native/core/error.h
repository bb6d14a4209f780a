#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace hrm {

// One code per public error class (ts/error.ts); the binding passes the name on, TypeScript builds the typed error.
enum class Code { kShape, kDType, kDevice, kDisposed, kOutOfMemory, kArgument, kNative };

inline const char *code_name(Code code) {
  constexpr const char *names[] = {"HRM_SHAPE",         "HRM_DTYPE",    "HRM_DEVICE", "HRM_DISPOSED",
                                   "HRM_OUT_OF_MEMORY", "HRM_ARGUMENT", "HRM_NATIVE"};
  return names[static_cast<int>(code)];
}

class Error : public std::runtime_error {
public:
  Error(Code code, const std::string &message) : std::runtime_error(message), code_(code) {}
  Code code() const { return code_; }

private:
  Code code_;
};

// fail(Code::kShape, "matmul: inner sizes must agree, got ", a, " and ", b)
template <class... Parts> [[noreturn]] void fail(Code code, const Parts &...parts) {
  std::ostringstream out;
  (out << ... << parts);
  throw Error(code, out.str());
}

} // namespace hrm
